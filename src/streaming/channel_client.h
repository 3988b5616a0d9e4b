// A client that speaks one of the channel protocols over WebSocket. Its streams are the channels, which are
// there from the start; one that was not asked for is a gap.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "streaming/channel_message.h"
#include "streaming/client.h"
#include "streaming/transport.h"

namespace fermata::streaming {

class ChannelClient final : public Client, public Transport::Receiver {
 public:
  struct Channel {
    std::optional<StreamHeaders> headers;  // nullopt: a gap
    std::optional<std::string> greeting;   // the first message on it, even if it is empty
  };

  ChannelClient(std::shared_ptr<Transport> transport, std::shared_ptr<Session> session,
                ChannelEncoding encoding, bool close_signal, const std::vector<Channel>& channels);

  void write(StreamId stream, std::string_view bytes) override;
  // The protocols have no message for the end of a single channel of ours.
  void finish(StreamId stream) override;
  void reset(StreamId stream) override;
  bool has_room(StreamId stream) const override;
  void consumed(StreamId stream, std::size_t bytes) override;
  void close() override;

  void received(std::string_view bytes, bool message_end) override;
  void drained() override;
  void ended() override;

 private:
  struct State {
    bool local_open = false, remote_open = false;
    std::size_t unused = 0;  // received, not consumed
  };
  void used_up(State& state, std::size_t bytes);

  const std::shared_ptr<Transport> transport_;
  const std::shared_ptr<Session> session_;
  const ChannelEncoding encoding_;
  ChannelReader reader_;
  std::vector<State> channels_;
  std::size_t unused_ = 0;
  bool closing_ = false;
};

}  // namespace fermata::streaming
