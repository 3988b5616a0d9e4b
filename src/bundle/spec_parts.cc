#include "bundle/spec_parts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/capabilities.h"
#include "runtime/defaults.h"
#include "runtime/mount_trees.h"
#include "runtime/stream_owner.h"
#include "runtime/sysctls.h"

namespace fermata::bundle {
namespace {

constexpr char kFilters[] = "/@filters";  // no container can have this name

Result<void> open_namespaces(oci::RuntimeSpec* spec, SpecParts* parts) {
  for (oci::Namespace& wanted : spec->namespaces) {
    UniqueFd fd;
    if (!wanted.path.empty()) {
      auto opened = open_namespace(wanted.path);
      if (!opened) return fail_with(std::move(opened.error()), "linux.namespaces");
      fd = std::move(*opened);
    } else if (wanted.type == oci::Namespace::Type::user) {
      TRY(fd, runtime::make_user_namespace(*spec));
    } else {
      continue;
    }
    wanted.fd = fd.get();
    parts->kept.push_back(std::move(fd));
  }
  return {};
}

Result<void> check_root(oci::RuntimeSpec* spec, const std::string& bundle) {
  if (spec->root_path.empty()) return fail(ErrorKind::invalid_argument, "config.json: root.path is missing");
  if (spec->root_path[0] != '/') spec->root_path = bundle + "/" + spec->root_path;
  struct stat info = {};
  if (::stat(spec->root_path.c_str(), &info) != 0) return fail(errno, "root.path '{}'", spec->root_path);
  if (!S_ISDIR(info.st_mode)) return fail(ENOTDIR, "root.path '{}'", spec->root_path);
  return {};
}

// config-linux.md, "Default Devices".
void add_default_devices(oci::RuntimeSpec* spec) {
  for (oci::Device& device : runtime::default_devices()) {
    const bool given = std::any_of(spec->devices.begin(), spec->devices.end(),
                                   [&](const oci::Device& other) { return other.path == device.path; });
    if (!given) spec->devices.push_back(std::move(device));
  }
}

}  // namespace

Result<UniqueFd> open_namespace(const std::string& path) {
  TRY(const UniqueFd place, open_file(path, O_PATH));
  struct statfs system = {};
  if (::fstatfs(place.get(), &system) != 0) return fail(errno, "look at '{}'", path);
  if (system.f_type != NSFS_MAGIC)
    return fail(ErrorKind::invalid_argument,
                "'{}' is no namespace: give /proc/PID/ns/NAME or what it is bound to", path);
  return open_file(fmt::format("/proc/self/fd/{}", place.get()), O_RDONLY);
}

std::string unreachable_oom_score(const oci::Process& process) {
  if (process.oom_score_adj.value_or(0) >= 0) return "";
  if ((kernel::own_effective_set() >> CAP_SYS_RESOURCE & 1) != 0) return "";
  const auto own = read_file("/proc/self/oom_score_adj", 64);
  const auto score = own ? parse_signed(trim(*own)) : std::nullopt;
  if (!score || *process.oom_score_adj >= *score) return "";
  return fmt::format("process.oomScoreAdj {}: lowering it below {} needs CAP_SYS_RESOURCE: it stays as it is",
                     *process.oom_score_adj, *score);
}

Result<runtime::CompiledSeccomp> open_filter(const oci::RuntimeSpec& spec, const oci::Process& process,
                                             const std::string& root) {
  if (spec.seccomp.empty()) return runtime::CompiledSeccomp{};
  // No container's name begins with a dot for those who list them.
  auto compiled = runtime::compiled_seccomp(root + kFilters, spec.seccomp, process.capabilities.bounding);
  if (!compiled) return fail_with(std::move(compiled.error()), "linux.seccomp");
  return compiled;
}

void give_streams(const oci::RuntimeSpec& spec, const oci::Process& process) {
  if (process.terminal) return;
  if (const auto uid = runtime::host_id(spec.uid_mappings, process.user.uid))
    runtime::give_streams({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, *uid);
}

Result<SpecParts> open_spec(oci::RuntimeSpec* spec, const std::string& bundle, const std::string& cgroup,
                            const std::string& root) {
  SpecParts parts;
  TRY(check_root(spec, bundle));
  TRY(open_namespaces(spec, &parts));
  TRY(runtime::check_sysctls(*spec));
  TRY(runtime::PreparedMounts mounts, runtime::open_mounts(spec, bundle, cgroup));
  for (UniqueFd& fd : mounts.descriptors) parts.kept.push_back(std::move(fd));
  parts.skipped = std::move(mounts.skipped);
  if (std::string score = unreachable_oom_score(spec->process); !score.empty())
    parts.skipped.push_back(std::move(score));
  add_default_devices(spec);
  TRY(runtime::CompiledSeccomp filter, open_filter(*spec, spec->process, root));
  spec->seccomp_program = filter.program.get();
  parts.seccomp_flags = filter.flags;
  parts.kept.push_back(std::move(filter.program));
  return parts;
}

std::uint64_t grantable_capabilities(const oci::RuntimeSpec& spec) {
  const bool mapped =
      std::any_of(spec.namespaces.begin(), spec.namespaces.end(),
                  [](const oci::Namespace& one) { return one.type == oci::Namespace::Type::user; });
  return mapped ? ~std::uint64_t{0} : kernel::own_bounding_set();
}

}  // namespace fermata::bundle
