#include <fmt/format.h>

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

const char* hint(init::Op op, int error) {
  // mount(2) says ENOTDIR, move_mount(2) EINVAL.
  if ((op == init::Op::attach_mount && error == EINVAL) ||
      ((op == init::Op::attach_mount || op == init::Op::mount) && error == ENOTDIR))
    return " (are you trying to mount a directory onto a file, or the other way round?)";
  if (op == init::Op::set_credentials && error == EPERM)
    return " (a capability was asked for that this host does not have)";
  if (error == ENODEV && (op == init::Op::mount || op == init::Op::mount_root))
    return " (this kernel does not have the file system; try modprobe)";
  if (op == init::Op::mount && error == ELOOP) return " (the image has a symbolic link in its place)";
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
  return {kEngineFailed,
          fmt::format("cannot {}: {}{}", description, errno_text(error_number), hint(op, error_number))};
}

}  // namespace fermata::runtime
