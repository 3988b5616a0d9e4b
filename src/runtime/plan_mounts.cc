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

// mount(2) copies one page of options and cuts off the rest without a word.
constexpr std::size_t kMaxMountData = 4095;

// Overlay reads ':' and ',' as separators and '\' as the escape.
std::string escaped(std::string_view path) {
  std::string result;
  for (const char c : path) {
    if (c == ':' || c == ',' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

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

void bind_root(const std::string& source, const std::string& target, PlanBuilder* plan) {
  plan->add({.op = Op::mount_root, .flags = MS_BIND | MS_REC, .strings = {"", source, target, ""}},
            fmt::format("use '{}' as the root", source));
}

Result<void> plan_overlay(const oci::RuntimeSpec::Overlay& overlay, const std::string& mount_point,
                          PlanBuilder* plan) {
  plan->add({.op = Op::change_directory, .strings = {overlay.layers_directory}},
            fmt::format("enter the layers at '{}'", overlay.layers_directory));
  // Overlay wants an upper and a lower layer, or two lower ones; what is alone is the root itself.
  if (overlay.lower.empty() && overlay.upper.empty())
    return fail(ErrorKind::invalid_argument, "a root file system without any layer");
  if (overlay.lower.empty()) {
    bind_root(overlay.upper, mount_point, plan);
    return {};
  }
  if (overlay.lower.size() == 1 && overlay.upper.empty()) {
    bind_root(overlay.lower[0], mount_point, plan);
    return {};
  }
  std::string data = "lowerdir=";
  for (std::size_t i = 0; i < overlay.lower.size(); ++i) {
    if (i > 0) data += ':';
    data += escaped(overlay.lower[i]);
  }
  if (!overlay.upper.empty())
    data += fmt::format(",upperdir={},workdir={}", escaped(overlay.upper), escaped(overlay.work));
  // An index would refuse the same upper directory after a crash, and needs file handles of the lower ones.
  data += ",index=off";
  if (data.size() > kMaxMountData)
    return fail(ErrorKind::unsupported,
                "{} layers are too many for one overlay mount ({} bytes of options, at most {})",
                overlay.lower.size(), data.size(), kMaxMountData);
  plan->add({.op = Op::mount_root, .strings = {"overlay", "overlay", mount_point, data}},
            "mount the overlay root file system");
  return {};
}

// A volume in the place of the kernel's files would hide what is masked there, and make writes to them go
// astray (CVE-2019-16884).
Result<void> check_destination(const oci::Mount& mount, const std::string& destination) {
  const bool in_proc = destination == "/proc" || destination.starts_with("/proc/");
  if (in_proc && !(destination == "/proc" && mount.type == "proc"))
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
}

// One mount. `readonly_later` collects what must be writable until everything in it is made.
Result<void> plan_mount(const oci::Mount& mount, std::vector<std::string>* readonly_later,
                        PlanBuilder* plan) {
  TRY(const std::string destination, clean_path(mount.destination));
  TRY(check_destination(mount, destination));
  if (mount.tree >= 0) {
    plan_tree(mount, destination, plan);
    return {};
  }
  MountOptions options = parse_mount_options(mount.options);
  if (mount.type == "bind") options.flags |= MS_BIND;
  if (options.flags & MS_BIND) options.flags |= options.propagation;
  if (mount.type == "tmpfs" && (options.flags & MS_RDONLY)) {
    options.flags &= ~std::uint32_t{MS_RDONLY};
    readonly_later->push_back(destination);
  }
  if (options.data.size() > kMaxMountData)
    return fail(ErrorKind::invalid_argument, "the options of the mount at '{}' are too long", destination);
  const Target target = mount.file_target ? Target::file : Target::directory;
  plan->add(
      {.op = Op::mount,
       .flags = options.flags,
       .a = static_cast<std::uint64_t>(target),
       .b = may_be_missing(mount.type) ? init::kOptional : 0,
       .strings = {mount.source.empty() ? mount.type : mount.source, destination, mount.type, options.data}},
      fmt::format("mount {} at '{}'",
                  (options.flags & MS_BIND) ? fmt::format("'{}'", mount.source) : mount.type, destination));
  if (mount.type == "cgroup") plan_controller_links(destination, plan);
  return {};
}

Result<void> plan_device(const oci::Device& device, PlanBuilder* plan) {
  TRY(const std::string path, clean_path(device.path));
  const std::uint32_t type = device.type == 'b' ? S_IFBLK : device.type == 'p' ? S_IFIFO : S_IFCHR;
  std::string owner;
  if (device.uid != 0 || device.gid != 0)
    owner = bytes_of(std::array<std::uint32_t, 2>{device.uid, device.gid});
  plan->add({.op = Op::make_node,
             .a = type | (device.file_mode & 07777),
             .b = makedev(device.major, device.minor),
             .data = std::move(owner),
             .strings = {path}},
            fmt::format("make device '{}'", path));
  return {};
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

Result<void> plan_root(const oci::RuntimeSpec& spec, PlanBuilder* plan) {
  if (spec.mount_point.empty() || spec.mount_point[0] != '/')
    return fail(ErrorKind::invalid_argument, "the root's mount point '{}' is not an absolute path",
                spec.mount_point);
  const std::uint32_t propagation = parse_propagation(spec.rootfs_propagation);
  if (propagation == 0)
    return fail(ErrorKind::invalid_argument, "unknown root propagation '{}'", spec.rootfs_propagation);
  // Nothing may go to the host. What it mounts later reaches us only where the container asked for it.
  const std::uint32_t towards_host = (propagation & (MS_SLAVE | MS_SHARED)) != 0 ? MS_SLAVE : MS_PRIVATE;
  plan->add({.op = Op::set_propagation, .flags = towards_host | MS_REC},
            "cut the mounts off from the host's");
  if (spec.root_tree >= 0) {
    plan->add({.op = Op::attach_root, .fd = spec.root_tree, .strings = {spec.mount_point}},
              "attach the root file system");
  } else if (spec.overlay) {
    TRY(plan_overlay(*spec.overlay, spec.mount_point, plan));
  } else if (!spec.root_path.empty()) {
    bind_root(spec.root_path, spec.mount_point, plan);
  } else {
    return fail(ErrorKind::invalid_argument, "no root file system");
  }
  plan->add({.op = Op::open_root, .strings = {spec.mount_point}}, "open the root file system");
  return {};
}

Result<void> plan_file_system(const oci::RuntimeSpec& spec, const StartOptions& options, PlanBuilder* plan) {
  std::vector<std::string> readonly_later;
  for (const oci::Mount& mount : spec.mounts) TRY(plan_mount(mount, &readonly_later, plan));
  for (const oci::Device& device : spec.devices) TRY(plan_device(device, plan));
  plan_device_links(spec, plan);
  if (spec.root_readonly && spec.process.cwd != "/" && !spec.process.cwd.empty())
    plan->add({.op = Op::make_directory, .a = 0755, .strings = {spec.process.cwd}},
              fmt::format("make the working directory '{}'", spec.process.cwd));
  for (const std::string& path : readonly_later)
    plan->add({.op = Op::remount, .flags = MS_RDONLY, .strings = {path}},
              fmt::format("make '{}' read-only", path));
  TRY(plan_covers(spec, plan));
  if (options.synchronize) plan->add({.op = Op::synchronize}, "wait for the hooks");
  plan->add({.op = Op::pivot_root}, "enter the root file system");
  const std::uint32_t propagation = parse_propagation(spec.rootfs_propagation);
  if (propagation & MS_SHARED)
    plan->add({.op = Op::set_propagation, .flags = propagation}, "share the container's mounts");
  if (spec.root_readonly)
    plan->add({.op = Op::remount, .flags = MS_RDONLY, .strings = {"/"}},
              "make the root file system read-only");
  return {};
}

}  // namespace fermata::runtime
