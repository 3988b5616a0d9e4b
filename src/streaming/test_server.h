// A server with an engine of the tests behind it, and what its tests ask of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/sha256.h"
#include "streaming/server.h"
#include "streaming/test_backend.h"
#include "streaming/test_client.h"

namespace fermata::streaming::testing {

using namespace std::chrono_literals;

class StreamingServer : public ::testing::Test {
 protected:
  void SetUp() override { scripts(); }
  // Sessions are gone before the processes that wait for them.
  void TearDown() override { server_.reset(); }

  Server& server(ServerOptions options = {}) {
    if (!server_) {
      auto started = Server::start(std::move(options), backend_);
      EXPECT_TRUE(started) << started.error().message();
      server_ = std::move(*started);
    }
    return *server_;
  }
  std::string exec(std::vector<std::string> command, Streams streams) {
    return *server().put(ExecRequest{"c", std::move(command), streams});
  }
  std::string forward(std::vector<std::uint16_t> ports = {}) {
    return *server().put(PortForwardRequest{"s", std::move(ports)});
  }
  bool no_session_left() {
    for (int i = 0; i < 500 && backend_.open_sessions != 0; ++i) std::this_thread::sleep_for(10ms);
    return backend_.open_sessions == 0;
  }

  // Ports: 7 echoes until the end, 9 swallows and answers with the digest, 19 sends as much as asked for, 11
  // resets, 13 accepts and never reads. Others are refused.
  Result<UniqueFd> open_port(std::uint16_t port) {
    int ends[2];
    if (port == 1) return fail(ECONNREFUSED, "connect to port {}", port);
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno, "socketpair");
    UniqueFd near(ends[0]);
    backend_.spawn(UniqueFd(ends[1]), [this, port](int fd) { serve_port(port, fd); });
    return near;
  }

  std::promise<void> never_read_may_end_;

 private:
  static void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  void serve_port(std::uint16_t port, int fd) {
    std::string chunk(64 * 1024, '\0');
    const auto take = [&] {
      const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
      return std::string_view(chunk).substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
    };
    if (port == 7)
      for (auto bytes = take(); !bytes.empty(); bytes = take()) send_all(fd, bytes);
    if (port == 9) {
      std::string all;
      for (auto bytes = take(); !bytes.empty(); bytes = take()) all += bytes;
      send_all(fd, sha256_hex(all));
    }
    if (port == 19) {
      const std::size_t size = *parse_unsigned(take());
      std::string all(size, '\0');
      for (std::size_t i = 0; i < size; ++i) all[i] = static_cast<char>(i * 2654435761u >> 13);
      send_all(fd, all);
    }
    if (port == 13) never_read_may_end_.get_future().wait();
  }

  void scripts() {
    auto& all = backend_.scripts;
    all["cat"] = [](Process& process, const auto&) {
      for (std::string in = process.get(); !in.empty() && in[0] != 'c'; in = process.get())
        if (in[0] == 'i') process.put('o', in.substr(1));
      process.exit(0);
    };
    all["exit"] = [](Process& process, const auto& words) {
      process.put('o', "out");
      process.put('e', "err");
      process.exit(std::stoi(words.at(1)));
      process.get();
    };
    all["size"] = [](Process& process, const auto&) {
      for (std::string in = process.get(); in[0] == 'r'; in = process.get())
        process.put('o', std::to_string(read_u32(in, 1)) + "x" + std::to_string(read_u32(in, 5)) + "\n");
      process.exit(0);
    };
    all["sleep"] = [](Process& process, const auto&) {
      process.put('o', "asleep");
      while (!process.get().empty()) continue;
    };
    all["flood"] = [this](Process& process, const auto& words) {
      const std::string piece(16 * 1024, 'f');
      for (std::size_t left = std::stoul(words.at(1)); left != 0; left -= piece.size()) {
        if (!process.put('o', piece)) return;
        flooded_ += piece.size();
      }
      process.exit(0);
      process.get();
    };
    // Talks, and reads nothing until it is told to by a signal of the test.
    all["deaf"] = [this](Process& process, const auto&) {
      process.put('o', "deaf");
      never_read_may_end_.get_future().wait();
      std::size_t size = 0;
      std::string in = process.get();
      for (; !in.empty() && in[0] == 'i'; in = process.get()) size += in.size() - 1;
      process.put('o', std::to_string(size));
      process.exit(0);
    };
    all["lost"] = [](Process&, const auto&) {};
    backend_.ports = [this](std::uint16_t port) { return open_port(port); };
  }

 protected:
  FakeBackend backend_;
  std::atomic<std::size_t> flooded_ = 0;
  std::unique_ptr<Server> server_;
};

inline SpdyHeaders type(const char* name) { return {{"streamtype", name}}; }
inline SpdyHeaders port(const char* name, int number, int request) {
  return {{"streamtype", name}, {"port", std::to_string(number)}, {"requestid", std::to_string(request)}};
}

}  // namespace fermata::streaming::testing
