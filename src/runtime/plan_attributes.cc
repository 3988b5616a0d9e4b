#include "runtime/plan_attributes.h"

#include <fmt/format.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace fermata::runtime {
namespace {

using init::Op;

struct Name {
  std::string_view name;
  std::uint32_t value;
};

constexpr std::uint32_t kWeightedInterleave = 6;  // MPOL_WEIGHTED_INTERLEAVE, Linux 6.9
constexpr std::uint32_t kMaxBit = 8191;           // more CPUs or nodes than any kernel is built for
constexpr std::int32_t kMinNice = -20, kMaxNice = 19, kMaxPriority = 99, kIoPriorities = 8;

constexpr auto kPolicies = std::to_array<Name>({
    {"SCHED_OTHER", SCHED_NORMAL},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_ISO", 4},  // a number that the kernel keeps free
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
});
constexpr auto kSchedulerFlags = std::to_array<Name>({
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
});
constexpr auto kIoClasses = std::to_array<Name>({
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
});
constexpr auto kMemoryModes = std::to_array<Name>({
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_WEIGHTED_INTERLEAVE", kWeightedInterleave},
});
constexpr auto kMemoryFlags = std::to_array<Name>({
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
});

template <std::size_t N>
Result<std::uint32_t> value_of(const std::array<Name, N>& names, const std::string& given,
                               std::string_view what) {
  for (const Name& row : names)
    if (row.name == given) return row.value;
  return fail(ErrorKind::invalid_argument, "unknown {} '{}'", what, given);
}

template <std::size_t N>
Result<std::uint32_t> flags_of(const std::array<Name, N>& names, const std::vector<std::string>& given,
                               std::string_view what) {
  std::uint32_t flags = 0;
  for (const std::string& name : given) {
    TRY(const std::uint32_t flag, value_of(names, name, what));
    flags |= flag;
  }
  return flags;
}

Result<void> check_scheduler(const oci::Scheduler& scheduler, std::uint32_t policy) {
  const bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
  if (scheduler.nice < kMinNice || scheduler.nice > kMaxNice)
    return fail(ErrorKind::invalid_argument, "scheduler: nice {} is not between {} and {}", scheduler.nice,
                kMinNice, kMaxNice);
  if (real_time && (scheduler.priority < 1 || scheduler.priority > kMaxPriority))
    return fail(ErrorKind::invalid_argument, "scheduler: {} needs a priority between 1 and {}",
                scheduler.policy, kMaxPriority);
  if (!real_time && scheduler.priority != 0)
    return fail(ErrorKind::invalid_argument, "scheduler: {} has no priority", scheduler.policy);
  if (policy != SCHED_DEADLINE &&
      (scheduler.runtime != 0 || scheduler.deadline != 0 || scheduler.period != 0))
    return fail(ErrorKind::invalid_argument, "scheduler: {} has no runtime, deadline or period",
                scheduler.policy);
  return {};
}

Result<void> plan_scheduler(const oci::Scheduler& scheduler, PlanBuilder* plan) {
  TRY(const std::uint32_t policy, value_of(kPolicies, scheduler.policy, "scheduling policy"));
  TRY(const std::uint32_t flags, flags_of(kSchedulerFlags, scheduler.flags, "scheduling flag"));
  TRY(check_scheduler(scheduler, policy));
  init::SchedulerAttributes attributes = {};
  attributes.size = sizeof attributes;
  attributes.policy = policy;
  attributes.flags = flags;
  attributes.nice = scheduler.nice;
  attributes.priority = static_cast<std::uint32_t>(scheduler.priority);
  attributes.runtime = scheduler.runtime;
  attributes.deadline = scheduler.deadline;
  attributes.period = scheduler.period;
  plan->add({.op = Op::set_scheduler, .data = bytes_of(attributes)},
            fmt::format("set the scheduling policy {}", scheduler.policy));
  return {};
}

Result<void> plan_io_priority(const oci::IoPriority& wanted, PlanBuilder* plan) {
  TRY(const std::uint32_t io_class, value_of(kIoClasses, wanted.io_class, "I/O priority class"));
  if (wanted.priority < 0 || wanted.priority >= kIoPriorities)
    return fail(ErrorKind::invalid_argument, "the I/O priority {} is not between 0 and {}", wanted.priority,
                kIoPriorities - 1);
  plan->add({.op = Op::set_io_priority,
             .a = io_class << IOPRIO_CLASS_SHIFT | static_cast<std::uint32_t>(wanted.priority)},
            fmt::format("set the I/O priority {} {}", wanted.io_class, wanted.priority));
  return {};
}

void set_bits(std::uint64_t first, std::uint64_t last, std::string* mask) {
  for (std::uint64_t bit = first; bit <= last; ++bit)
    (*mask)[bit / 8] = static_cast<char>(static_cast<unsigned char>((*mask)[bit / 8]) | 1u << bit % 8);
}

}  // namespace

