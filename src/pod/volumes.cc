#include "pod/volumes.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>


#include "base/file_lock.h"
#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "kernel/copy_tree.h"
#include "kernel/mounts.h"
#include "kernel/user_namespace.h"
#include "pod/user_ids.h"

namespace fermata::pod {
namespace {

bool is_empty(const std::string& path) {
  const UniqueDir dir(::opendir(path.c_str()));
  if (!dir) return false;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return false;
  }
  return true;
}

// MS_SLAVE, MS_SHARED or MS_PRIVATE. A clone is in its source's peer group: "shared" needs no change.
std::uint64_t propagation_of(const VolumeMount& mount) {
  if (mount.propagation.ends_with("slave")) return MS_SLAVE;
  if (mount.propagation.ends_with("shared")) return 0;
  return MS_PRIVATE;
}

Result<void> check_shared(const VolumeMount& mount) {
  if (!mount.propagation.ends_with("shared")) return {};
  // The mount that holds the path must be shared, else nothing would ever propagate; proc_pid_mountinfo(5).
  TRY(const std::string table, read_file("/proc/self/mountinfo"));
  std::string best;
  bool shared = false;
  for (const std::string_view line : split(table, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() < 7) continue;
    const std::string point(fields[4]);
    const bool holds = mount.source == point || point == "/" || mount.source.starts_with(point + "/");
    if (!holds || point.size() < best.size()) continue;
    best = point;
    shared = line.find(" shared:") != std::string_view::npos;
  }
  if (!shared)
    return fail(ErrorKind::invalid_argument, "path {} is mounted on {} but it is not a shared mount",
                mount.source, best);
  return {};
}

Result<std::string> bind_source(const VolumeMount& mount) {
  struct stat info = {};
  if (::stat(mount.source.c_str(), &info) == 0) return mount.source;
  if (errno != ENOENT) return fail(errno, "bind source path '{}'", mount.source);
  if (!mount.create_source)
    return fail(ErrorKind::invalid_argument,
                "invalid mount config for type \"bind\": bind source path does not exist: {}", mount.source);
  TRY(make_directories(mount.source));
  return mount.source;
}

// Fills an empty volume with what the image has at its place; docker does the same on first use. The marker
// tells that an interrupted copy has to be repeated. The lock: two containers may use a new volume at the
// same time.
Result<void> fill_volume(const std::string& directory, const std::string& data, const VolumeMount& mount,
                         const std::function<Result<UniqueFd>()>& open_image) {
  TRY(const FileLock lock, FileLock::acquire(directory + "/lock"));
  const std::string marker = directory + "/copying";
  if (::access(marker.c_str(), F_OK) != 0 && !is_empty(data)) return {};
  TRY(const UniqueFd image, open_image());
  const auto source = kernel::open_in_root(image.get(), mount.destination, O_RDONLY | O_DIRECTORY);
  // The image has no such directory: the volume stays empty.
  if (!source) return {};
  TRY(const UniqueFd target, open_file(data, O_RDONLY | O_DIRECTORY));
  TRY(write_file(marker, ""));
  if (auto copied = kernel::copy_tree(source->get(), target.get()); !copied)
    return fail_with(std::move(copied.error()), fmt::format("fill volume '{}' from the image", mount.source));
  if (::unlink(marker.c_str()) != 0) return fail(errno, "remove '{}'", marker);
  return {};
}

Result<std::string> volume_source(const std::string& root, const VolumeMount& mount,
                                  const std::function<Result<UniqueFd>()>& open_image) {
  const std::string directory = volume_directory(root, mount.source);
  const std::string data = directory + "/_data";
  TRY(make_directories(data));
  const bool fresh =
      !mount.no_copy && (is_empty(data) || ::access((directory + "/copying").c_str(), F_OK) == 0);
  if (fresh) TRY(fill_volume(directory, data, mount, open_image));
  return data;
}

oci::Mount tmpfs_mount(const VolumeMount& mount) {
  oci::Mount result{.destination = mount.destination, .type = "tmpfs", .source = "tmpfs"};
  // Docker's defaults; what is said explicitly comes later and wins.
  result.options = {"noexec", "nosuid", "nodev"};
  if (mount.readonly) result.options.emplace_back("ro");
  if (!mount.options.empty())
    for (const std::string_view option : split(mount.options, ',')) result.options.emplace_back(option);
  return result;
}

// A bind mount shows the owners that it has, unless it says otherwise: its files are somebody's on the host.
Result<void> map_owners(int tree, const VolumeMount& mount, int user_namespace) {
  if (user_namespace >= 0 && (mount.kind == VolumeMount::Kind::volume || mount.idmap))
    return kernel::map_mount_ids(tree, user_namespace, false);
  if (mount.kind != VolumeMount::Kind::bind || mount.uid_mappings.empty()) return {};
  TRY(const UniqueFd owners, kernel::make_user_namespace(id_maps(mount.uid_mappings, mount.gid_mappings)));
  return kernel::map_mount_ids(tree, owners.get(), false);
}

Result<void> apply_attributes(int tree, const VolumeMount& mount) {
  const bool bind = mount.kind == VolumeMount::Kind::bind, image = mount.kind == VolumeMount::Kind::image;
  if (image) return kernel::set_mount_attributes(tree, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false);
  const std::uint64_t attributes = mount.readonly ? MOUNT_ATTR_RDONLY : 0;
  if (!bind || !mount.readonly || mount.recursive_readonly)
    return kernel::set_mount_attributes(tree, attributes, 0, propagation_of(mount), bind);
  TRY(kernel::set_mount_attributes(tree, attributes, 0, 0, false));
  return kernel::set_mount_attributes(tree, 0, 0, propagation_of(mount), true);
}

}  // namespace

