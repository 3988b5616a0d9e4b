// What systemd is told of a service of Type=notify, and how often it wants to hear of it: sd_notify(3), one
// datagram to $NOTIFY_SOCKET each; the protocol is stable and takes no library.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::cri {

class ServiceManager {
 public:
  // From the environment, whose variables are removed: they are not for the programs that we start.
  static ServiceManager take_from_environment();
  // Nobody: notes are dropped.
  ServiceManager() = default;
  // `socket`: a path, or "@name" for an abstract one.
  ServiceManager(std::string socket, std::optional<std::chrono::microseconds> watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  // How often alive() has to be called at least.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }
  void ready(std::string_view status) const;
  void reloading() const;
  void stopping() const;
  void alive() const;

 private:
  void send(const std::string& note) const;

  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace fermata::cri
