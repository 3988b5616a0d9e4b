#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mounts.h"
#include "pod/sandbox.h"

namespace fermata::pod {

namespace {

// Calls `open` where the merged layers are at `mount_point`: a thread with mounts of its own, which end with
// it.
Result<UniqueFd> in_mounted_layers(const std::string& layers_directory, const std::vector<std::string>& names,
                                   const std::string& mount_point,
                                   const std::function<Result<UniqueFd>()>& open) {
  Result<UniqueFd> opened = UniqueFd();
  const auto mount_and_open = [&]() -> Result<UniqueFd> {
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0) return fail(errno, "unshare the mounts of a thread");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return fail(errno, "make mounts private");
    // mount(2) rather than fsconfig(2), whose strings end at 256 bytes; relative names below a working
    // directory of the thread's own let many layers fit into the one page of its options.
    if (::chdir(layers_directory.c_str()) != 0) return fail(errno, "enter '{}'", layers_directory);
    // Without an upper layer overlayfs wants two lower ones.
    const int mounted = names.size() == 1
                            ? ::mount(names[0].c_str(), mount_point.c_str(), nullptr, MS_BIND, nullptr)
                            : ::mount("overlay", mount_point.c_str(), "overlay", MS_RDONLY,
                                      ("lowerdir=" + join(names, ":")).c_str());
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

Result<UniqueFd> open_merged_layers(const std::string& layers_directory,
                                    const std::vector<std::string>& names, const std::string& mount_point) {
  return in_mounted_layers(layers_directory, names, mount_point,
                           [&] { return open_file(mount_point, O_RDONLY | O_DIRECTORY); });
}

Result<UniqueFd> clone_merged_layers(const std::string& layers_directory,
                                     const std::vector<std::string>& names, const std::string& mount_point,
                                     const std::string& sub_path) {
  return in_mounted_layers(layers_directory, names, mount_point, [&]() -> Result<UniqueFd> {
    TRY(const UniqueFd root, open_file(mount_point, O_PATH | O_DIRECTORY));
    auto part = kernel::open_in_root(root.get(), sub_path.empty() ? "/" : sub_path, O_PATH);
    if (!part) return fail_with(std::move(part.error()), fmt::format("find '{}' in the image", sub_path));
    return kernel::clone_tree(fmt::format("/proc/self/fd/{}", part->get()), false);
  });
}

}  // namespace fermata::pod
