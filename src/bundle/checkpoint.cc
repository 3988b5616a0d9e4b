#include "bundle/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file_lock.h"
#include "base/files.h"
#include "base/text.h"
#include "kernel/mountinfo.h"

namespace fermata::bundle {
namespace {

constexpr int kLogLevel = 4;  // all of CRIU's steps

// criu_cg_mode of its rpc.proto.
Result<std::uint64_t> cgroups_mode(const std::string& name) {
  constexpr std::pair<std::string_view, std::uint64_t> kModes[] = {
      {"ignore", 0}, {"soft", 3}, {"full", 4}, {"strict", 5}};
  for (const auto& [known, number] : kModes)
    if (name == known) return number;
  return fail(ErrorKind::invalid_argument,
              "--manage-cgroups-mode {}: known are soft, full, strict and ignore", name);
}

// Mounts of the host's things, which are there again when the container is.
Result<void> add_external_mounts(const oci::RuntimeSpec& spec, int pid, CriuOptions* options) {
  TRY(const auto mounts, external_mounts_of(spec, pid));
  for (const auto& [point, key] : mounts)
    options->text(CriuOption::external, fmt::format("mnt[{}]:{}", point, key));
  return {};
}

Result<void> add_external_namespaces(const oci::RuntimeSpec& spec, int pid, CriuOptions* options) {
  for (const oci::Namespace& joined : spec.namespaces) {
    if (joined.path.empty()) continue;
    for (const ExternalNamespace& external : kExternalNamespaces) {
      if (external.type != joined.type) continue;
      const std::string path = fmt::format("/proc/{}/ns/{}", pid, external.file);
      struct stat info = {};
      if (::stat(path.c_str(), &info) != 0) return fail(errno, "'{}'", path);
      options->text(CriuOption::external, fmt::format("{}[{}]:{}", external.file,
                                                      static_cast<std::uint64_t>(info.st_ino), external.key));
    }
  }
  return {};
}

// "mnt_id:\t27" of /proc/<pid>/fdinfo/<fd>; proc_pid_fdinfo(5).
std::optional<std::uint64_t> mount_of(int pid, int fd) {
  const auto text = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, fd), 4096);
  if (!text) return std::nullopt;
  for (const std::string_view line : split(*text, '\n'))
    if (line.starts_with("mnt_id:")) return parse_unsigned(trim(line.substr(7)));
  return std::nullopt;
}

Result<bool> has_mount(int pid, std::uint64_t mount) {
  TRY(const std::string text, read_file(fmt::format("/proc/{}/mountinfo", pid), 16u << 20));
  const std::string start = fmt::format("{} ", mount);
  const auto lines = split(text, '\n');
  return std::any_of(lines.begin(), lines.end(),
                     [&](std::string_view line) { return line.starts_with(start); });
}

// The key of a standard stream that is not the container's own; "" when it is.
Result<std::string> stream_key(int pid, int fd) {
  const std::string path = fmt::format("/proc/{}/fd/{}", pid, fd);
  char target[64] = {};
  if (::readlink(path.c_str(), target, sizeof target - 1) < 0) return std::string();  // it has closed it
  if (std::string_view(target).starts_with("pipe:")) return std::string(target);
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode)))
    return std::string();
  const auto mount = mount_of(pid, fd);
  if (!mount) return std::string();
  TRY(const bool own, has_mount(pid, *mount));
  if (own) return std::string();
  return fmt::format("file[{:x}:{:x}]", *mount, static_cast<std::uint64_t>(info.st_ino));
}

Result<void> add_streams(int pid, const std::string& images, CriuOptions* options) {
  nlohmann::json keys = nlohmann::json::array();
  for (int fd = 0; fd < 3; ++fd) {
    TRY(const std::string key, stream_key(pid, fd));
    if (key.starts_with("file[")) options->text(CriuOption::external, key);
    keys.push_back(key);
  }
  return write_file(images + "/" + kStreamsFile, keys.dump(), 0600);
}

// In CRIU's process. Were it ended in the middle, then the container would be left as it is just then, with
// CRIU's code in its processes and its network shut. So it is not: what would end it makes its next write
// fail, and it undoes what it has done.
Result<void> hold_out() {
  for (const int number : {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ})
    if (::signal(number, SIG_IGN) == SIG_ERR) return fail(errno, "ignore a signal");
  return {};
}

}  // namespace

