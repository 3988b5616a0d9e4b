// From a checkpoint and its bundle to a container that runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/files.h"
#include "base/process.h"
#include "bundle/checkpoint.h"
#include "bundle/claim.h"
#include "bundle/descriptors.h"
#include "bundle/entry.h"
#include "bundle/network_devices.h"
#include "bundle/resctrl.h"
#include "bundle/spec_parts.h"
#include "kernel/pidfd.h"
#include "oci/runtime_document.h"
#include "runtime/defaults.h"

namespace fermata::bundle {
namespace {

constexpr char kRootMount[] = "/root";  // below the container's directory: where CRIU finds its root mounted

// CRIU wants the root to be a mount, with nothing over the mount it is in. That is nobody else's business:
// the caller is CRIU's process to be.
Result<void> mount_root(const std::string& root, const std::string& target) {
  if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "make a mount namespace");
  if (::mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return fail(errno, "make mounts private");
  if (::mount(root.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0 ||
      ::mount("", target.c_str(), nullptr, MS_PRIVATE | MS_REC, nullptr) != 0)
    return fail(errno, "mount '{}' at '{}'", root, target);
  return {};
}

class Restoration {
 public:
  Restoration(const Options& engine, const RestoreOptions& options, std::string id, std::string directory)
      : engine_(engine), options_(options), directory_(std::move(directory)) {
    container_.status = Status::running;
    container_.record.id = std::move(id);
    container_.record.bundle = options.bundle;
  }

  Result<Started> run() {
    TRY(read_spec());
    TRY(check_criu());
    TRY(NewGroup made, claim_group(engine_, spec_, directory_, &container_.record));
    if (auto restored = restore_in(made.cgroup); !restored) {
      // What was restored already is CRIU's to end; what it left is in the group.
      static_cast<void>(made.cgroup.kill_all().has_value());
      static_cast<void>(kernel::remove_resctrl_group(container_.record.resctrl).has_value());
      give_back(std::move(made), container_.record);
      return tl::unexpected(std::move(restored.error()));
    }
    devices_.keep();
    return std::move(started_);
  }

 private:
  Result<void> read_spec() {
    TRY(config_, read_file(options_.bundle + "/config.json", 16u << 20));
    TRY(spec_, oci::parse_runtime_spec(config_));
    TRY(check_restorable(spec_));
    if (!options_.console_socket.empty() && !spec_.process.terminal)
      return fail(ErrorKind::invalid_argument,
                  "cannot use a console socket: process.terminal is false in config.json");
    Record& record = container_.record;
    record.root =
        spec_.root_path.starts_with('/') ? spec_.root_path : options_.bundle + "/" + spec_.root_path;
    record.program = spec_.process.args.empty() ? "" : spec_.process.args[0];
    record.created = now_ns();
    record.owner = ::geteuid() == 0 ? "root" : std::to_string(::geteuid());
    return {};
  }

  Result<void> restore_in(const kernel::Cgroup& group) {
    const std::string target = directory_ + kRootMount;
    TRY(make_directories(target, 0700));
    TRY(open_namespaces());
    std::vector<int> borrowed;
    for (const UniqueFd& fd : namespaces_) borrowed.push_back(fd.get());
    TRY(Criu criu, Criu::start(
                       [&]() -> Result<void> {
                         TRY(group.add_process(0));
                         return mount_root(container_.record.root, target);
                       },
                       borrowed));
    TRY(const CriuDirectories directories, open_directories(options_.criu, "restore.log", criu));
    CriuOptions wanted;
    TRY(add_settings(options_.criu, directories, &wanted));
    wanted.text(CriuOption::root, target);
    wanted.flag(CriuOption::rst_sibling, true);
    wanted.group_root("", "/" + container_.record.cgroup);
    if (!options_.lsm_profile.empty()) wanted.text(CriuOption::lsm_profile, options_.lsm_profile);
    if (!options_.lsm_mount_context.empty())
      wanted.text(CriuOption::lsm_mount_context, options_.lsm_mount_context);
    add_mounts(&wanted);
    TRY(add_streams(&wanted));
    for (std::size_t i = 0; i < namespace_keys_.size(); ++i)
      wanted.inherit(namespace_keys_[i], kFirstCriuDescriptor + static_cast<int>(i));
    auto answer = criu.ask(CriuType::restore, wanted, directories.log,
                           [this](const std::string& script, int pid, UniqueFd descriptor) {
                             return take_notice(script, pid, std::move(descriptor));
                           });
    if (!answer) return tl::unexpected(with_log(std::move(answer.error()), directories.log));
    return {};
  }

  void add_mounts(CriuOptions* options) const {
    const auto add = [&](const std::string& key, const std::string& source) {
      options->text(CriuOption::external, fmt::format("mnt[{}]:{}", key, source));
    };
    for (const oci::Mount& mount : spec_.mounts)
      if (is_bind(mount))
        add(mount.destination,
            mount.source.starts_with('/') ? mount.source : options_.bundle + "/" + mount.source);
    add(kNullDevice, kNullDevice);
    std::set<std::string> devices = {kNullDevice};
    for (const auto& list : {runtime::default_devices(), spec_.devices})
      for (const oci::Device& device : list)
        if (devices.insert(device.path).second) add(device.path, device.path);
  }

  // The streams that were somebody else's become those of the caller.
  Result<void> add_streams(CriuOptions* options) const {
    const std::string path = options_.criu.images + "/" + kStreamsFile;
    TRY(const std::string text, read_file(path, 64 * 1024));
    const auto keys = nlohmann::json::parse(text, nullptr, false);
    if (!keys.is_array() || keys.size() > 3)
      return fail(ErrorKind::invalid_argument, "'{}' is no list of three streams", path);
    std::set<std::string> known;
    for (std::size_t fd = 0; fd < keys.size(); ++fd) {
      if (!keys[fd].is_string())
        return fail(ErrorKind::invalid_argument, "'{}': stream {} is no text", path, fd);
      const std::string key = keys[fd].get<std::string>();
      const bool external = key.starts_with("pipe:") || key.starts_with("file[");
      if (external && known.insert(key).second) options->inherit(key, static_cast<int>(fd));
    }
    return {};
  }

  Result<void> open_namespaces() {
    for (const oci::Namespace& joined : spec_.namespaces) {
      if (joined.path.empty()) continue;
      for (const ExternalNamespace& external : kExternalNamespaces) {
        if (external.type != joined.type) continue;
        TRY(UniqueFd fd, open_namespace(joined.path));
        namespace_keys_.emplace_back(external.key);
        namespaces_.push_back(std::move(fd));
      }
    }
    return {};
  }

  Result<void> take_notice(const std::string& script, int pid, UniqueFd descriptor) {
    if (script == "setup-namespaces") return prepare_namespaces(pid);
    if (script == "post-restore") return finish(pid);
    if (script == "orphan-pts-master") return take_console(std::move(descriptor));
    return {};
  }

  // The processes are not there yet: hooks that run inside have nowhere to be.
  Result<void> prepare_namespaces(int pid) {
    container_.record.pid = pid;
    TRY(devices_, MovedDevices::move(spec_, pid));
    oci::RuntimeSpec outside = spec_;
    outside.hooks.create_container.clear();
    return run_creation_hooks(engine_, outside, container_);
  }

  // They are there, and stand still until we have answered.
  Result<void> finish(int pid) {
    Record& record = container_.record;
    record.pid = pid;
    record.pid_start = process_start(pid);
    started_.pid = pid;
    started_.pidfd = kernel::open_pidfd(pid);
    if (!started_.pidfd) return fail(errno, "open process {}", pid);
    TRY(record.resctrl, enter_resctrl(spec_, record.id, pid));
    TRY(write_file(directory_ + "/" + kConfigFile, config_, 0600));
    TRY(write_file(directory_ + "/" + kStateFile, format_record(record), 0600));
    return write_pid_file(options_.pid_file, pid);
  }

  Result<void> take_console(UniqueFd master) {
    if (options_.console_socket.empty()) {
      started_.console = std::move(master);
      return {};
    }
    return send_console(options_.console_socket, master.get());
  }

  const Options& engine_;
  const RestoreOptions& options_;
  std::string directory_;
  std::string config_;
  oci::RuntimeSpec spec_;
  std::vector<UniqueFd> namespaces_;
  std::vector<std::string> namespace_keys_;  // of each
  MovedDevices devices_;
  Container container_;
  Started started_;
};

}  // namespace

Result<Started> Runtime::restore(const std::string& id, const RestoreOptions& options) const {
  TRY(check_id(id));
  TRY(Claim claim, Claim::make(options_.root, directory_of(id)));
  TRY(Started started, Restoration(options_, options, id, directory_of(id)).run());
  claim.keep();
  return started;
}

}  // namespace fermata::bundle
