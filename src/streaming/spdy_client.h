// A client that speaks SPDY/3.1: streams over one transport, with windows (SPDY Protocol, draft 3.1,
// section 2.6.8).
//
// Kubernetes' clients use moby/spdystream, which knows nothing of windows: it never sends a WINDOW_UPDATE and
// never waits for one. So a client counts as one with windows only once it has sent SETTINGS or
// WINDOW_UPDATE; from then on they are kept to in both directions. With others TCP is the only measure: while
// more than a bound of what they sent waits to be used, nothing is read from the connection. One that keeps
// to windows without having shown it must not starve, so others get theirs renewed too, but in large pieces
// and seldom: for spdystream each such frame is one more in a queue of 50 that a stream which nobody reads
// can block.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "streaming/client.h"
#include "streaming/spdy_frame.h"
#include "streaming/transport.h"

namespace fermata::streaming {

class SpdyClient final : public Client, public Transport::Receiver {
 public:
  SpdyClient(std::shared_ptr<Transport> transport, std::shared_ptr<Session> session);

  void write(StreamId stream, std::string_view bytes) override;
  void finish(StreamId stream) override;
  void reset(StreamId stream) override;
  bool has_room(StreamId stream) const override;
  void consumed(StreamId stream, std::size_t bytes) override;
  void close() override;

  void received(std::string_view bytes, bool message_end) override;
  void drained() override;
  void ended() override;

 private:
  struct Stream {
    bool local_open = true, remote_open = true;
    std::int64_t send_window = 0;                        // what we may still send
    std::int64_t receive_window = spdy::kInitialWindow;  // what the client may still send
    std::size_t unused = 0;                              // received, not consumed
    std::size_t owed = 0;                                // consumed, not given back to receive_window
    std::string waiting;                                 // to be sent when the window opens
    bool finish_waiting = false;
  };

  // Each returns false when the connection has come to its end.
  bool on(const spdy::SynStream& frame);
  bool on(const spdy::SynReply& frame);
  bool on(const spdy::Headers& frame);
  bool on(const spdy::RstStream& frame);
  bool on(const spdy::Settings& frame);
  bool on(const spdy::Ping& frame);
  bool on(const spdy::GoAway& frame);
  bool on(const spdy::WindowUpdate& frame);
  bool on(const spdy::Data& frame);

  bool protocol_error();
  void client_has_windows();
  void remote_finished(StreamId id);
  void send_data(StreamId id, Stream& stream, std::string_view bytes, bool fin);
  void send_waiting(StreamId id, Stream& stream);
  void send_all_waiting();
  void drop(StreamId id);
  void drop_if_done(StreamId id);
  void used_up(std::size_t bytes);
  void close_if_done();

  const std::shared_ptr<Transport> transport_;
  const std::shared_ptr<Session> session_;
  spdy::Parser parser_;
  spdy::Writer writer_;
  std::map<StreamId, Stream> streams_;
  StreamId last_id_ = 0;
  bool windows_ = false;  // the client has shown that it knows them
  bool leaving_ = false;  // it has said GOAWAY
  bool closing_ = false, closed_ = false;
  std::int64_t initial_send_window_ = spdy::kInitialWindow;
  // Of the whole connection.
  std::int64_t send_window_ = spdy::kInitialWindow, receive_window_ = spdy::kInitialWindow;
  std::size_t unused_ = 0;
  std::size_t owed_ = 0;
};

}  // namespace fermata::streaming
