// What happened in a group, and the few figures that are asked for alone.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_files.h"

namespace fermata::kernel {

std::uint64_t Cgroup::oom_kills() const {
  return read_keyed(directory_of("memory"), is_v1("memory") ? "memory.oom_control" : "memory.events",
                    "oom_kill")
      .value_or(0);
}

UniqueFd Cgroup::open_oom_events() const {
  const std::string directory = directory_of("memory");
  if (directory.empty()) return {};
  if (!is_v1("memory")) {
    UniqueFd events(::open((directory + "/memory.events").c_str(), O_RDONLY | O_CLOEXEC));
    // The first read arms it: poll(2) tells POLLPRI when the file has changed since.
    char byte;
    if (events && ::read(events.get(), &byte, 1) < 0) return {};
    return events;
  }
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd control(::open((directory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
  if (!event || !control) return {};
  const std::string line = fmt::format("{} {}", event.get(), control.get());
  if (!write_kernel_file(directory + "/cgroup.event_control", line)) return {};
  return event;
}

std::optional<std::uint64_t> Cgroup::memory_current() const {
  return read_number(directory_of("memory"), is_v1("memory") ? "memory.usage_in_bytes" : "memory.current");
}

std::optional<std::uint64_t> Cgroup::pids_current() const {
  return read_number(directory_of("pids"), "pids.current");
}

std::optional<std::uint64_t> Cgroup::cpu_usage_usec() const {
  if (!is_v1("cpuacct")) return read_keyed(unified_directory(), "cpu.stat", "usage_usec");
  const auto nanoseconds = read_number(directory_of("cpuacct"), "cpuacct.usage");
  if (!nanoseconds) return std::nullopt;
  return *nanoseconds / 1000;
}

}  // namespace fermata::kernel
