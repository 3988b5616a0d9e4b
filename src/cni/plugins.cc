#include "cni/plugins.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "cni/run_program.h"

namespace fermata::cni {
namespace {

// Many plugins call iptables and the like by name.
constexpr std::string_view kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> own_environment(const std::vector<std::string>& directories) {
  std::vector<std::string> result;
  bool has_path = false;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("CNI_")) continue;
    has_path |= text.starts_with("PATH=");
    result.emplace_back(text);
  }
  if (!has_path) result.emplace_back(kDefaultPath);
  result.push_back("CNI_PATH=" + join(directories, ":"));
  return result;
}

std::string describe_end(int exit_code) {
  return exit_code < 128 ? fmt::format("exit status {}", exit_code)
                         : fmt::format("exit status {} (signal {})", exit_code, exit_code - 128);
}

}  // namespace

Plugins::Plugins(std::vector<std::string> directories, std::chrono::milliseconds timeout)
    : directories_(std::move(directories)), timeout_(timeout), environment_(own_environment(directories_)) {}

Result<std::string> Plugins::find(const std::string& type) const {
  for (const std::string& directory : directories_) {
    std::string path = directory + "/" + type;
    struct stat info = {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0)
      return path;
  }
  return fail(ErrorKind::not_found, "plugin '{}' is in none of the directories {}; install it there", type,
              join(directories_, ", "));
}

Result<Reply> Plugins::run(const std::string& type, const Request& request) const {
  TRY(std::string path, find(type));
  Program program{
      .path = std::move(path), .input = request.input, .environment = environment_, .timeout = timeout_};
  program.environment.insert(program.environment.end(), request.variables.begin(), request.variables.end());
  TRY(ProgramEnd end, run_program(program));
  if (end.timed_out)
    return fail(ErrorKind::unavailable, "plugin '{}' ({}): killed, for it had not ended after {} ms{}{}",
                type, command_name(request.command), timeout_.count(), trim(end.errors).empty() ? "" : ": ",
                trim(end.errors));
  if (end.exit_code == 0) return Reply{.output = std::move(end.output), .error = std::nullopt};
  return Reply{.output = {},
               .error = parse_plugin_error(end.output, end.errors, describe_end(end.exit_code))};
}

Result<Plugins::Identity> Plugins::identify(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return fail(errno, "look at '{}'", path);
  return Identity{.device = info.st_dev,
                  .inode = info.st_ino,
                  .size = info.st_size,
                  .changed = info.st_ctim.tv_sec * std::int64_t{1'000'000'000} + info.st_ctim.tv_nsec};
}

Result<std::vector<Version>> Plugins::versions(const std::string& type) {
  TRY(const std::string path, find(type));
  TRY(const Identity identity, identify(path));
  {
    const std::scoped_lock lock(mutex_);
    const auto known = known_.find(path);
    if (known != known_.end() && known->second.identity == identity) return known->second.versions;
  }
  const std::string_view command = command_name(Command::version);
  TRY(const Reply reply, run(type, compose_version_request()));
  if (reply.error) return tl::unexpected(to_error(*reply.error, type, command));
  auto versions = parse_supported_versions(reply.output);
  if (!versions)
    return fail_with(std::move(versions.error()), fmt::format("plugin '{}' ({})", type, command));
  const std::scoped_lock lock(mutex_);
  known_[path] = {identity, *versions};
  return versions;
}

}  // namespace fermata::cni
