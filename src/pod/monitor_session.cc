#include "pod/monitor_session.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "monitor/protocol.h"

namespace fermata::pod {
namespace {

using monitor::Frame;
using monitor::Header;
using monitor::Stream;

class MonitorSession final : public Session {
 public:
  explicit MonitorSession(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const override { return socket_.get(); }

  Result<Event> read() override {
    Header header = {};
    Frame frame = {};
    std::string data(monitor::kMaxFrameData, '\0');
    std::array<iovec, 3> parts = {
        {{&header, sizeof header}, {&frame, sizeof frame}, {data.data(), data.size()}}};
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ssize_t got = 0;
    do got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ECONNRESET) return fail(errno, "read from the monitor");
    Event event{.kind = Event::Kind::closed, .data = {}};
    if (got <= 0) return event;
    const auto size = static_cast<std::size_t>(got);
    if (size < sizeof header + sizeof frame || header.type != monitor::Type::frame)
      return fail(EPROTO, "read from the monitor");
    data.resize(size - sizeof header - sizeof frame);
    switch (frame.stream) {
      case Stream::standard_output:
        event.kind = Event::Kind::output;
        break;
      case Stream::standard_error:
        event.kind = Event::Kind::error_output;
        break;
      case Stream::ended: {
        monitor::Process process = {};
        if (data.size() < sizeof process) return fail(EPROTO, "read from the monitor");
        std::memcpy(&process, data.data(), sizeof process);
        event.kind = Event::Kind::ended;
        event.exit_code = process.exit_code;
        event.timed_out = (process.flags & monitor::kTimedOut) != 0;
        return event;
      }
      default:
        return fail(EPROTO, "read from the monitor");
    }
    event.data = std::move(data);
    return event;
  }

  Result<void> write_stdin(std::string_view data) override {
    while (!data.empty()) {
      const auto piece = data.substr(0, monitor::kMaxFrameData);
      TRY(send(Stream::standard_input, piece.data(), piece.size()));
      data.remove_prefix(piece.size());
    }
    return {};
  }

  Result<void> close_stdin() override { return send(Stream::stdin_closed, nullptr, 0); }

  Result<void> resize(std::uint32_t rows, std::uint32_t columns) override {
    const std::uint32_t numbers[2] = {rows, columns};
    return send(Stream::resize, numbers, sizeof numbers);
  }

 private:
  Result<void> send(Stream stream, const void* data, std::size_t size) {
    Header header = {};
    header.version = 1;  // frames are in all of them
    header.type = monitor::Type::frame;
    header.size = static_cast<std::uint32_t>(sizeof(Frame) + size);
    Frame frame = {.stream = stream, .reserved = 0};
    std::array<iovec, 3> parts = {
        {{&header, sizeof header}, {&frame, sizeof frame}, {const_cast<void*>(data), size}}};
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0)
      if (errno != EINTR) return fail(errno, "write to the monitor");
    return {};
  }

  UniqueFd socket_;
};

}  // namespace

std::unique_ptr<Session> make_monitor_session(UniqueFd socket) {
  return std::make_unique<MonitorSession>(std::move(socket));
}

}  // namespace fermata::pod
