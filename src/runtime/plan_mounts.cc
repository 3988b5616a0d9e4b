#include "runtime/plan_mounts.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "runtime/mount_options.h"

namespace fermata::runtime {
namespace {

using init::Op;
using init::Target;

// The plan's form of a path that the caller may have written with "." or a double slash; ".." is refused, for
// it would mean another place after a mount than before.
Result<std::string> clean_path(const std::string& path) {
  if (path.empty() || path[0] != '/')
    return fail(ErrorKind::invalid_argument, "'{}' is not an absolute path in the container", path);
  std::string result;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(ErrorKind::invalid_argument, "'{}' has a '..'", path);
    result += '/';
    result += part;
  }
  return result.empty() ? "/" : result;
}

// What other runtimes let be replaced below /proc: files that only tell something, so that a container sees
// its own limits instead of the machine's.
constexpr auto kReplaceable = std::to_array<std::string_view>(
    {"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
     "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
     "/proc/sys/crypto/fips_enabled"});

// A volume in the place of the kernel's files would hide what is masked there, and make writes to them go
// astray (CVE-2019-16884).
Result<void> check_destination(const oci::Mount& mount, const std::string& destination) {
  const bool in_proc = destination == "/proc" || destination.starts_with("/proc/");
  const bool replaceable =
      std::find(kReplaceable.begin(), kReplaceable.end(), destination) != kReplaceable.end();
  if (in_proc && !replaceable && !(destination == "/proc" && mount.type == "proc"))
    return fail(ErrorKind::invalid_argument, "cannot mount at '{}': it is inside /proc", destination);
  if (destination == "/")
    return fail(ErrorKind::invalid_argument, "cannot mount '{}' at '/': it is the container's root",
                mount.source);
  return {};
}

bool may_be_missing(const std::string& type) {
  // mqueue is a kernel option; a cgroup hierarchy may be mounted with options that exclude ours.
  return type == "mqueue" || type == "cgroup" || type == "cgroup2";
}

// "cpu,cpuacct" is also found as "cpu" and as "cpuacct".
void plan_controller_links(const std::string& destination, PlanBuilder* plan) {
  const auto slash = destination.rfind('/');
  const std::string directory = destination.substr(0, slash + 1);
  const std::string name = destination.substr(slash + 1);
  if (name.find(',') == std::string::npos) return;
  for (const std::string_view part : split(name, ','))
    plan->add({.op = Op::make_symlink, .strings = {name, directory + std::string(part)}},
              fmt::format("link '{}{}'", directory, part));
}

void plan_tree(const oci::Mount& mount, const std::string& destination, PlanBuilder* plan) {
  const Target target = mount.file_target ? Target::file : Target::directory;
  plan->add({.op = Op::attach_mount,
             .fd = mount.tree,
             .a = static_cast<std::uint64_t>(target),
             .strings = {destination}},
            fmt::format("mount '{}' at '{}'", mount.source, destination));
  if (mount.type == "cgroup") plan_controller_links(destination, plan);
}

bool maps_group(const oci::RuntimeSpec& spec, std::uint64_t gid) {
  return std::any_of(spec.gid_mappings.begin(), spec.gid_mappings.end(), [&](const oci::IdMapping& mapping) {
    return gid >= mapping.container_id && gid - mapping.container_id < mapping.size;
  });
}

// Options that the file system would refuse here.
std::string usable_data(const oci::RuntimeSpec& spec, const oci::Mount& mount, const std::string& data) {
  if (mount.type != "devpts" || !has_user_namespace(spec) || spec.gid_mappings.empty()) return data;
  std::vector<std::string> kept;
  for (const std::string_view option : split(data, ',')) {
    // A group that the user namespace does not have: its terminals belong to their user's group then.
    const auto gid = option.starts_with("gid=") ? parse_unsigned(option.substr(4)) : std::nullopt;
    if (!gid || maps_group(spec, *gid)) kept.emplace_back(option);
  }
  return join(kept, ",");
}

// What SELinux calls the files of a new file system. Those of the kernel have labels of their own.
void add_label(const oci::RuntimeSpec& spec, const oci::Mount& mount, std::string* data) {
  constexpr auto kUnlabelled =
      std::to_array<std::string_view>({"proc", "sysfs", "mqueue", "cgroup", "cgroup2"});
  if (spec.mount_label.empty() ||
      std::find(kUnlabelled.begin(), kUnlabelled.end(), mount.type) != kUnlabelled.end())
    return;
  *data += fmt::format("{}context=\"{}\"", data->empty() ? "" : ",", spec.mount_label);
}

void plan_change(const std::string& destination, const kernel::MountAttributes& change,
                 std::string description, PlanBuilder* plan) {
  if (change == kernel::MountAttributes{}) return;
  plan->add({.op = Op::remount, .data = bytes_of(change), .strings = {destination}}, std::move(description));
}

// A bind that is left to init, and changes of what is mounted there already ("remount,bind,ro"; propagation
// alone).
void plan_bind(const oci::Mount& mount, const MountOptions& options, const std::string& destination,
               PlanBuilder* plan) {
  if (options.remounts() || mount.source.empty())
    return plan_change(destination, options.attributes, fmt::format("change the mount at '{}'", destination),
                       plan);
  plan->add({.op = Op::mount,
             .flags = MS_BIND | (options.flags & MS_REC),
             .a = static_cast<std::uint64_t>(mount.file_target ? Target::file : Target::directory),
             .data = bytes_of(options.attributes),
             .strings = {mount.source, destination, "bind", ""}},
            fmt::format("mount '{}' at '{}'", mount.source, destination));
}

// `readonly_later` collects what must be writable until everything in it is made.
Result<void> plan_file_system_mount(const oci::RuntimeSpec& spec, const oci::Mount& mount,
                                    MountOptions options, const std::string& destination,
                                    std::vector<std::string>* readonly_later, PlanBuilder* plan) {
  if (mount.type == "tmpfs" && (options.flags & MS_RDONLY) != 0 && !options.remounts()) {
    options.flags &= ~std::uint32_t{MS_RDONLY};
    readonly_later->push_back(destination);
  }
  std::string data = usable_data(spec, mount, options.data);
  if (!options.remounts()) add_label(spec, mount, &data);
  if (data.size() > kMaxMountData)
    return fail(ErrorKind::invalid_argument, "the options of the mount at '{}' are too long", destination);
  const Target target = options.remounts()  ? Target::existing
                        : mount.file_target ? Target::file
                                            : Target::directory;
  const std::uint64_t propagation = options.attributes.propagation;
  plan->add({.op = Op::mount,
             .flags = options.flags,
             .a = static_cast<std::uint64_t>(target),
             .b = may_be_missing(mount.type) ? init::kOptional : 0,
             .data = propagation == 0 ? "" : bytes_of(kernel::MountAttributes{.propagation = propagation}),
             .strings = {mount.source.empty() ? mount.type : mount.source, destination, mount.type, data}},
            fmt::format("{} {} at '{}'", options.remounts() ? "remount" : "mount", mount.type, destination));
  if (mount.type == "cgroup") plan_controller_links(destination, plan);
  return {};
}

Result<void> plan_mount(const oci::RuntimeSpec& spec, const oci::Mount& mount,
                        std::vector<std::string>* readonly_later, PlanBuilder* plan) {
  TRY(const std::string destination, clean_path(mount.destination));
  TRY(check_destination(mount, destination));
  if (mount.tree >= 0) {
    plan_tree(mount, destination, plan);
    return {};
  }
  MountOptions options = parse_mount_options(mount.options);
  if (options.idmap != MountOptions::Idmap::none || options.copy_up || !mount.uid_mappings.empty())
    return fail(ErrorKind::unsupported,
                "the mount at '{}' maps ids or copies up, and was not opened beforehand", destination);
  const bool nothing_new = mount.source.empty() && (mount.type.empty() || mount.type == "none");
  if (options.binds() || mount.type == "bind" || nothing_new) {
    plan_bind(mount, options, destination, plan);
    return {};
  }
  return plan_file_system_mount(spec, mount, std::move(options), destination, readonly_later, plan);
}

Result<void> plan_device(const oci::RuntimeSpec& spec, const oci::Device& device, PlanBuilder* plan) {
  TRY(const std::string path, clean_path(device.path));
  const std::uint32_t type = device.type == 'b' ? S_IFBLK : device.type == 'p' ? S_IFIFO : S_IFCHR;
  std::string owner;
  if (device.uid != 0 || device.gid != 0)
    owner = bytes_of(std::array<std::uint32_t, 2>{device.uid, device.gid});
  // In a user namespace a node can be made by nobody, but a FIFO is no device.
  const bool from_host = has_user_namespace(spec) && device.type != 'p';
  plan->add({.op = Op::make_node,
             .flags = from_host ? init::kHostNode : 0,
             .a = type | (device.file_mode & 07777),
             .b = makedev(device.major, device.minor),
             .data = std::move(owner),
             .strings = {path}},
            fmt::format("make device '{}'", path));
  return {};
}

// The host's /dev, or another one that is complete: nothing is to be made in there.
bool brings_its_dev(const oci::RuntimeSpec& spec) {
  return std::any_of(spec.mounts.begin(), spec.mounts.end(), [](const oci::Mount& mount) {
    return mount.destination == "/dev" && mount.type != "tmpfs" &&
           (mount.tree >= 0 || mount.type == "bind" || parse_mount_options(mount.options).binds());
  });
}

bool has_mount(const oci::RuntimeSpec& spec, std::string_view destination) {
  return std::any_of(spec.mounts.begin(), spec.mounts.end(),
                     [&](const oci::Mount& mount) { return mount.destination == destination; });
}

// What programs expect in /dev besides devices; runtime-spec, "Dev symbolic links".
void plan_device_links(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  constexpr auto kLinks = std::to_array<std::pair<const char*, const char*>>({
      {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"},
      {"/proc/kcore", "/dev/core"},
  });
  if (!has_mount(spec, "/dev")) return;
  for (const auto& [target, path] : kLinks)
    plan->add({.op = Op::make_symlink, .strings = {target, path}}, fmt::format("link '{}'", path));
  if (has_mount(spec, "/dev/pts"))
    plan->add({.op = Op::make_symlink, .strings = {"pts/ptmx", "/dev/ptmx"}}, "link '/dev/ptmx'");
}

void plan_readonly(const std::string& path, PlanBuilder* plan) {
  plan_change(path, {.set = MOUNT_ATTR_RDONLY},
              path == "/" ? "make the root file system read-only" : fmt::format("make '{}' read-only", path),
              plan);
}

Result<void> plan_covers(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  for (const std::string& given : spec.readonly_paths) {
    TRY(const std::string path, clean_path(given));
    plan->add({.op = Op::readonly_path, .strings = {path}}, fmt::format("make '{}' read-only", path));
  }
  for (const std::string& given : spec.masked_paths) {
    TRY(const std::string path, clean_path(given));
    plan->add({.op = Op::mask_path, .strings = {path}}, fmt::format("mask '{}'", path));
  }
  return {};
}

}  // namespace

Result<void> plan_file_system(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan) {
  std::vector<std::string> readonly_later;
  for (const oci::Mount& mount : spec.mounts) TRY(plan_mount(spec, mount, &readonly_later, plan));
  if (!brings_its_dev(spec)) {
    for (const oci::Device& device : spec.devices) TRY(plan_device(spec, device, plan));
    plan_device_links(spec, plan);
  }
  if (spec.root_readonly && spec.process.cwd != "/" && !spec.process.cwd.empty())
    plan->add({.op = Op::make_directory, .a = 0755, .strings = {spec.process.cwd}},
              fmt::format("make the working directory '{}'", spec.process.cwd));
  for (const std::string& path : readonly_later) plan_readonly(path, plan);
  TRY(plan_covers(spec, plan));
  if (options.synchronize)
    plan->add({.op = Op::synchronize, .fd = options.synchronize_socket, .a = kMountsMade},
              "wait for the hooks");
  plan->add({.op = Op::pivot_root, .flags = options.pivot ? 0 : init::kMoveRoot},
            "enter the root file system");
  // Slave and private it is already; plan_root.
  const std::uint32_t propagation = parse_propagation(spec.rootfs_propagation);
  if (propagation & (MS_SHARED | MS_UNBINDABLE))
    plan->add({.op = Op::set_propagation, .flags = propagation},
              fmt::format("make the container's root {}", spec.rootfs_propagation));
  if (spec.root_readonly) plan_readonly("/", plan);
  return {};
}

}  // namespace fermata::runtime