std::string volume_directory(const std::string& root, const std::string& name) {
  return root + "/volumes/" + name;
}

Result<void> check_bind_sources(const std::vector<VolumeMount>& mounts) {
  struct stat info = {};
  for (const VolumeMount& mount : mounts)
    if (mount.kind == VolumeMount::Kind::bind && !mount.create_source &&
        ::stat(mount.source.c_str(), &info) != 0)
      return fail(ErrorKind::invalid_argument,
                  "invalid mount config for type \"bind\": bind source path does not exist: {}",
                  mount.source);
  return {};
}

Result<PreparedMounts> prepare_mounts(const MountSources& sources, const std::vector<VolumeMount>& mounts) {
  PreparedMounts prepared;
  for (const VolumeMount& mount : mounts) {
    if (mount.kind == VolumeMount::Kind::tmpfs) {
      prepared.mounts.push_back(tmpfs_mount(mount));
      prepared.applied.emplace_back("", mount);
      continue;
    }
    const bool bind = mount.kind == VolumeMount::Kind::bind, image = mount.kind == VolumeMount::Kind::image;
    std::string source = mount.source;
    if (bind) {
      TRY(source, bind_source(mount));
      TRY(check_shared(mount));
    } else if (!image) {
      TRY(source, volume_source(sources.root, mount, sources.open_image));
    }
    if (!image)
      if (auto labelled = relabel(source, mount.relabel, sources.labels, sources.again); !labelled)
        return fail_with(std::move(labelled.error()), fmt::format("mount at '{}'", mount.destination));
    TRY(UniqueFd tree, image ? sources.clone_image(mount) : kernel::clone_tree(source, bind));
    if (auto mapped = map_owners(tree.get(), mount, sources.user_namespace); !mapped)
      return fail_with(std::move(mapped.error()),
                       fmt::format("mount '{}' at '{}'", source, mount.destination));
    TRY(apply_attributes(tree.get(), mount));
    struct stat info = {};
    if (::fstat(tree.get(), &info) != 0) return fail(errno, "stat '{}'", source);
    prepared.mounts.push_back({.destination = mount.destination,
                               .type = "bind",
                               .source = source,
                               .options = {mount.readonly || image ? "ro" : "rw", bind ? "rbind" : "bind"},
                               .tree = tree.get(),
                               .file_target = !S_ISDIR(info.st_mode)});
    prepared.trees.push_back(std::move(tree));
    prepared.applied.emplace_back(source, mount);
  }
  return prepared;
}

}  // namespace fermata::pod
