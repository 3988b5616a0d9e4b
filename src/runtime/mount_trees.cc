#include "runtime/mount_trees.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "kernel/copy_tree.h"
#include "kernel/mounts.h"
#include "kernel/security_modules.h"
#include "kernel/user_namespace.h"
#include "runtime/cgroup_mounts.h"
#include "runtime/mount_options.h"

namespace fermata::runtime {
namespace {

std::vector<kernel::IdRange> ranges_of(const std::vector<oci::IdMapping>& mappings) {
  std::vector<kernel::IdRange> ranges;
  for (const oci::IdMapping& mapping : mappings)
    ranges.push_back({mapping.container_id, mapping.host_id, mapping.size});
  return ranges;
}

std::string path_in(const std::string& bundle, const std::string& path) {
  return path.starts_with('/') ? path : bundle + "/" + path;
}

// As other runtimes read it: relative to the container's root. A ".." is left for the plan to refuse.
std::string destination_of(const std::string& given) {
  std::string path;
  for (const std::string_view part : split(given, '/')) {
    if (part.empty() || part == ".") continue;
    path += '/';
    path += part;
  }
  return path.empty() ? "/" : path;
}

// Each hierarchy that is bound takes one, here and in init. Nobody is refused for want of them: init makes
// mounts of its own then.
bool descriptors_are_scarce() {
  constexpr rlim_t kEnough = 256;
  rlimit limit = {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kEnough;
}

std::vector<oci::IdMapping> mappings_of(const std::vector<kernel::IdRange>& ranges) {
  std::vector<oci::IdMapping> mappings;
  for (const kernel::IdRange& range : ranges) mappings.push_back({range.inside, range.outside, range.size});
  return mappings;
}

class Opener {
 public:
  Opener(oci::RuntimeSpec* spec, const std::string& bundle, const std::string& cgroup)
      : spec_(*spec), bundle_(bundle), cgroup_(cgroup) {}

  Result<void> ids();
  void labels();
  Result<void> root();
  Result<void> mounts();
  PreparedMounts take() && { return std::move(prepared_); }

 private:
  Result<void> mount(oci::Mount* mount);
  Result<void> bind(const MountOptions& options, oci::Mount* mount);
  Result<void> idmap(const MountOptions& options, const oci::Mount& mount, int tree);
  Result<int> id_namespace(const oci::Mount& mount);
  Result<void> copy_up(const MountOptions& options, oci::Mount* mount);
  Result<void> adopt_mode(const MountOptions& options, oci::Mount* mount) const;
  std::uint64_t propagation_of(const MountOptions& options) const;
  int keep(UniqueFd fd) {
    prepared_.descriptors.push_back(std::move(fd));
    return prepared_.descriptors.back().get();
  }

  oci::RuntimeSpec& spec_;
  const std::string& bundle_;
  const std::string& cgroup_;
  PreparedMounts prepared_;
  std::vector<std::pair<kernel::IdMaps, int>> id_namespaces_;  // made for mounts
};

Result<void> Opener::ids() {
  for (const oci::Namespace& one : spec_.namespaces) {
    if (one.type != oci::Namespace::Type::user || one.fd < 0 || !spec_.uid_mappings.empty()) continue;
    TRY(const kernel::IdMaps maps, kernel::read_id_maps(one.fd));
    spec_.uid_mappings = mappings_of(maps.uids);
    spec_.gid_mappings = mappings_of(maps.gids);
  }
  return {};
}

// Without SELinux a file system does not know the option.
void Opener::labels() {
  if (spec_.mount_label.empty() || kernel::selinux_enabled()) return;
  prepared_.skipped.push_back(
      fmt::format("mount label {}: SELinux is not enabled on this host", spec_.mount_label));
  spec_.mount_label.clear();
}

// A copy of a mount of the host's is its peer if that one is shared. What the container mounts in its root
// shall never show on the host; what the host mounts later reaches us only where the container asked for it.
Result<void> Opener::root() {
  if (spec_.root_path.empty()) return {};
  const std::string path = path_in(bundle_, spec_.root_path);
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return fail(errno, "root file system '{}'", path);
  if (!S_ISDIR(info.st_mode))
    return fail(ErrorKind::invalid_argument, "the root file system '{}' is not a directory", path);
  TRY(UniqueFd tree, kernel::clone_tree(path, true));
  const std::uint64_t asked = parse_propagation(spec_.rootfs_propagation);
  const std::uint64_t from_host = (asked & (MS_SLAVE | MS_SHARED)) != 0 || asked == 0 ? MS_SLAVE : MS_PRIVATE;
  TRY(kernel::set_mount_attributes(tree.get(), 0, 0, from_host, true));
  spec_.root_tree = keep(std::move(tree));
  return {};
}

Result<void> Opener::mounts() {
  for (oci::Mount& each : spec_.mounts) each.destination = destination_of(each.destination);
  if (has_cgroup_mount(spec_.mounts)) {
    TRY(const auto host, kernel::CgroupMounts::of_host());
    const auto view =
        std::find_if(spec_.namespaces.begin(), spec_.namespaces.end(),
                     [](const oci::Namespace& one) { return one.type == oci::Namespace::Type::cgroup; });
    // The root of one that is joined is elsewhere. The whole of v2 is what runc shows without one.
    const bool has_view = view != spec_.namespaces.end();
    const bool bound = has_view ? view->fd < 0 && !descriptors_are_scarce() : !host.pure_v2();
    expand_cgroup_mounts(&spec_.mounts, host, bound ? cgroup_ : "");
  }
  for (oci::Mount& each : spec_.mounts)
    if (auto opened = mount(&each); !opened)
      return fail_with(std::move(opened.error()), fmt::format("mount at '{}'", each.destination));
  return {};
}

Result<void> Opener::mount(oci::Mount* mount) {
  if (mount->tree >= 0) return {};
  const MountOptions options = parse_mount_options(mount->options);
  const bool maps = options.idmap != MountOptions::Idmap::none || !mount->uid_mappings.empty();
  if (options.binds() || mount->type == "bind")
    return options.remounts() ? Result<void>() : bind(options, mount);
  if (maps) return fail(ErrorKind::unsupported, "only a bind mount can have its ids mapped");
  if (mount->type != "tmpfs" || spec_.root_tree < 0) return {};
  return options.copy_up ? copy_up(options, mount) : adopt_mode(options, mount);
}

// What was asked for; else what the whole root has.
std::uint64_t Opener::propagation_of(const MountOptions& options) const {
  if (options.attributes.propagation != 0) return options.attributes.propagation;
  const std::uint64_t whole = parse_propagation(spec_.rootfs_propagation);
  return whole == 0 ? MS_SLAVE | MS_REC : whole | MS_REC;
}

Result<void> Opener::bind(const MountOptions& options, oci::Mount* mount) {
  if (mount->source.empty()) return fail(ErrorKind::invalid_argument, "nothing to bind (no source)");
  const std::string source = path_in(bundle_, mount->source);
  TRY(UniqueFd tree, kernel::clone_tree(source, (options.flags & MS_REC) != 0));
  struct stat info = {};
  struct statfs system = {};
  if (::fstat(tree.get(), &info) != 0 || ::fstatfs(tree.get(), &system) != 0)
    return fail(errno, "look at '{}'", source);
  mount->file_target = !S_ISDIR(info.st_mode);
  // Whoever plans cannot look: the one thing that may be bound over /proc is a procfs.
  if (system.f_type == PROC_SUPER_MAGIC && S_ISDIR(info.st_mode) && info.st_ino == 1) mount->type = "proc";
  TRY(idmap(options, *mount, tree.get()));
  kernel::MountAttributes attributes = options.attributes;
  attributes.propagation = propagation_of(options);
  // Shared, but with the host only if the whole root is: a group of its own then, which still hears of the
  // host's.
  if ((attributes.propagation & MS_SHARED) != 0 &&
      (parse_propagation(spec_.rootfs_propagation) & MS_SHARED) == 0)
    TRY(kernel::set_mount_attributes(tree.get(), 0, 0, MS_SLAVE, (attributes.propagation & MS_REC) != 0));
  TRY(kernel::change_mount(tree.get(), attributes));
  mount->tree = keep(std::move(tree));
  return {};
}

// Whose ids a mount shows; one namespace for all that map alike.
Result<int> Opener::id_namespace(const oci::Mount& mount) {
  if (mount.uid_mappings.empty()) {
    for (const oci::Namespace& one : spec_.namespaces)
      if (one.type == oci::Namespace::Type::user && one.fd >= 0) return one.fd;
    return fail(ErrorKind::invalid_argument,
                "'idmap' without mappings needs a container with a user namespace");
  }
  const kernel::IdMaps maps = {ranges_of(mount.uid_mappings), ranges_of(mount.gid_mappings)};
  for (const auto& [known, fd] : id_namespaces_)
    if (known == maps) return fd;
  TRY(UniqueFd made, kernel::make_user_namespace(maps));
  const int fd = keep(std::move(made));
  id_namespaces_.emplace_back(maps, fd);
  return fd;
}

Result<void> Opener::idmap(const MountOptions& options, const oci::Mount& mount, int tree) {
  if (options.idmap == MountOptions::Idmap::none && mount.uid_mappings.empty()) return {};
  TRY(const int ids, id_namespace(mount));
  return kernel::map_mount_ids(tree, ids, options.idmap == MountOptions::Idmap::recursive);
}

std::string option_value(const MountOptions& options, std::string_view key) {
  for (const std::string_view option : split(options.data, ',')) {
    const auto pair = split_once(option, '=');
    if (pair && pair->first == key) return std::string(pair->second);
  }
  return "";
}

// A tmpfs over a directory of the image looks like that directory, unless its options say how.
Result<void> Opener::adopt_mode(const MountOptions& options, oci::Mount* mount) const {
  if (!option_value(options, "mode").empty()) return {};
  const auto below = kernel::open_in_root(spec_.root_tree, mount->destination, O_PATH);
  struct stat info = {};
  if (!below || ::fstat(below->get(), &info) != 0 || !S_ISDIR(info.st_mode)) return {};  // nothing there
  mount->options.push_back(fmt::format("mode={:o}", info.st_mode & 07777));
  return {};
}

Result<void> Opener::copy_up(const MountOptions& options, oci::Mount* mount) {
  TRY(UniqueFd tree, kernel::make_detached_mount("tmpfs", options.data, 0));
  if (const auto below = kernel::open_in_root(spec_.root_tree, mount->destination, O_RDONLY | O_DIRECTORY)) {
    TRY(const UniqueFd target, open_file_at(tree.get(), ".", O_RDONLY | O_DIRECTORY));
    struct stat wanted = {};
    if (::fstat(target.get(), &wanted) != 0) return fail(errno, "look at a new tmpfs");
    TRY(kernel::copy_tree(below->get(), target.get()));
    // The options have the last word about the directory itself.
    if (!option_value(options, "mode").empty() && ::fchmod(target.get(), wanted.st_mode & 07777) != 0)
      return fail(errno, "set the mode of a new tmpfs");
    const bool owned = !option_value(options, "uid").empty() || !option_value(options, "gid").empty();
    if (owned && ::fchown(target.get(), wanted.st_uid, wanted.st_gid) != 0)
      return fail(errno, "set the owner of a new tmpfs");
  } else if (below.error().error_number() != ENOENT) {
    return fail_with(std::move(below.error()), "copy up");
  }
  kernel::MountAttributes attributes = options.attributes;
  attributes.propagation = propagation_of(options);
  TRY(kernel::change_mount(tree.get(), attributes));
  mount->tree = keep(std::move(tree));
  return {};
}

}  // namespace

Result<PreparedMounts> open_mounts(oci::RuntimeSpec* spec, const std::string& bundle,
                                   const std::string& cgroup) {
  Opener opener(spec, bundle, cgroup);
  TRY(opener.ids());
  opener.labels();
  TRY(opener.root());
  TRY(opener.mounts());
  return std::move(opener).take();
}

Result<UniqueFd> make_user_namespace(const oci::RuntimeSpec& spec) {
  return kernel::make_user_namespace({ranges_of(spec.uid_mappings), ranges_of(spec.gid_mappings)});
}

}  // namespace fermata::runtime
