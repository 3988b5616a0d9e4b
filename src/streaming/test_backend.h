// An engine for the tests: a "process" is a function on a thread, at the other end of a socket pair.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "streaming/backend.h"
#include "streaming/big_endian.h"

namespace fermata::streaming::testing {

// The process's side. Messages: a letter, then data: o(utput), e(rror output), x: ended (four bytes); from
// the session: i(nput), c(lose), r(esize) (columns, rows).
class Process {
 public:
  explicit Process(int fd) : fd_(fd) {}
  bool put(char kind, std::string_view data) {
    const std::string message = kind + std::string(data);
    return ::send(fd_, message.data(), message.size(), MSG_NOSIGNAL) > 0;
  }
  void exit(int code) {
    std::string number;
    append_u32(number, static_cast<std::uint32_t>(code));
    put('x', number);
  }
  // "": the session has gone.
  std::string get() {
    std::string message(64 * 1024, '\0');
    const ssize_t got = ::recv(fd_, message.data(), message.size(), 0);
    message.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return message;
  }

 private:
  int fd_;
};

class FakeSession final : public ProcessSession {
 public:
  FakeSession(UniqueFd fd, std::atomic<int>& open) : fd_(std::move(fd)), open_(open) { ++open_; }
  ~FakeSession() override { --open_; }
  int fd() const override { return fd_.get(); }
  Result<Event> read() override {
    std::string message(64 * 1024, '\0');
    const ssize_t got = ::recv(fd_.get(), message.data(), message.size(), 0);
    if (got < 0) return fail(errno, "read from the process");
    Event event;
    if (got == 0) return event;
    message.resize(static_cast<std::size_t>(got));
    if (message[0] == 'x') {
      event.kind = Event::Kind::ended;
      event.exit_code = static_cast<int>(read_u32(message, 1));
      return event;
    }
    event.kind = message[0] == 'o' ? Event::Kind::output : Event::Kind::error_output;
    event.data = message.substr(1);
    return event;
  }
  Result<void> write_stdin(std::string_view data) override { return send('i', data); }
  Result<void> close_stdin() override { return send('c', ""); }
  Result<void> resize(std::uint32_t rows, std::uint32_t columns) override {
    std::string size;
    append_u32(size, columns);
    append_u32(size, rows);
    return send('r', size);
  }

 private:
  Result<void> send(char kind, std::string_view data) {
    const std::string message = kind + std::string(data);
    if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0)
      return fail(errno, "write to the process");
    return {};
  }
  UniqueFd fd_;
  std::atomic<int>& open_;
};

class FakeBackend final : public Backend {
 public:
  using Script = std::function<void(Process&, const std::vector<std::string>&)>;
  std::map<std::string, Script> scripts;                 // by the first word of the command, or the container
  std::function<Result<UniqueFd>(std::uint16_t)> ports;  // the connection to a port
  std::atomic<int> open_sessions = 0;

  ~FakeBackend() override {
    for (std::thread& thread : threads_) thread.join();
  }
  Result<std::unique_ptr<ProcessSession>> open_exec(const ExecRequest& request) override {
    return open(request.command.front(), request.command);
  }
  Result<std::unique_ptr<ProcessSession>> open_attach(const AttachRequest& request) override {
    return open(request.container, {});
  }
  Result<UniqueFd> open_port(const std::string& /*sandbox*/, std::uint16_t port) override {
    return ports(port);
  }

  // Runs `body` on a thread that owns `fd`.
  void spawn(UniqueFd fd, std::function<void(int)> body) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([fd = std::move(fd), body = std::move(body)] { body(fd.get()); });
  }

 private:
  Result<std::unique_ptr<ProcessSession>> open(const std::string& name,
                                               const std::vector<std::string>& words) {
    const auto script = scripts.find(name);
    if (script == scripts.end())
      return fail(ErrorKind::not_found, "exec '{}': no such file or directory", name);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno, "socketpair");
    UniqueFd near(ends[0]);
    spawn(UniqueFd(ends[1]), [run = script->second, words](int fd) {
      Process process(fd);
      run(process, words);
    });
    return std::unique_ptr<ProcessSession>(new FakeSession(std::move(near), open_sessions));
  }
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

}  // namespace fermata::streaming::testing
