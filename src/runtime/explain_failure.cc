#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/launch_plan.h"

namespace fermata::runtime {
namespace {

constexpr int kEngineFailed = 125;
constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;

LaunchFailure explain_execute(const std::string& program, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      if (program.find('/') == std::string::npos)
        return {kNotFound, fmt::format("exec: \"{}\": executable file not found in $PATH", program)};
      return {kNotFound, fmt::format("exec: \"{}\": stat {}: no such file or directory", program, program)};
    case ELIBACC:
      return {kNotFound,
              fmt::format("exec {}: no such file or directory (the file is there, but the interpreter or "
                          "loader that it names is not)",
                          program)};
    case ENOEXEC:
      return {kCannotRun, fmt::format("exec {}: exec format error", program)};
    case EACCES:
    case EISDIR:
      return {kCannotRun, fmt::format("exec: \"{}\": {}", program, errno_text(error))};
    default:
      return {kCannotRun, fmt::format("exec {}: {}", program, errno_text(error))};
  }
}

LaunchFailure explain_directory(const std::string& description, int error) {
  std::string message = fmt::format("{} failed: {}", description, errno_text(error));
  if (error == ENOENT) return {kNotFound, std::move(message)};
  if (error == EACCES || error == ENOTDIR) return {kCannotRun, std::move(message)};
  return {kEngineFailed, std::move(message)};
}

struct Hint {
  init::Op op;
  int error;
  const char* text;
};
constexpr char kNotTheSameKind[] = "are you trying to mount a directory onto a file, or the other way round?";
constexpr char kLinkInItsPlace[] = "the image has a symbolic link in its place";
constexpr char kNoSuchType[] = "this kernel does not have the file system; try modprobe";
constexpr auto kHints = std::to_array<Hint>({
    // mount(2) says ENOTDIR, move_mount(2) EINVAL.
    {init::Op::attach_mount, EINVAL, kNotTheSameKind},
    {init::Op::attach_mount, ENOTDIR, kNotTheSameKind},
    {init::Op::mount, ENOTDIR, kNotTheSameKind},
    {init::Op::mount, ENODEV, kNoSuchType},
    {init::Op::mount_root, ENODEV, kNoSuchType},
    {init::Op::mount, ELOOP, kLinkInItsPlace},
    {init::Op::attach_mount, ELOOP, kLinkInItsPlace},
    {init::Op::open_console, ELOOP, "the image has a symbolic link at /dev/console"},
    {init::Op::mount, EPERM,
     "in a user namespace sysfs needs a network namespace that it owns, and proc a PID namespace and a host "
     "whose "
     "/proc is not covered; bind the host's instead"},
    {init::Op::make_node, ENODEV, "the host has another device of that name"},
    {init::Op::set_credentials, EINVAL, "are the user and its groups mapped in the user namespace?"},
    {init::Op::set_credentials, EPERM, "a capability was asked for that this host does not have"},
    {init::Op::enter_time_namespace, EINVAL,
     "this kernel has no time namespaces, or the offset is too large"},
    {init::Op::set_scheduler, EPERM,
     "it needs CAP_SYS_NICE, and on cgroup v1 a group with cpu.rt_runtime_us"},
    {init::Op::set_memory_policy, ENOSYS, "this kernel has no NUMA"},
    {init::Op::load_seccomp, EINVAL, "this kernel does not know one of the filter's flags"},
    {init::Op::load_seccomp, EBUSY, "there is a filter with notifications already"},
});

std::string hint(init::Op op, const std::string& description, int error) {
  for (const Hint& row : kHints)
    if (row.op == op && row.error == error) return fmt::format(" ({})", row.text);
  // plan_labels
  if (op == init::Op::write_kernel_file && description.starts_with("take on"))
    return " (is the security module enabled on this host, and does it know the name?)";
  return "";
}

}  // namespace

LaunchFailure explain_failure(const LaunchPlan& plan, const std::vector<std::string>& args,
                              std::uint32_t op_index, int error_number) {
  if (op_index >= plan.descriptions.size())
    return {kEngineFailed, fmt::format("start the container's first stage: {}", errno_text(error_number))};
  const std::string& description = plan.descriptions[op_index];
  const init::Op op = plan.ops[op_index];
  if (op == init::Op::execute || op == init::Op::check_program)
    return explain_execute(args.empty() ? "" : args[0], error_number);
  if (op == init::Op::set_current_directory) return explain_directory(description, error_number);
  return {kEngineFailed, fmt::format("cannot {}: {}{}", description, errno_text(error_number),
                                     hint(op, description, error_number))};
}

}  // namespace fermata::runtime
