#include "pod/foreign_spec.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "runtime/foreign_plan.h"

namespace fermata::pod {
namespace {

std::int64_t signed_limit(std::uint64_t limit) {
  return limit == kernel::kNoLimit ? -1 : static_cast<std::int64_t>(limit);
}

std::optional<std::int64_t> signed_limit(const std::optional<std::uint64_t>& limit) {
  return limit ? std::optional(signed_limit(*limit)) : std::nullopt;
}

std::optional<std::int64_t> number(std::int64_t value) {
  return value < 0 ? std::nullopt : std::optional(value);
}

// Of "[r]shared" and "[r]slave"; else private, which is "".
std::string propagation_at(const std::vector<std::pair<std::string, VolumeMount>>& applied,
                           const std::string& destination) {
  const auto found = std::find_if(applied.begin(), applied.end(),
                                  [&](const auto& one) { return one.second.destination == destination; });
  if (found == applied.end()) return {};
  const std::string& propagation = found->second.propagation;
  return propagation.ends_with("shared") || propagation.ends_with("slave") ? propagation : "";
}

int limit_number(const std::string& type) {
  constexpr std::pair<std::string_view, int> kNumbers[] = {
      {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
      {"RLIMIT_DATA", RLIMIT_DATA},         {"RLIMIT_FSIZE", RLIMIT_FSIZE},
      {"RLIMIT_LOCKS", RLIMIT_LOCKS},       {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
      {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
      {"RLIMIT_NOFILE", RLIMIT_NOFILE},     {"RLIMIT_NPROC", RLIMIT_NPROC},
      {"RLIMIT_RSS", RLIMIT_RSS},           {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
      {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
      {"RLIMIT_STACK", RLIMIT_STACK}};
  for (const auto& [name, value] : kNumbers)
    if (name == type) return value;
  return -1;
}

bool is_beyond(const oci::Rlimit& limit) {
  rlimit own = {};
  const int kind = limit_number(limit.type);
  return kind >= 0 && ::getrlimit(static_cast<__rlimit_resource>(kind), &own) == 0 &&
         limit.hard > own.rlim_max;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

oci::Resources foreign_resources(const kernel::CgroupLimits& limits) {
  oci::Resources resources;
  for (const kernel::DeviceRule& rule : limits.devices)
    resources.devices.push_back({.allow = rule.allow,
                                 .type = rule.type,
                                 .major = number(rule.major),
                                 .minor = number(rule.minor),
                                 .access = rule.access});
  if (limits.devices.empty()) resources.devices.push_back({.allow = true});
  resources.memory_limit = signed_limit(limits.memory_max);
  resources.memory_swap = signed_limit(limits.memory_swap_max);
  resources.memory_reservation = signed_limit(limits.memory_reservation);
  resources.cpu_shares = limits.cpu_shares;
  resources.cpu_quota = limits.cpu_quota;
  resources.cpu_period = limits.cpu_period;
  resources.cpuset_cpus = limits.cpuset_cpus.value_or("");
  resources.cpuset_mems = limits.cpuset_mems.value_or("");
  resources.pids_limit = limits.pids_max;
  return resources;
}

void place_foreign_mounts(const std::string& bundle,
                          const std::vector<std::pair<std::string, VolumeMount>>& applied,
                          oci::RuntimeSpec* spec) {
  // A runtime makes all mounts of the container's namespace so at first.
  std::string all = "rprivate";
  for (std::size_t i = 0; i < spec->mounts.size(); ++i) {
    oci::Mount& mount = spec->mounts[i];
    if (mount.tree < 0) continue;
    mount.type = "bind";
    mount.source = bundle + "/" + runtime::foreign_mount(i);
    const std::string propagation = propagation_at(applied, mount.destination);
    if (propagation.empty()) continue;
    mount.options.push_back(propagation);
    if (all != "rshared") all = propagation.ends_with("shared") ? "rshared" : "rslave";
  }
  spec->rootfs_propagation = all;
}

Rights own_rights() {
  Rights rights;
  constexpr int kSysResource = 24;
  if (const auto status = read_file("/proc/self/status", 1u << 16)) {
    const auto at = status->find("CapEff:\t");
    const auto mask = at == std::string::npos
                          ? std::nullopt
                          : parse_unsigned(std::string_view(*status).substr(at + 8, 16), 16);
    rights.raise_limits = !mask || (*mask >> kSysResource & 1) != 0;
  }
  if (const auto own = read_file("/proc/self/oom_score_adj", 64))
    rights.oom_score_adj = static_cast<int>(parse_signed(trim(*own)).value_or(0));
  return rights;
}

void keep_to_rights(const Rights& rights, oci::Process* process) {
  if (rights.raise_limits) return;
  if (process->oom_score_adj && *process->oom_score_adj < rights.oom_score_adj)
    process->oom_score_adj.reset();
  std::erase_if(process->rlimits, is_beyond);
}

Result<ForeignGroup> open_foreign_group(Engine::Impl& engine, const PodRow& pod,
                                        const std::string& container) {
  TRY(const auto group, engine.group_of(pod, container));
  TRY(auto handles, group.open_handles());
  TRY(const auto* mounts, engine.cgroup_mounts());
  if (handles.v2)
    return ForeignGroup{.directory = std::move(handles.v2), .path = mounts->unified + "/" + group.path()};
  const std::string freezer = group.freezer_directory();
  if (freezer.empty())
    return fail(ErrorKind::unsupported, "another OCI runtime needs a cgroup v2 tree, or the freezer of v1");
  TRY(auto directory, open_file(freezer, O_RDONLY | O_DIRECTORY));
  return ForeignGroup{.directory = std::move(directory), .path = {}};
}

StartFailure foreign_failure(const std::string& complaint, StartFailure failure) {
  if (complaint.empty()) return failure;
  // Docker's codes, which its users look at.
  constexpr int kNotFound = 127, kCannotInvoke = 126;
  if (has(complaint, "executable file not found") || has(complaint, "no such file or directory"))
    failure.exit_code = kNotFound;
  else if (has(complaint, "permission denied"))
    failure.exit_code = kCannotInvoke;
  failure.error = Error(failure.error.kind(), failure.error.error_number(), complaint);
  return failure;
}

}  // namespace fermata::pod
