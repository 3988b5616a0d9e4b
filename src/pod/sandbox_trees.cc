#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mounts.h"
#include "kernel/user_namespace.h"
#include "pod/sandbox.h"
#include "runtime/overlay_options.h"

namespace fermata::pod {

namespace {

// Where names of layers are relative to. Those who are to see other owners get a mount of their own.
Result<void> enter_layers(const LayerView& view) {
  if (view.user_namespace < 0) {
    if (::chdir(view.directory.c_str()) != 0) return fail(errno, "enter '{}'", view.directory);
    return {};
  }
  TRY(const UniqueFd tree, kernel::clone_tree(view.directory, false));
  if (auto mapped = kernel::map_mount_ids(tree.get(), view.user_namespace, false); !mapped)
    return fail_with(
        std::move(mapped.error()),
        fmt::format("show the layers in '{}' with the owners of a user namespace (it takes ext4, "
                    "xfs or btrfs)",
                    view.directory));
  if (::move_mount(tree.get(), "", AT_FDCWD, view.mount_point.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return fail(errno, "mount the layers with the owners of a user namespace");
  // Its root; what is mounted there next covers it, but not for who is inside.
  if (::fchdir(tree.get()) != 0) return fail(errno, "enter '{}'", view.directory);
  return {};
}

// Calls `open` where the merged layers are at the mount point: a thread with mounts of its own, which end
// with it.
Result<UniqueFd> in_mounted_layers(const LayerView& view, const std::string& upper, const std::string& work,
                                   const std::function<Result<UniqueFd>()>& open) {
  Result<UniqueFd> opened = UniqueFd();
  const auto mount_and_open = [&]() -> Result<UniqueFd> {
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0) return fail(errno, "unshare the mounts of a thread");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return fail(errno, "make mounts private");
    TRY(enter_layers(view));
    // mount(2) rather than fsconfig(2), whose strings end at 256 bytes; relative names below a working
    // directory of the thread's own let many layers fit into the one page of its options.
    TRY(const std::string options,
        runtime::overlay_options(
            {.lower = view.names, .layers_directory = {}, .upper = upper, .work = work}));
    // Without an upper layer overlayfs wants two lower ones.
    const int mounted =
        view.names.size() == 1 && upper.empty()
            ? ::mount(view.names[0].c_str(), view.mount_point.c_str(), nullptr, MS_BIND, nullptr)
            : ::mount("overlay", view.mount_point.c_str(), "overlay", upper.empty() ? MS_RDONLY : 0,
                      options.c_str());
    if (mounted != 0) return fail(errno, "mount the layers of an image");
    return open();
  };
  std::thread([&] { opened = mount_and_open(); }).join();
  return opened;
}

}  // namespace

Result<UniqueFd> make_pause_root(const std::string& program, const std::vector<std::string>& mount_points) {
  TRY(const std::string bytes, read_file(program, 16u << 20));
  TRY(UniqueFd root,
      kernel::make_detached_mount("tmpfs", "size=1m,mode=755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  {
    TRY(const UniqueFd file, open_file_at(root.get(), "pause", O_WRONLY | O_CREAT | O_EXCL, 0755));
    TRY(write_all(file.get(), bytes));
    if (::fchmod(file.get(), 0555) != 0) return fail(errno, "make pause executable");
  }
  for (const std::string& point : mount_points) {
    std::string path;
    for (const std::string_view part : split(point, '/')) {
      if (part.empty()) continue;
      path += (path.empty() ? "" : "/") + std::string(part);
      if (::mkdirat(root.get(), path.c_str(), 0755) != 0 && errno != EEXIST)
        return fail(errno, "make '{}' in the root of pause", point);
    }
  }
  TRY(kernel::set_mount_attributes(root.get(), MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false));
  return root;
}

Result<UniqueFd> open_merged_layers(const LayerView& view) {
  return in_mounted_layers(view, "", "", [&] { return open_file(view.mount_point, O_RDONLY | O_DIRECTORY); });
}

Result<UniqueFd> clone_merged_layers(const LayerView& view, const std::string& sub_path) {
  return in_mounted_layers(view, "", "", [&]() -> Result<UniqueFd> {
    TRY(const UniqueFd root, open_file(view.mount_point, O_PATH | O_DIRECTORY));
    auto part = kernel::open_in_root(root.get(), sub_path.empty() ? "/" : sub_path, O_PATH);
    if (!part) return fail_with(std::move(part.error()), fmt::format("find '{}' in the image", sub_path));
    return kernel::clone_tree(fmt::format("/proc/self/fd/{}", part->get()), false);
  });
}

Result<void> try_mapped_layers(const std::string& root, const std::string& mount_point) {
  std::string directory = root + "/probe-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return fail(errno, "make a directory in '{}'", root);
  const auto try_it = [&]() -> Result<void> {
    for (const char* name : {"/lower", "/upper", "/work"}) TRY(make_directories(directory + name));
    TRY(make_directories(mount_point, 0700));
    TRY(const UniqueFd owners, kernel::make_user_namespace({{{0, 1, 1}}, {{0, 1, 1}}}));
    const LayerView view{.directory = directory,
                         .names = {"lower"},
                         .mount_point = mount_point,
                         .user_namespace = owners.get()};
    TRY(clone_writable_layers(view, directory + "/upper", directory + "/work"));
    return {};
  };
  auto tried = try_it();
  TRY(remove_tree(directory));
  return tried;
}

Result<UniqueFd> clone_writable_layers(const LayerView& view, const std::string& upper,
                                       const std::string& work) {
  return in_mounted_layers(view, upper, work, [&] { return kernel::clone_tree(view.mount_point, false); });
}

}  // namespace fermata::pod
