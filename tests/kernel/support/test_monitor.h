// A monitor for one test: its directory, its client, and the certainty that it is gone afterwards.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "pod/monitor_client.h"
#include "pod/monitor_process.h"

namespace fermata::test {

class MonitorTest : public testing::Test {
 protected:
  void SetUp() override { start({}); }

  void TearDown() override {
    if (pidfd_) {
      ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
      EXPECT_TRUE(monitor_ends());
    }
    std::filesystem::remove_all(path_);
  }

  // In place of a running one.
  void start(const std::vector<std::string>& event_command, const kernel::Cgroup::Handles& group = {}) {
    if (pidfd_) TearDown();
    char name[] = "/tmp/fermata-monitor-XXXXXX";
    path_ = ::mkdtemp(name);
    const auto spawned = pod::spawn_monitor(path_, event_command, group, FERMATA_PROGRAMS "/fermata-monitor");
    ASSERT_TRUE(spawned) << spawned.error().message();
    auto client = connect();
    monitor_pid_ = client.monitor_pid().value();
    pidfd_ = client.open_pidfd().value();
    init_ = open_file("/proc/self/exe", O_RDONLY).value();
  }

  pod::MonitorClient connect() {
    auto client = pod::MonitorClient::connect(path_);
    EXPECT_TRUE(client && *client);
    return std::move(**client);
  }

  bool monitor_ends(int timeout_ms = 10000) {
    pollfd gone = {pidfd_.get(), POLLIN, 0};
    return ::poll(&gone, 1, timeout_ms) == 1;
  }

  std::string directory(const std::string& id) const { return path_ + "/" + id; }

  pod::LaunchRequest request(const std::string& id, const std::string& script) {
    std::filesystem::create_directories(directory(id));
    directories_.push_back(open_file(directory(id), O_RDONLY | O_DIRECTORY).value());
    pod::LaunchRequest request;
    request.id = request.container = id;
    request.plan = script;
    request.init_program = init_.get();
    request.directory = directories_.back().get();
    request.log_enabled = true;
    return request;
  }

  monitor::Reply launch(const std::string& id, const std::string& script, std::uint32_t flags = 0) {
    auto wanted = request(id, script);
    wanted.flags = flags;
    auto client = connect();
    auto outcome = client.launch(wanted, {});
    EXPECT_TRUE(outcome) << outcome.error().message();
    return outcome ? outcome->reply : monitor::Reply{};
  }

  monitor::Process wait(const std::string& id) {
    auto process = connect().wait(id);
    EXPECT_TRUE(process) << process.error().message();
    return process ? *process : monitor::Process{};
  }

  // The log's records without their times.
  std::vector<std::string> log(const std::string& id, const std::string& file = "log") const {
    const std::string text = read_file(directory(id) + "/" + file).value_or("");
    std::vector<std::string> lines;
    for (const auto line : split(text, '\n'))
      if (line.size() > 31) lines.emplace_back(line.substr(31));
    return lines;
  }

  std::string path_;
  int monitor_pid_ = 0;
  UniqueFd pidfd_, init_;
  std::vector<UniqueFd> directories_;
};

// What a session says until it ends.
struct Heard {
  std::string output, errors;
  int exit_code = -1;
  bool closed = false;
};
inline Heard listen(pod::Session& session) {
  Heard heard;
  for (;;) {
    auto event = session.read();
    EXPECT_TRUE(event) << event.error().message();
    if (!event) return heard;
    switch (event->kind) {
      case pod::Session::Event::Kind::output:
        heard.output += event->data;
        break;
      case pod::Session::Event::Kind::error_output:
        heard.errors += event->data;
        break;
      case pod::Session::Event::Kind::ended:
        heard.exit_code = event->exit_code;
        return heard;
      case pod::Session::Event::Kind::closed:
        heard.closed = true;
        return heard;
    }
  }
}

// Until `condition` holds; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace fermata::test