// A mask has whole words of the kernel's; their bytes are in order on a little-endian machine, which all are
// that this runs on.
Result<std::string> parse_bit_list(const std::string& list) {
  std::string mask;
  for (const std::string_view part : split(list, ',')) {
    const auto pair = split_once(part, '-');
    const auto first = parse_unsigned(trim(pair ? pair->first : part));
    const auto last = pair ? parse_unsigned(trim(pair->second)) : first;
    if (!first || !last || *first > *last || *last > kMaxBit)
      return fail(ErrorKind::invalid_argument, "'{}' is not a list of numbers such as 0-3,7", list);
    mask.resize(std::max(mask.size(), (*last / 64 + 1) * 8), '\0');
    set_bits(*first, *last, &mask);
  }
  return mask;
}

void plan_labels(const oci::Process& process, PlanBuilder* plan) {
  if (!process.apparmor_profile.empty())
    plan->add({.op = Op::write_kernel_file,
               .data = "exec " + process.apparmor_profile,
               .strings = {"/proc/self/attr/apparmor/exec"}},
              fmt::format("take on the AppArmor profile '{}'", process.apparmor_profile));
  if (process.selinux_label.empty()) return;
  plan->add({.op = Op::write_kernel_file, .data = process.selinux_label, .strings = {"/proc/self/attr/exec"}},
            fmt::format("take on the SELinux label '{}'", process.selinux_label));
  // Of the session keyring to come: it belongs to what runs, not to us.
  plan->add({.op = Op::write_kernel_file,
             .flags = init::kOptional,
             .data = process.selinux_label,
             .strings = {"/proc/self/attr/keycreate"}},
            "label the session keyring");
}

Result<void> plan_scheduling(const oci::Process& process, PlanBuilder* plan) {
  if (process.scheduler) TRY(plan_scheduler(*process.scheduler, plan));
  if (process.io_priority) TRY(plan_io_priority(*process.io_priority, plan));
  return {};
}

Result<void> plan_exec_affinity(const oci::Process& process, PlanBuilder* plan) {
  // The process is born in the container's group: what it shall have before is what it has until the other is
  // set, as far as the group's cpuset lets it.
  const oci::CpuAffinity& affinity = process.exec_cpu_affinity;
  for (const bool first : {true, false}) {
    const std::string& list = first ? affinity.initial : affinity.final;
    if (list.empty()) continue;
    TRY(std::string mask, parse_bit_list(list));
    plan->add({.op = Op::set_cpu_affinity, .flags = first ? init::kOptional : 0, .data = std::move(mask)},
              fmt::format("run on the CPUs {}", list));
  }
  return {};
}

Result<void> plan_execution_domain(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  if (spec.memory_policy) {
    TRY(const std::uint32_t mode, value_of(kMemoryModes, spec.memory_policy->mode, "memory policy"));
    TRY(const std::uint32_t flags, flags_of(kMemoryFlags, spec.memory_policy->flags, "memory policy flag"));
    std::string nodes;
    if (!spec.memory_policy->nodes.empty()) {
      TRY(nodes, parse_bit_list(spec.memory_policy->nodes));
    }
    plan->add({.op = Op::set_memory_policy, .a = mode | flags, .data = std::move(nodes)},
              fmt::format("set the memory policy {}", spec.memory_policy->mode));
  }
  if (spec.personality.empty()) return {};
  if (spec.personality != "LINUX" && spec.personality != "LINUX32")
    return fail(ErrorKind::invalid_argument, "unknown personality '{}' (LINUX and LINUX32 are known)",
                spec.personality);
  plan->add({.op = Op::set_personality,
             .a = static_cast<std::uint64_t>(spec.personality == "LINUX32" ? PER_LINUX32 : PER_LINUX)},
            fmt::format("set the personality {}", spec.personality));
  return {};
}

}  // namespace fermata::runtime
