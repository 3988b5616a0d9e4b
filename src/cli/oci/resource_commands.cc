#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "cli/core/duration.h"
#include "cli/oci/command.h"
#include "kernel/network_counters.h"
#include "kernel/pidfd.h"
#include "oci/runtime_document.h"
#include "runtime/stats_document.h"

namespace fermata::cli::oci {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr FlagSpec kUpdateFlags[] = {
    {"blkio-weight", 0, FlagKind::text, "int", "Share of block I/O, 10 to 1000"},
    {"cpu-burst", 0, FlagKind::text, "int", "Microseconds of unused quota that may be saved"},
    {"cpu-idle", 0, FlagKind::text, "int", "1: runs when nothing else does"},
    {"cpu-period", 0, FlagKind::text, "int", "Microseconds of a period"},
    {"cpu-quota", 0, FlagKind::text, "int", "Microseconds in each period, -1 without limit"},
    {"cpu-rt-period", 0, FlagKind::text, "int", "Microseconds of a realtime period"},
    {"cpu-rt-runtime", 0, FlagKind::text, "int", "Microseconds of realtime in each period"},
    {"cpu-share", 0, FlagKind::text, "int", "Share of processor time, 1024 the default"},
    {"cpuset-cpus", 0, FlagKind::text, "string", "Processors, such as 0-3,7"},
    {"cpuset-mems", 0, FlagKind::text, "string", "Memory nodes"},
    {"kernel-memory", 0, FlagKind::text, "bytes", "Limit of kernel memory, where the kernel still has one"},
    {"kernel-memory-tcp", 0, FlagKind::text, "bytes", "The same for TCP buffers"},
    {"memory", 0, FlagKind::text, "bytes", "Limit of memory, -1 without limit"},
    {"memory-reservation", 0, FlagKind::text, "bytes", "What is left to it when memory is short"},
    {"memory-swap", 0, FlagKind::text, "bytes", "Limit of memory and swap together, -1 without limit"},
    {"pids-limit", 0, FlagKind::text, "int", "Limit of processes, -1 without limit"},
    {"resources", 'r', FlagKind::text, "string",
     "A file with linux.resources as JSON; \"-\" is standard input"},
};

Result<std::optional<std::int64_t>> number_flag(const Flags& flags, std::string_view name, bool size) {
  const std::string text = flags.text(name);
  if (text.empty()) return std::nullopt;
  if (const auto number = parse_signed(text)) return number;
  if (const auto bytes = size ? parse_size(text) : std::nullopt; bytes && *bytes <= INT64_MAX)
    return static_cast<std::int64_t>(*bytes);
  return invalid_flag_value(kUpdateFlags, name, text, "not a number");
}

template <class T>
Result<void> set_number(const Flags& flags, std::string_view name, bool size, std::optional<T>* field) {
  TRY(const auto number, number_flag(flags, name, size));
  if (!number) return {};
  if (std::is_unsigned_v<T> && *number < 0)
    return invalid_flag_value(kUpdateFlags, name, flags.text(name), "must not be negative");
  if (static_cast<std::int64_t>(static_cast<T>(*number)) != *number)
    return invalid_flag_value(kUpdateFlags, name, flags.text(name), "too large");
  *field = static_cast<T>(*number);
  return {};
}

Result<fermata::oci::Resources> resources_of_flags(const Flags& flags) {
  fermata::oci::Resources resources;
  TRY(set_number(flags, "blkio-weight", false, &resources.blkio_weight));
  TRY(set_number(flags, "cpu-burst", false, &resources.cpu_burst));
  TRY(set_number(flags, "cpu-idle", false, &resources.cpu_idle));
  TRY(set_number(flags, "cpu-period", false, &resources.cpu_period));
  TRY(set_number(flags, "cpu-quota", false, &resources.cpu_quota));
  TRY(set_number(flags, "cpu-rt-period", false, &resources.cpu_realtime_period));
  TRY(set_number(flags, "cpu-rt-runtime", false, &resources.cpu_realtime_runtime));
  TRY(set_number(flags, "cpu-share", false, &resources.cpu_shares));
  resources.cpuset_cpus = flags.text("cpuset-cpus");
  resources.cpuset_mems = flags.text("cpuset-mems");
  TRY(set_number(flags, "kernel-memory", true, &resources.kernel_memory));
  TRY(set_number(flags, "kernel-memory-tcp", true, &resources.kernel_tcp_memory));
  TRY(set_number(flags, "memory", true, &resources.memory_limit));
  TRY(set_number(flags, "memory-reservation", true, &resources.memory_reservation));
  TRY(set_number(flags, "memory-swap", true, &resources.memory_swap));
  TRY(set_number(flags, "pids-limit", false, &resources.pids_limit));
  return resources;
}

Result<int> run_update(const App& app, const Flags& flags) {
  fermata::oci::Resources resources;
  if (const std::string path = flags.text("resources"); !path.empty()) {
    TRY(const std::string text, path == "-" ? read_fd(STDIN_FILENO, 16u << 20) : read_file(path, 16u << 20));
    auto parsed = fermata::oci::parse_resources(text);
    if (!parsed) return fail_with(std::move(parsed.error()), path);
    resources = std::move(*parsed);
  } else {
    TRY(resources, resources_of_flags(flags));
  }
  TRY(app.runtime.update(flags.arguments()[0], resources));
  return 0;
}

Result<void> print_stats(const App& app, const bundle::Container& container) {
  TRY(const auto group, app.runtime.group(container));
  TRY(const auto stats, group.stats());
  // Loopback is nobody's traffic.
  std::vector<kernel::InterfaceCounters> interfaces;
  if (auto all = kernel::read_interface_counters(container.record.pid))
    for (auto& one : *all)
      if (one.name != "lo") interfaces.push_back(std::move(one));
  return print(runtime::stats_event(container.record.id, stats, interfaces) + "\n");
}

// Until the container's end: its figures at each interval, and at once that memory has run out.
Result<void> follow_events(const App& app, const std::string& id, milliseconds interval) {
  TRY(const auto container, app.runtime.find(id));
  const UniqueFd process = kernel::open_pidfd(container.record.pid);
  TRY(const auto group, app.runtime.group(container));
  const UniqueFd oom = group.open_oom_events();
  std::uint64_t kills = group.oom_kills();
  for (auto next = steady_clock::now() + interval;;) {
    const auto left = std::chrono::ceil<milliseconds>(next - steady_clock::now());
    pollfd ready[2] = {{process.get(), POLLIN, 0}, {oom.get(), POLLIN | POLLPRI, 0}};
    if (left.count() > 0 && ::poll(ready, 2, static_cast<int>(left.count())) < 0 && errno != EINTR)
      return fail(errno, "wait for events");
    if (const std::uint64_t now = group.oom_kills(); now > kills) {
      kills = now;
      TRY(print(runtime::oom_event(id) + "\n"));
    }
    if (ready[1].revents != 0) {  // read, so that it tells of the next one
      char bytes[4096];
      if (::pread(oom.get(), bytes, sizeof bytes, 0) < 0)
        static_cast<void>(::read(oom.get(), bytes, sizeof bytes));
    }
    if (ready[0].revents != 0) return {};
    if (steady_clock::now() < next) continue;
    next += interval;
    TRY(print_stats(app, container));
  }
}

Result<milliseconds> parse_interval(const std::string& text) {
  constexpr std::chrono::nanoseconds kLeast = milliseconds(1), kMost = std::chrono::hours(24);
  const std::chrono::nanoseconds interval(parse_duration(text).value_or(0));
  if (interval >= kLeast && interval <= kMost) return std::chrono::duration_cast<milliseconds>(interval);
  return fail(ErrorKind::invalid_argument,
              "--interval {}: a duration from 1ms to 24h, such as 500ms, 5s or 1m30s", text);
}

Result<int> run_events(const App& app, const Flags& flags) {
  const std::string& id = flags.arguments()[0];
  TRY(const milliseconds interval, parse_interval(flags.text("interval", "5s")));
  TRY(const auto container, app.runtime.find(id));
  if (container.status == bundle::Status::stopped)
    return fail(ErrorKind::conflict, "container with id {} is not running", id);
  if (flags.is_set("stats"))
    TRY(print_stats(app, container));
  else
    TRY(follow_events(app, id, interval));
  return 0;
}

}  // namespace

void add_resource_commands(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "events",
       .summary = "Print what a container uses, and when it runs out of memory",
       .usage = "[OPTIONS] CONTAINER-ID",
       .flags = {{"interval", 0, FlagKind::text, "duration", "Between two figures (default 5s)"},
                 {"stats", 0, FlagKind::boolean, "", "Print its figures once"}},
       .run = run_events});
  commands.push_back({.name = "update",
                      .summary = "Change the limits of a container",
                      .usage = "[OPTIONS] CONTAINER-ID",
                      .flags = {std::begin(kUpdateFlags), std::end(kUpdateFlags)},
                      .run = run_update});
}

}  // namespace fermata::cli::oci
