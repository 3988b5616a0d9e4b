// One forwarded connection: bytes between two streams of a client (data and error) and a socket of the pod.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "streaming/client.h"

namespace fermata::streaming {

class PortPump : public std::enable_shared_from_this<PortPump> {
 public:
  // `done` is called once, when nothing more comes or goes.
  PortPump(boost::asio::any_io_executor strand, Client& client, StreamId data, StreamId error,
           std::function<void()> done);

  // The socket, or why there is none, which the client is told. Until then, what the client sends is kept.
  void start(Result<UniqueFd> socket);
  void received(std::string_view bytes);
  void finished();
  void was_reset();
  void writable();
  // The client has gone. What it has sent whole still goes to the pod, for some seconds.
  void detach();

 private:
  void wait_for_output();
  void pass_output();
  void pass_input();
  void output_ended();
  void fail();
  void end();
  void end_if_done();

  boost::asio::generic::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  Client* client_;
  const StreamId data_, error_;
  std::function<void()> done_;
  std::string input_;  // from the client
  bool output_wait_ = false, output_held_ = false, output_ended_ = false;
  bool input_wait_ = false, input_ended_ = false, input_closed_ = false;
  bool ended_ = false;
};

}  // namespace fermata::streaming