Result<void> dump(const CheckpointSubject& subject, const CheckpointOptions& options,
                  const CriuNotice& notice, const CriuPatience& patience) {
  TRY(make_directories(options.criu.images, 0700));
  TRY(Criu criu, Criu::start(hold_out, {}));
  TRY(const CriuDirectories directories,
      open_directories(options.criu, options.pre_dump ? kPreDumpLog : kDumpLog, criu));
  CriuOptions wanted;
  TRY(add_settings(options.criu, directories, &wanted));
  if (!subject.root.empty()) wanted.text(CriuOption::root, subject.root);
  wanted.number(CriuOption::pid, static_cast<std::uint64_t>(subject.pid));
  wanted.flag(CriuOption::leave_running, options.leave_running);
  wanted.flag(CriuOption::tcp_skip_in_flight, options.tcp_skip_in_flight);
  wanted.flag(CriuOption::link_remap, options.link_remap);
  if (const std::string freezer = subject.group.freezer_directory(); !freezer.empty())
    wanted.text(CriuOption::freeze_cgroup, freezer);
  if (!options.parent.empty()) wanted.text(CriuOption::parent_img, options.parent);
  if (!options.parent.empty() || options.pre_dump) wanted.flag(CriuOption::track_mem, true);
  TRY(add_external_namespaces(subject.spec, subject.pid, &wanted));
  if (!options.pre_dump) {
    TRY(add_external_mounts(subject.spec, subject.pid, &wanted));
    TRY(add_streams(subject.pid, options.criu.images, &wanted));
  }
  TRY(criu.ask(options.pre_dump ? CriuType::pre_dump : CriuType::dump, wanted, directories.log, notice,
               patience));
  return {};
}

Result<void> check_restorable(const oci::RuntimeSpec& spec) {
  for (const oci::Namespace& joined : spec.namespaces) {
    const bool known = std::any_of(kExternalNamespaces.begin(), kExternalNamespaces.end(),
                                   [&](const auto& external) { return external.type == joined.type; });
    if (!joined.path.empty() && !known)
      return fail(ErrorKind::unsupported,
                  "criu puts joined network and PID namespaces back, and no other: '{}' (linux.namespaces)",
                  joined.path);
  }
  return {};
}

Result<CriuDirectories> open_directories(const CriuSettings& settings, const char* log, const Criu& criu) {
  const std::string& work = settings.work.empty() ? settings.images : settings.work;
  if (work != settings.images) TRY(make_directories(work, 0700));
  CriuDirectories directories{.images = {}, .work = {}, .log = work + "/" + log};
  TRY(directories.images, criu.open_directory(settings.images));
  TRY(directories.work, criu.open_directory(work));
  // An old one would be taken for this one's.
  if (::unlink(directories.log.c_str()) != 0 && errno != ENOENT)
    return fail(errno, "remove '{}'", directories.log);
  return directories;
}

Result<void> add_settings(const CriuSettings& settings, const CriuDirectories& directories,
                          CriuOptions* options) {
  TRY(const std::uint64_t mode, cgroups_mode(settings.cgroups_mode));
  options->number(CriuOption::images_dir_fd, static_cast<std::uint64_t>(directories.images.get()));
  options->number(CriuOption::work_dir_fd, static_cast<std::uint64_t>(directories.work.get()));
  options->text(CriuOption::log_file, directories.log.substr(directories.log.rfind('/') + 1));
  options->number(CriuOption::log_level, kLogLevel);
  options->flag(CriuOption::notify_scripts, true);
  options->flag(CriuOption::evasive_devices, true);
  options->flag(CriuOption::orphan_pts_master, true);
  options->flag(CriuOption::manage_cgroups, true);
  options->number(CriuOption::manage_cgroups_mode, mode);
  options->flag(CriuOption::tcp_established, settings.tcp_established);
  options->flag(CriuOption::ext_unix_sk, settings.ext_unix_sockets);
  options->flag(CriuOption::shell_job, settings.shell_job);
  options->flag(CriuOption::file_locks, settings.file_locks);
  options->flag(CriuOption::auto_dedup, settings.auto_dedup);
  if (settings.empty_namespaces != 0) options->number(CriuOption::empty_ns, settings.empty_namespaces);
  return {};
}

Result<void> Runtime::checkpoint(const std::string& id, const CheckpointOptions& options) const {
  TRY(check_id(id));
  {
    TRY(Container container, find(id));
    TRY(const FileLock lock, FileLock::acquire(directory_of(id) + "/" + kLockFile));
    TRY(container, find(id));
    if (container.status != Status::running && container.status != Status::paused)
      return fail(ErrorKind::conflict, "container cannot be checkpointed in {} state",
                  name_of(container.status));
    TRY(const oci::RuntimeSpec spec, this->spec(container));
    TRY(check_restorable(spec));
    TRY(check_criu());
    TRY(const auto group, this->group(container));
    auto dumped = dump(
        {.spec = spec, .pid = container.record.pid, .root = container.record.root, .group = group}, options);
    if (!dumped) {
      const CriuSettings& criu = options.criu;
      const std::string log = fmt::format("{}/{}", criu.work.empty() ? criu.images : criu.work,
                                          options.pre_dump ? kPreDumpLog : kDumpLog);
      return tl::unexpected(with_log(std::move(dumped.error()), log));
    }
  }
  return options.leave_running || options.pre_dump ? Result<void>() : remove(id, true);
}

}  // namespace fermata::bundle
