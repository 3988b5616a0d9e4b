#include "pod/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "image/images.h"
#include "kernel/mounts.h"
#include "kernel/program.h"
#include "pod/container_spec.h"
#include "pod/devices.h"
#include "pod/layered_file.h"
#include "pod/limits.h"
#include "pod/sandbox.h"
#include "pod/sharing.h"
#include "pod/volumes.h"
#include "runtime/defaults.h"
#include "runtime/mount_trees.h"
#include "runtime/user.h"

namespace fermata::pod {
namespace {

using Type = oci::Namespace::Type;

constexpr const char* kInit = "/fermata-init";
constexpr const char* kPause = "/pause";

std::ptrdiff_t depth(const oci::Mount& mount) {
  return std::count(mount.destination.begin(), mount.destination.end(), '/');
}

bool private_cgroup_namespace(const ContainerConfig& config, bool mapped) {
  // Docker gives one on v2, and on v1 shows the container its own groups by bind mounts; the namespace does
  // both. A privileged container sees the host's, but the root of a user namespace could not mount it.
  if (config.cgroupns.kind.empty()) return !config.privileged || mapped;
  return config.cgroupns.kind == "private";
}

// Without CAP_SYS_RESOURCE a hard limit cannot be raised, setrlimit(2); the plan's step is optional then.
bool may_raise_limits() {
  const auto text = read_file("/proc/self/status", 1u << 16);
  if (!text) return true;
  const auto at = text->find("CapEff:\t");
  if (at == std::string::npos) return true;
  constexpr int kSysResource = 24;
  const auto mask = parse_unsigned(std::string_view(*text).substr(at + 8, 16), 16);
  return mask && (*mask >> kSysResource & 1) != 0;
}

std::string limit_text(std::uint64_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit);
}

int rlimit_number(const std::string& name) {
  constexpr std::pair<std::string_view, int> kNumbers[] = {
      {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
      {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
      {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
      {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
      {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  for (const auto& [key, number] : kNumbers)
    if (key == name) return number;
  return -1;
}

}  // namespace

int Launcher::keep(UniqueFd fd) {
  kept_.push_back(std::move(fd));
  return kept_.back().get();
}

void Launcher::join(oci::RuntimeSpec& spec, Type type, UniqueFd fd) {
  spec.namespaces.push_back({.type = type, .fd = keep(std::move(fd))});
}

void Launcher::warn(std::string warning) {
  auto& warnings = container_.runtime.warnings;
  if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end())
    warnings.push_back(std::move(warning));
}

bool Launcher::user_mounts(std::string_view destination) const {
  const auto is_there = [&](const auto& mount) { return mount.destination == destination; };
  const auto& mounts = container_.runtime.resolved.mounts;
  const auto& edits = container_.config.edits.mounts;
  return std::any_of(mounts.begin(), mounts.end(), is_there) ||
         std::any_of(edits.begin(), edits.end(), is_there);
}

std::vector<std::string> Launcher::layer_paths(bool with_upper) const {
  std::vector<std::string> paths;
  if (with_upper) paths.push_back(engine_.container_directory(container_.id) + "/upper");
  const auto& layers = container_.runtime.resolved.layers;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    paths.push_back(engine_.images().layers_directory() + "/" + *layer);
  return paths;
}

Result<void> Launcher::resolve_process() {
  const ContainerConfig& config = container_.config;
  std::string passwd, group;
  if (!container_.runtime.resolved.pause) {
    const auto layers = layer_paths(true);
    TRY(const auto passwd_file, read_layered_file(layers, "/etc/passwd"));
    TRY(const auto group_file, read_layered_file(layers, "/etc/group"));
    passwd = passwd_file.value_or("");
    group = group_file.value_or("");
  }
  // "Strict": what the image's group file says of the user does not count.
  if (config.strict_groups) group.clear();
  const std::string& wanted = container_.runtime.resolved.user;
  TRY(auto user, runtime::resolve_user(wanted, passwd, group, config.groups));
  if (!config.pod.empty()) {
    // Kubernetes' "Merge": the user's groups count although a group was given; docker's --user has another
    // rule.
    TRY(const auto alone, runtime::resolve_user(wanted.substr(0, wanted.find(':')), passwd, group, {}));
    auto& gids = user.user.additional_gids;
    for (const std::uint32_t gid : alone.user.additional_gids)
      // The primary group of the password file is replaced by the one given.
      if (gid != alone.user.gid && std::find(gids.begin(), gids.end(), gid) == gids.end())
        gids.push_back(gid);
  }
  container_.runtime.user = user.user;
  container_.runtime.env =
      process_env(container_.runtime.resolved.env, pod_.config.hostname, user.home, config.terminal);
  return {};
}

// The image's merged root as a detached mount, to fill a volume from; it ends with its descriptor.
Result<UniqueFd> Launcher::open_image_root() {
  const auto layers = layer_paths(false);
  if (layers.empty()) return fail(ErrorKind::not_found, "the image has no layers");
  if (layers.size() == 1) return open_file(layers[0], O_RDONLY | O_DIRECTORY);
  // With the owners that a volume keeps on disk.
  const auto& names = container_.runtime.resolved.layers;
  LayerView image = view({names.rbegin(), names.rend()});
  image.user_namespace = -1;
  return open_merged_layers(image);
}

Result<void> Launcher::open_root(oci::RuntimeSpec& spec) {
  const Resolved& resolved = container_.runtime.resolved;
  spec.mount_point = engine_.options().run_root + kRootMountPoint;
  TRY(make_directories(spec.mount_point, 0700));
  if (resolved.pause) {
    std::vector<std::string> points;
    for (const auto& mount : resolved.mounts) points.push_back(mount.destination);
    TRY(UniqueFd root, make_pause_root(engine_.options().programs + kPause, points));
    spec.root_tree = keep(std::move(root));
    return {};
  }
  const std::string directory = engine_.container_directory(container_.id);
  TRY(make_directories(directory + "/upper"));
  TRY(make_directories(directory + "/work", 0700));
  if (user_namespace_ >= 0) return open_mapped_root(spec, directory);
  oci::RuntimeSpec::Overlay overlay{.lower = {resolved.layers.rbegin(), resolved.layers.rend()},
                                    .layers_directory = engine_.images().layers_directory(),
                                    .upper = directory + "/upper",
                                    .work = directory + "/work"};
  spec.overlay = std::move(overlay);
  return {};
}

Result<void> Launcher::add_ipc(oci::RuntimeSpec& spec, UniqueFd pod_ipc, const UniqueFd& pod_mounts) {
  const ContainerConfig& config = container_.config;
  const auto attach = [&](UniqueFd tree) {
    shm_.push_back({.destination = "/dev/shm",
                    .type = "bind",
                    .source = "shm",
                    .options = {"rbind"},
                    .tree = keep(std::move(tree))});
  };
  const bool wants_shm = !container_.runtime.resolved.pause && !user_mounts("/dev/shm");
  switch (ipc_source(config, pod_.config)) {
    case IpcSource::pod:
      join(spec, Type::ipc, std::move(pod_ipc));
      if (wants_shm) {
        TRY(UniqueFd shm, kernel::clone_tree_in(pod_mounts.get(), "/shm"));
        attach(std::move(shm));
      }
      break;
    case IpcSource::own:
      spec.namespaces.push_back({.type = Type::ipc});
      if (wants_shm)
        shm_.push_back({.destination = "/dev/shm",
                        .type = "tmpfs",
                        .source = "shm",
                        .options = {"nosuid", "noexec", "nodev", "mode=1777",
                                    fmt::format("size={}", config.shm_size.value_or(64u << 20))}});
      break;
    case IpcSource::bare:
      spec.namespaces.push_back({.type = Type::ipc});
      break;
    case IpcSource::other: {
      TRY(auto shared, Sharing(engine_).open_ipc(config.ipc.target));
      if (shared.ipc_namespace) {
        join(spec, Type::ipc, std::move(shared.ipc_namespace));
        if (wants_shm && shared.shm) attach(std::move(shared.shm));
        break;
      }
      [[fallthrough]];  // it has the host's
    }
    case IpcSource::host:
      if (wants_shm) {
        TRY(UniqueFd shm, kernel::clone_tree("/dev/shm", false));
        TRY(kernel::set_mount_attributes(shm.get(), 0, 0, MS_PRIVATE, false));
        attach(std::move(shm));
      }
      break;
  }
  return {};
}

Result<void> Launcher::add_namespaces(oci::RuntimeSpec& spec, PodNamespaces held) {
  const ContainerConfig& config = container_.config;
  if (user_namespace_ >= 0) map_users(spec);
  spec.namespaces.push_back({.type = Type::mount});
  if (held.net) join(spec, Type::network, std::move(held.net));
  if (held.uts && config.uts.kind != "host") join(spec, Type::uts, std::move(held.uts));
  TRY(add_ipc(spec, std::move(held.ipc), held.mount));
  if (container_.runtime.resolved.pause && held.mount) spec.mounts_from = keep(std::move(held.mount));
  if (config.pid.kind == "container") {
    TRY(UniqueFd pid, live_.runs(config.pid.target)
                          ? open_of_process(live_, config.pid.target, "ns/pid", O_RDONLY)
                          : Sharing(engine_).open_pid_namespace(config.pid.target));
    join(spec, Type::pid, std::move(pid));
  } else if (config.pid.kind != "host") {
    spec.namespaces.push_back({.type = Type::pid});
  }
  if (private_cgroup_namespace(config, user_namespace_ >= 0))
    spec.namespaces.push_back({.type = Type::cgroup});
  return {};
}

Result<void> Launcher::add_mounts(oci::RuntimeSpec& spec) {
  const Resolved& resolved = container_.runtime.resolved;
  const SelinuxLabels labels = selinux_labels(container_.config.selinux_label);
  TRY(auto prepared,
      prepare_mounts(
          {.root = engine_.options().root,
           .open_image = [this] { return open_image_root(); },
           .clone_image = [this](const auto& mount) { return engine_.clone_image(mount, user_namespace_); },
           .user_namespace = user_namespace_,
           .labels = labels,
           .again = container_.runtime.started != 0},
          resolved.mounts));
  container_.runtime.mounts = std::move(prepared.applied);
  for (UniqueFd& tree : prepared.trees) kept_.push_back(std::move(tree));
  std::vector<oci::Mount> mounts = std::move(prepared.mounts);
  if (!resolved.pause) {
    for (const char* name : {"resolv.conf", "hostname", "hosts"}) {
      const std::string destination = fmt::format("/etc/{}", name);
      if (user_mounts(destination)) continue;
      const std::string source = engine_.run_directory(pod_.id) + "/" + name;
      TRY(relabel(source, VolumeMount::Relabel::exclusive, labels, false));
      TRY(UniqueFd tree, kernel::clone_tree(source, false));
      const std::uint64_t attributes = container_.config.readonly_root ? MOUNT_ATTR_RDONLY : 0;
      TRY(kernel::set_mount_attributes(tree.get(), attributes, 0, MS_PRIVATE, false));
      mounts.push_back({.destination = destination,
                        .type = "bind",
                        .source = source,
                        .options = {"rbind"},
                        .tree = keep(std::move(tree)),
                        .file_target = true});
    }
  }
  if (!container_.config.edits.mounts.empty()) TRY(add_edited_mounts(&mounts));
  // Outer ones first: a volume at /etc must not cover /etc/hosts.
  std::stable_sort(mounts.begin(), mounts.end(),
                   [](const auto& a, const auto& b) { return depth(a) < depth(b); });
  spec.mounts.insert(spec.mounts.end(), shm_.begin(), shm_.end());
  spec.mounts.insert(spec.mounts.end(), device_mounts_.begin(), device_mounts_.end());
  spec.mounts.insert(spec.mounts.end(), mounts.begin(), mounts.end());
  return {};
}

// What it may use, and what of that is to be made in /dev.
Result<std::vector<AllowedDevice>> Launcher::collect_devices(std::vector<oci::Device>* nodes) {
  std::vector<AllowedDevice> devices;
  if (container_.config.privileged) devices = all_host_devices();
  for (const AllowedDevice& allowed : devices) nodes->push_back(allowed.device);
  for (const std::string& text : container_.config.devices) {
    TRY(const DeviceRequest request, parse_device(text));
    TRY(const auto found, find_devices(request));
    for (const AllowedDevice& allowed : found) TRY(add_device(request, allowed.device, nodes));
    devices.insert(devices.end(), found.begin(), found.end());
  }
  TRY(add_edited_nodes(nodes, &devices));
  return devices;
}

Result<void> Launcher::make_group(const std::vector<AllowedDevice>& devices) {
  TRY(const auto* mounts, engine_.cgroup_mounts());
  const std::string path = engine_.container_cgroup(pod_, container_.id);
  // A group in which cgroup.kill was once written is no good: since 6.14 the kernel counts kills, compares a
  // clone's count with its parent's group, and kills what CLONE_INTO_CGROUP brings into such a group
  // (kernel/cgroup/cgroup.c).
  if (const auto old = kernel::Cgroup::open(*mounts, path); old.exists()) TRY(old.remove());
  TRY(auto group, kernel::Cgroup::create(*mounts, path));
  auto limits = make_limits(container_.config, devices);
  TRY(std::string warning, apply_limits(group, container_.config.resources, limits));
  if (!warning.empty()) warn(std::move(warning));
  TRY(group_, group.open_handles());
  if (limits.memory_max) oom_events_ = group.open_oom_events();
  return {};
}

// What the container sees of it.
Result<void> Launcher::open_group(oci::RuntimeSpec& spec) {
  TRY(auto opened, runtime::open_mounts(&spec, "/", engine_.container_cgroup(pod_, container_.id)));
  for (UniqueFd& descriptor : opened.descriptors) kept_.push_back(std::move(descriptor));
  return {};
}

void Launcher::warn_of_sysctls() {
  if (container_.config.net.kind != "container") return;
  for (const auto& [name, value] : container_.config.sysctls)
    if (name.starts_with("net."))
      warn(fmt::format("sysctl {}: the network namespace is not this container's own", name));
}

Result<void> Launcher::warn_of_limits() {
  const ContainerConfig& config = container_.config;
  if (config.ulimits.empty() && !config.oom_score_adj) return {};
  const bool privileged = may_raise_limits();
  for (const Ulimit& ulimit : config.ulimits) {
    if (ulimit.name == "nofile") {
      // No capability goes beyond it, proc_sys_fs(5).
      TRY(const std::string text, read_file("/proc/sys/fs/nr_open", 64));
      const auto ceiling = parse_unsigned(trim(text));
      if (ceiling && ulimit.hard > *ceiling) {
        warn(fmt::format("ulimit nofile={}: fs.nr_open is {}: the limit stays as it is",
                         limit_text(ulimit.hard), *ceiling));
        continue;
      }
    }
    rlimit own = {};
    if (privileged || ::getrlimit(static_cast<__rlimit_resource>(rlimit_number(ulimit.name)), &own) != 0)
      continue;
    if (ulimit.hard > own.rlim_max)
      warn(fmt::format(
          "ulimit {}={}: the hard limit here is {}, and raising it needs CAP_SYS_RESOURCE: it stays as it is",
          ulimit.name, limit_text(ulimit.hard), own.rlim_max));
  }
  if (config.oom_score_adj && !privileged) {
    TRY(const std::string own, read_file("/proc/self/oom_score_adj", 64));
    if (*config.oom_score_adj < parse_signed(trim(own)).value_or(0))
      warn(fmt::format("oom_score_adj {}: lowering it below {} needs CAP_SYS_RESOURCE: it stays as it is",
                       *config.oom_score_adj, trim(own)));
  }
  return {};
}

// A log elsewhere is reached through a link of its name: the monitor need not know of it.
Result<void> Launcher::place_log(const std::string& directory) {
  const std::string& target = container_.config.log_path;
  if (target.empty()) return {};
  TRY(make_directories(target.substr(0, target.rfind('/')), 0755));
  const std::string link = directory + "/" + monitor::kLogFile;
  if (::symlink(target.c_str(), link.c_str()) != 0 && errno != EEXIST)
    return fail(errno, "link the log to '{}'", target);
  return {};
}

Result<void> Launcher::plan_start(const oci::RuntimeSpec& spec) {
  TRY(actions_, StartActions::make(engine_, container_));
  runtime::StartOptions options;
  if (actions_) {
    TRY(actions_->prepare(spec, engine_.container_cgroup(pod_, container_.id)));
    options = actions_->start_options();
  }
  TRY(plan_, runtime::plan_container(spec, options));
  for (const std::string& skipped : plan_.skipped) warn(skipped);
  return {};
}

Result<void> Launcher::prepare(const StreamSelection& streams) {
  ContainerConfig& config = container_.config;
  const Resolved& resolved = container_.runtime.resolved;
  const std::string directory = engine_.container_directory(container_.id);
  TRY(make_directories(directory, 0710));
  TRY(directory_, open_file(directory, O_RDONLY | O_DIRECTORY));
  // Of the last run: from here on it speaks of this one.
  if (::unlinkat(directory_.get(), monitor::kExitFile, 0) != 0 && errno != ENOENT)
    return fail(errno, "remove '{}/{}'", directory, monitor::kExitFile);
  TRY(place_log(directory));
  TRY(resolve_process());

  TRY(auto held, live_.client.namespaces());
  if (held.user) user_namespace_ = keep(std::move(held.user));
  std::vector<oci::Device> nodes;
  TRY(const auto devices, collect_devices(&nodes));
  SpecInput input{.config = config,
                  .resolved = resolved,
                  .user = container_.runtime.user,
                  .env = container_.runtime.env,
                  .devices = std::move(nodes),
                  .rows = streams.rows,
                  .columns = streams.columns,
                  .labels = selinux_labels(config.selinux_label)};
  oci::RuntimeSpec spec;
  if (resolved.pause) {
    spec = make_pause_spec(input);
  } else {
    TRY(spec, make_spec(input));
  }
  TRY(add_namespaces(spec, std::move(held)));
  if (!is_foreign(container_)) {
    TRY(make_group(devices));
    TRY(open_group(spec));
  }
  TRY(open_root(spec));
  TRY(add_mounts(spec));
  if (is_foreign(container_)) return prepare_foreign(spec, devices);
  TRY(const Security security, parse_security(config.security_opt));
  if (!config.privileged && !security.seccomp_unconfined) {
    const auto& capabilities = spec.process.capabilities.bounding;
    const std::string cache = engine_.options().root + "/cache";
    auto program = !security.seccomp_profile.empty()
                       ? runtime::seccomp_from_profile(security.seccomp_profile, capabilities)
                   : resolved.pause ? runtime::pause_seccomp(cache)
                                    : runtime::default_seccomp(cache, capabilities);
    if (!program) return tl::unexpected(std::move(program.error()));
    spec.seccomp_program = keep(std::move(*program));
  }
  warn_of_sysctls();
  TRY(warn_of_limits());
  TRY(plan_start(spec));
  TRY(init_program_, kernel::open_program(engine_.options().programs + kInit));
  return {};
}

}  // namespace fermata::pod
