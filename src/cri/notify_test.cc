#include "cri/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/core/unique_fd.h"

namespace fermata::cri {
namespace {

class Listener {
 public:
  Listener() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  const std::string& name() const { return name_; }
  std::string next() {
    char buffer[256];
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return got < 0 ? "" : std::string(buffer, static_cast<std::size_t>(got));
  }

 private:
  std::string name_ = "@fermata-notify-" + std::to_string(::getpid());
  UniqueFd socket_;
};

TEST(ServiceManager, TellsAndLeavesNothingInTheEnvironment) {
  Listener listener;
  ::setenv("NOTIFY_SOCKET", listener.name().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const auto manager = ServiceManager::take_from_environment();
  EXPECT_EQ(::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(::getenv("WATCHDOG_USEC"), nullptr);
  EXPECT_EQ(manager.watchdog(), std::chrono::seconds(3));
  manager.ready("serving");
  EXPECT_EQ(listener.next(), "READY=1\nSTATUS=serving");
  manager.reloading();
  EXPECT_EQ(listener.next().find("RELOADING=1\nMONOTONIC_USEC="), 0u);
  manager.alive();
  EXPECT_EQ(listener.next(), "WATCHDOG=1");
  manager.stopping();
  EXPECT_EQ(listener.next(), "STOPPING=1");
}

TEST(ServiceManager, AnothersWatchdogIsNotOurs) {
  ::setenv("NOTIFY_SOCKET", "/nowhere", 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  const auto manager = ServiceManager::take_from_environment();
  EXPECT_FALSE(manager.watchdog());
  manager.alive();  // there is nobody, and that is no trouble
}

}  // namespace
}  // namespace fermata::cri
