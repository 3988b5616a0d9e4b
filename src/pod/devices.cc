#include "pod/devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "base/unique_dir.h"

namespace fermata::pod {
namespace {

AllowedDevice describe(const struct stat& info, std::string path, std::string access) {
  return {.device = {.path = std::move(path),
                     .type = S_ISBLK(info.st_mode) ? 'b' : 'c',
                     .major = major(info.st_rdev),
                     .minor = minor(info.st_rdev),
                     .file_mode = info.st_mode & 07777,
                     .uid = info.st_uid,
                     .gid = info.st_gid},
          .access = std::move(access)};
}

// Nodes may come and go while /dev is read: what cannot be read any more is left out.
void collect(const std::string& host, const std::string& container, const std::string& access,
             dev_t file_system, const std::vector<std::string>& skipped, std::vector<AllowedDevice>& found) {
  const UniqueDir dir(::opendir(host.c_str()));
  if (!dir) return;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = host + "/" + name;
    if (std::find(skipped.begin(), skipped.end(), path) != skipped.end()) continue;
    struct stat info = {};
    if (::fstatat(::dirfd(dir.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(info.st_mode) && info.st_dev == file_system)
      collect(path, container + "/" + name, access, file_system, skipped, found);
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
      found.push_back(describe(info, container + "/" + name, access));
  }
}

char type_of(mode_t mode) {
  if (S_ISBLK(mode)) return 'b';
  if (S_ISCHR(mode)) return 'c';
  return S_ISFIFO(mode) ? 'p' : '\0';
}

}  // namespace

Result<AllowedDevice> find_edited_device(const cdi::DeviceNode& wanted, const oci::User& user) {
  // 'u' is an older name of 'c'.
  const char type = wanted.type == 'u' ? 'c' : wanted.type;
  const bool complete = type == 'p' || (type != '\0' && wanted.major != 0);
  AllowedDevice found = {.device = {.path = wanted.path,
                                    .type = type,
                                    .major = wanted.major,
                                    .minor = wanted.minor,
                                    .uid = wanted.uid.value_or(user.uid),
                                    .gid = wanted.gid.value_or(user.gid)},
                         .access = wanted.access};
  struct stat info = {};
  if (::stat(wanted.host_path.c_str(), &info) == 0) {
    found.device.file_mode = info.st_mode & 07777;
    const char there = type_of(info.st_mode);
    if (!complete && (there == '\0' || (type != '\0' && type != there)))
      return fail(ErrorKind::invalid_argument, "CDI device \"{}\": '{}' is not such a device node",
                  wanted.path, wanted.host_path);
    if (!complete) found.device.type = there;
    if (!complete && wanted.major == 0) {
      found.device.major = major(info.st_rdev);
      found.device.minor = minor(info.st_rdev);
    }
  } else if (!complete) {
    const int error = errno;
    return fail(error, "CDI device \"{}\": '{}'", wanted.path, wanted.host_path);
  }
  found.device.file_mode = wanted.file_mode.value_or(found.device.file_mode);
  return found;
}

Result<std::vector<AllowedDevice>> find_devices(const DeviceRequest& request) {
  struct stat info = {};
  if (::stat(request.host.c_str(), &info) != 0) {
    const int error = errno;
    return fail(error, "error gathering device information while adding custom device \"{}\"", request.host);
  }
  std::vector<AllowedDevice> found;
  if (S_ISDIR(info.st_mode)) {
    collect(request.host, request.container, request.access, info.st_dev, {}, found);
  } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    found.push_back(describe(info, request.container, request.access));
  }
  if (found.empty())
    return fail(ErrorKind::invalid_argument,
                "error gathering device information while adding custom device \"{}\": not a device node",
                request.host);
  return found;
}

std::vector<AllowedDevice> all_host_devices() {
  // Of the container's own making: runtime::default_devices, devpts, the console.
  const std::vector<std::string> skipped = {"/dev/pts",  "/dev/ptmx", "/dev/console", "/dev/null",
                                            "/dev/zero", "/dev/full", "/dev/random",  "/dev/urandom",
                                            "/dev/tty",  "/dev/shm",  "/dev/mqueue"};
  std::vector<AllowedDevice> found;
  struct stat info = {};
  if (::stat("/dev", &info) == 0) collect("/dev", "/dev", "rwm", info.st_dev, skipped, found);
  return found;
}

}  // namespace fermata::pod
