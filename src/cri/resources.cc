#include "cri/resources.h"

namespace fermata::cri {
namespace {

Result<std::optional<std::uint64_t>> amount(std::int64_t value, const char* field) {
  if (value < 0) return fail(ErrorKind::invalid_argument, "{} {} is negative", field, value);
  if (value == 0) return std::optional<std::uint64_t>();
  return std::optional(static_cast<std::uint64_t>(value));
}

std::optional<std::string> list(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

Result<pod::Resources> changed_limits(const v1::LinuxContainerResources& asked, const LimitSupport& support) {
  pod::Resources limits;
  TRY(limits.memory, amount(asked.memory_limit_in_bytes(), "memory_limit_in_bytes"));
  TRY(limits.cpu_period, amount(asked.cpu_period(), "cpu_period"));
  TRY(limits.cpu_shares, amount(asked.cpu_shares(), "cpu_shares"));
  if (asked.cpu_quota() != 0) limits.cpu_quota = asked.cpu_quota();
  // A kubelet names a limit of swap whether or not the kernel counts it.
  if (asked.memory_swap_limit_in_bytes() != 0 && support.swap)
    limits.memory_swap = asked.memory_swap_limit_in_bytes();
  limits.cpuset_cpus = list(asked.cpuset_cpus());
  limits.cpuset_mems = list(asked.cpuset_mems());
  for (const auto& hugepage : asked.hugepage_limits()) {
    // And it limits all sizes that it does not give to 0, which needs no controller where nothing is given.
    if (!support.hugepages && hugepage.limit() == 0) continue;
    limits.hugepages.emplace_back(hugepage.page_size(), hugepage.limit());
  }
  limits.unified.insert(asked.unified().begin(), asked.unified().end());
  return limits;
}

Result<pod::Resources> new_limits(const v1::LinuxContainerResources& asked, const LimitSupport& support) {
  TRY(auto limits, changed_limits(asked, support));
  if (limits.memory && !limits.memory_swap) limits.memory_swap = -1;
  return limits;
}

v1::LinuxContainerResources told_limits(const pod::ContainerConfig& config) {
  const pod::Resources& limits = config.resources;
  v1::LinuxContainerResources told;
  told.set_memory_limit_in_bytes(static_cast<std::int64_t>(limits.memory.value_or(0)));
  told.set_cpu_period(static_cast<std::int64_t>(limits.cpu_period.value_or(0)));
  told.set_cpu_shares(static_cast<std::int64_t>(limits.cpu_shares.value_or(0)));
  told.set_cpu_quota(limits.cpu_quota.value_or(0));
  if (limits.memory_swap.value_or(0) > 0) told.set_memory_swap_limit_in_bytes(*limits.memory_swap);
  told.set_cpuset_cpus(limits.cpuset_cpus.value_or(""));
  told.set_cpuset_mems(limits.cpuset_mems.value_or(""));
  told.set_oom_score_adj(config.oom_score_adj.value_or(0));
  for (const auto& [page_size, bytes] : limits.hugepages) {
    auto* hugepage = told.add_hugepage_limits();
    hugepage->set_page_size(page_size);
    hugepage->set_limit(bytes);
  }
  told.mutable_unified()->insert(limits.unified.begin(), limits.unified.end());
  return told;
}

}  // namespace fermata::cri
