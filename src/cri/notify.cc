#include "cri/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/core/unique_fd.h"
#include "base/text.h"

namespace fermata::cri {
namespace {

std::string take_variable(const char* name) {
  const char* value = ::getenv(name);
  std::string copy = value == nullptr ? "" : value;
  ::unsetenv(name);
  return copy;
}

}  // namespace

ServiceManager ServiceManager::take_from_environment() {
  std::string socket = take_variable("NOTIFY_SOCKET");
  const auto period = parse_unsigned(take_variable("WATCHDOG_USEC"));
  const auto pid = parse_unsigned(take_variable("WATCHDOG_PID"));
  // Without a pid it is for whoever reads it; sd_watchdog_enabled(3).
  const bool for_us = !pid || *pid == static_cast<std::uint64_t>(::getpid());
  if (socket.empty()) return {};
  if (!period || *period == 0 || !for_us) return {std::move(socket), std::nullopt};
  return {std::move(socket), std::chrono::microseconds(*period)};
}

void ServiceManager::ready(std::string_view status) const { send(fmt::format("READY=1\nSTATUS={}", status)); }

void ServiceManager::reloading() const {
  // The time tells it this reload from an earlier one; systemd 253.
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

void ServiceManager::stopping() const { send("STOPPING=1"); }

void ServiceManager::alive() const { send("WATCHDOG=1"); }

void ServiceManager::send(const std::string& note) const {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  // An abstract name begins with a zero, and ends where its length says; unix(7).
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  // What does not arrive, systemd notices: it waits for READY, and for the watchdog.
  [[maybe_unused]] const ssize_t sent = ::sendto(
      socket.get(), note.data(), note.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size()));
}

}  // namespace fermata::cri
