#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mounts.h"
#include "pod/sandbox.h"

namespace fermata::pod {

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
  Result<UniqueFd> root = UniqueFd();
  // mount(2) rather than fsconfig(2), whose strings end at 256 bytes; relative names below a working
  // directory of the thread's own let many layers fit into the one page of its options.
  const auto open_root = [&]() -> Result<UniqueFd> {
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0) return fail(errno, "unshare the mounts of a thread");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return fail(errno, "make mounts private");
    if (::chdir(layers_directory.c_str()) != 0) return fail(errno, "enter '{}'", layers_directory);
    const std::string options = "lowerdir=" + join(names, ":");
    if (::mount("overlay", mount_point.c_str(), "overlay", MS_RDONLY, options.c_str()) != 0)
      return fail(errno, "mount the layers of an image");
    return open_file(mount_point, O_RDONLY | O_DIRECTORY);
  };
  std::thread([&] { root = open_root(); }).join();
  return root;
}

}  // namespace fermata::pod
