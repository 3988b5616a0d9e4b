// What the streaming server needs of an engine. The server's users implement it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "streaming/request.h"

namespace fermata::streaming {

// The streams of one process. Destroying it is what a client that goes away does: an attached one is left
// alone, and what becomes of an executed one is the engine's to decide.
//
// Used by one thread at a time, though not always by the same. Nothing may block: the server makes fd()
// non-blocking (O_NONBLOCK), and a call that the descriptor has no room or no bytes for fails with
// error_number() EAGAIN, without an effect. It is repeated when the descriptor has become writable or
// readable.
class ProcessSession {
 public:
  // The most that one write_stdin() gets.
  static constexpr std::size_t kMaxInput = 32 * 1024;

  struct Event {
    enum class Kind { output, error_output, ended, closed } kind = Kind::closed;
    std::string data;   // output, error_output
    int exit_code = 0;  // ended
  };

  virtual ~ProcessSession() = default;
  // For epoll(7). Borrowed, and the same one for the life of the session.
  virtual int fd() const = 0;
  // `ended` and `closed` (the connection to the process was lost) are the last events.
  virtual Result<Event> read() = 0;
  // Takes all of it or fails. An error other than EAGAIN: the process takes no input any more.
  virtual Result<void> write_stdin(std::string_view data) = 0;
  virtual Result<void> close_stdin() = 0;
  virtual Result<void> resize(std::uint32_t rows, std::uint32_t columns) = 0;
};

// Called by several threads at once. The calls may block for as long as it takes to start a process or to
// reach a port; at most ServerOptions::workers of them run at any time. Their errors are shown to the client.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<std::unique_ptr<ProcessSession>> open_exec(const ExecRequest& request) = 0;
  virtual Result<std::unique_ptr<ProcessSession>> open_attach(const AttachRequest& request) = 0;
  // A connected stream socket (TCP or AF_UNIX).
  virtual Result<UniqueFd> open_port(const std::string& sandbox, std::uint16_t port) = 0;
};

}  // namespace fermata::streaming
