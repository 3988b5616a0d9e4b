#include "streaming/port_pump.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

namespace fermata::streaming {
namespace {

using Socket = boost::asio::generic::stream_protocol::socket;
using SystemError = boost::system::error_code;

constexpr std::size_t kChunk = 32 * 1024;
// Chunks taken in one go; then other connections have their turn.
constexpr int kBurst = 8;
constexpr std::chrono::seconds kDrain{10};

bool would_block(const SystemError& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

}  // namespace

PortPump::PortPump(boost::asio::any_io_executor strand, Client& client, StreamId data, StreamId error,
                   std::function<void()> done)
    : socket_(strand), timer_(strand), client_(&client), data_(data), error_(error), done_(std::move(done)) {}

void PortPump::start(Result<UniqueFd> socket) {
  if (ended_) return;
  if (socket) {
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    SystemError error;
    if (::getsockopt(socket->get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
      error.assign(errno, boost::system::system_category());
    if (!error) socket_.assign(boost::asio::generic::stream_protocol(family, 0), socket->get(), error);
    if (!error) (void)socket->release();
    if (!error) socket_.non_blocking(true, error);
    if (error) socket = fermata::fail(ErrorKind::failed, "the connection to the port: {}", error.message());
  }
  if (!socket) {
    if (client_ != nullptr) {
      client_->write(error_, socket.error().message());
      client_->finish(error_);
      client_->reset(data_);
    }
    return end();
  }
  pass_input();
  wait_for_output();
}

void PortPump::received(std::string_view bytes) {
  if (ended_ || input_closed_) return client_->consumed(data_, bytes.size());
  input_ += bytes;
  pass_input();
}

void PortPump::finished() {
  input_ended_ = true;
  pass_input();
}

void PortPump::was_reset() {
  if (ended_) return;
  client_->finish(error_);
  end();
}

void PortPump::writable() {
  if (std::exchange(output_held_, false)) wait_for_output();
}

void PortPump::detach() {
  client_ = nullptr;
  done_ = nullptr;
  if (ended_) return;
  if (!input_ended_ || input_.empty() || !socket_.is_open()) return end();
  output_ended_ = true;
  timer_.expires_after(kDrain);
  timer_.async_wait([self = shared_from_this()](const SystemError& error) {
    if (!error) self->end();
  });
}

// Waits before it reads, so that a connection at rest needs no buffer.
void PortPump::wait_for_output() {
  if (ended_ || output_ended_ || output_wait_ || client_ == nullptr || !socket_.is_open()) return;
  output_held_ = !client_->has_room(data_);
  if (output_held_) return;
  output_wait_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const SystemError& error) {
    self->output_wait_ = false;
    if (!error) self->pass_output();
  });
}

void PortPump::pass_output() {
  std::array<char, kChunk> chunk;
  for (int i = 0; i < kBurst && !ended_ && client_ != nullptr && client_->has_room(data_); ++i) {
    SystemError error;
    const std::size_t size = socket_.read_some(boost::asio::buffer(chunk), error);
    if (would_block(error)) break;
    if (error == boost::asio::error::eof) return output_ended();
    if (error) return fail();
    client_->write(data_, {chunk.data(), size});
  }
  wait_for_output();
}

// Clients take the end of the error stream for the end of the connection, and of the data stream for the end
// of output; either may still send.
void PortPump::output_ended() {
  output_ended_ = true;
  client_->finish(data_);
  client_->finish(error_);
  end_if_done();
}

void PortPump::pass_input() {
  if (ended_ || input_closed_ || input_wait_ || !socket_.is_open()) return;
  std::size_t passed = 0;
  SystemError error;
  while (passed < input_.size() && !error)
    passed += socket_.write_some(boost::asio::buffer(input_.data() + passed, input_.size() - passed), error);
  input_.erase(0, passed);
  if (client_ != nullptr) client_->consumed(data_, passed);
  if (would_block(error)) {
    input_wait_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const SystemError& wait_error) {
      self->input_wait_ = false;
      if (!wait_error) self->pass_input();
    });
    return;
  }
  if (error) {
    // The pod reads no more; what it still writes counts.
    input_closed_ = true;
    if (client_ != nullptr) client_->consumed(data_, input_.size());
    input_.clear();
  } else if (input_ended_) {
    input_closed_ = true;
    socket_.shutdown(Socket::shutdown_send, error);  // fails only if the peer has gone, which reading tells
  }
  end_if_done();
}

void PortPump::end_if_done() {
  if (output_ended_ && input_closed_) end();
}

// A connection that broke must not look like one that ended.
void PortPump::fail() {
  client_->finish(error_);
  client_->reset(data_);
  end();
}

void PortPump::end() {
  if (std::exchange(ended_, true)) return;
  timer_.cancel();
  SystemError ignored;  // closed in any case; close(2)
  socket_.close(ignored);
  if (client_ != nullptr) client_->consumed(data_, input_.size());
  if (const auto done = std::exchange(done_, nullptr)) done();
}

}  // namespace fermata::streaming
