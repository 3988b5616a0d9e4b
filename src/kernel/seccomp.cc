#include "kernel/seccomp.h"

#include <fmt/format.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "base/core/unique_fd.h"
#include "base/files.h"

namespace fermata::kernel {
namespace {

constexpr std::string_view kNotify = "SCMP_ACT_NOTIFY";

struct ReleaseFilter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

Result<std::uint32_t> action_value(const SeccompAction& action) {
  constexpr auto kActions = std::to_array<std::pair<std::string_view, std::uint32_t>>({
      {"SCMP_ACT_KILL", SCMP_ACT_KILL},
      {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
      {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
      {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
      {"SCMP_ACT_LOG", SCMP_ACT_LOG},
      {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
      {kNotify, SCMP_ACT_NOTIFY},
  });
  if (action.name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(action.data);
  if (action.name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(action.data);
  for (const auto& [name, value] : kActions)
    if (name == action.name) return value;
  return fail(ErrorKind::invalid_argument, "unsupported seccomp action '{}'", action.name);
}

Result<scmp_compare> comparison_value(const std::string& op) {
  constexpr auto kOperators = std::to_array<std::pair<std::string_view, scmp_compare>>({
      {"SCMP_CMP_NE", SCMP_CMP_NE},
      {"SCMP_CMP_LT", SCMP_CMP_LT},
      {"SCMP_CMP_LE", SCMP_CMP_LE},
      {"SCMP_CMP_EQ", SCMP_CMP_EQ},
      {"SCMP_CMP_GE", SCMP_CMP_GE},
      {"SCMP_CMP_GT", SCMP_CMP_GT},
      {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
  });
  for (const auto& [name, value] : kOperators)
    if (name == op) return value;
  return fail(ErrorKind::invalid_argument, "unknown seccomp operator '{}'", op);
}

// libseccomp's name of "SCMP_ARCH_X86" is "x86"; 0: unknown.
std::uint32_t architecture_token(std::string_view name) {
  constexpr std::string_view kPrefix = "SCMP_ARCH_";
  if (name.substr(0, kPrefix.size()) != kPrefix) return 0;
  std::string lower(name.substr(kPrefix.size()));
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return ::seccomp_arch_resolve_name(lower.c_str());
}

Result<void> add(void* filter, const SeccompRule& rule, std::uint32_t action, int number,
                 const std::vector<scmp_arg_cmp>& comparisons) {
  const int error = ::seccomp_rule_add_array(filter, action, number,
                                             static_cast<unsigned>(comparisons.size()), comparisons.data());
  // EEXIST: said twice. EDOM: a call that one of the architectures does not have.
  if (error != 0 && error != -EEXIST && error != -EDOM)
    return fail(-error, "seccomp rule for '{}'", rule.syscall);
  return {};
}

Result<void> add_rule(void* filter, const SeccompRule& rule, std::uint32_t default_action) {
  TRY(const std::uint32_t action, action_value(rule.action));
  if (action == default_action) return {};  // libseccomp refuses what changes nothing
  const int number = ::seccomp_syscall_resolve_name(rule.syscall.c_str());
  if (number == __NR_SCMP_ERROR) return {};
  std::vector<scmp_arg_cmp> comparisons;
  std::array<int, 6> uses = {};
  for (const SeccompComparison& comparison : rule.comparisons) {
    if (comparison.index >= uses.size())
      return fail(ErrorKind::invalid_argument, "seccomp rule for '{}': no argument {}", rule.syscall,
                  comparison.index);
    TRY(const scmp_compare op, comparison_value(comparison.op));
    comparisons.push_back({comparison.index, op, comparison.value, comparison.value_two});
    ++uses[comparison.index];
  }
  if (std::all_of(uses.begin(), uses.end(), [](int count) { return count <= 1; }))
    return add(filter, rule, action, number, comparisons);
  // Two conditions on one argument cannot be one rule of libseccomp's; as rules of their own they mean "or".
  for (const scmp_arg_cmp& comparison : comparisons) TRY(add(filter, rule, action, number, {comparison}));
  return {};
}

// The descriptor of notifications is handed over with sendmsg(2), by the process that is filtered already.
Result<void> check_notifications(const SeccompPolicy& policy) {
  if (policy.default_action.name == kNotify)
    return fail(
        ErrorKind::unsupported,
        "seccomp: SCMP_ACT_NOTIFY cannot be the default action: nobody could be told of the first call");
  for (const SeccompRule& rule : policy.rules)
    if (rule.action.name == kNotify && (rule.syscall == "sendmsg" || rule.syscall == "socketcall"))
      return fail(
          ErrorKind::unsupported,
          "seccomp: SCMP_ACT_NOTIFY of '{}' is not possible: the descriptor of the notifications is handed "
          "over with it",
          rule.syscall);
  return {};
}

Result<std::string> export_program(void* filter) {
  const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return fail(errno, "make a memory file");
  if (const int error = ::seccomp_export_bpf(filter, file.get()); error != 0)
    return fail(-error, "compile a seccomp filter");
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail(errno, "read a seccomp filter");
  return read_fd(file.get());
}

}  // namespace

Result<std::string> compile_seccomp(const SeccompPolicy& policy) {
  TRY(check_notifications(policy));
  TRY(const std::uint32_t default_action, action_value(policy.default_action));
  const Filter filter(::seccomp_init(default_action));
  if (!filter) return fail(ErrorKind::failed, "libseccomp cannot make a filter");
  // A binary tree over the numbers instead of a list: a system call passes some ten comparisons, not
  // hundreds.
  if (const int error = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); error != 0)
    return fail(-error, "optimize a seccomp filter");
  for (const std::string& name : policy.architectures) {
    const std::uint32_t token = architecture_token(name);
    if (token == 0) continue;
    if (const int error = ::seccomp_arch_add(filter.get(), token);
        error != 0 && error != -EEXIST && error != -EINVAL)
      return fail(-error, "seccomp architecture '{}'", name);
  }
  for (const SeccompRule& rule : policy.rules) TRY(add_rule(filter.get(), rule, default_action));
  return export_program(filter.get());
}

bool notifies(const SeccompPolicy& policy) {
  const auto asks = [](const SeccompAction& action) { return action.name == kNotify; };
  return asks(policy.default_action) ||
         std::any_of(policy.rules.begin(), policy.rules.end(),
                     [&](const SeccompRule& rule) { return asks(rule.action); });
}

std::string seccomp_version() {
  return fmt::format("{}.{}.{}", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
}

}  // namespace fermata::kernel
