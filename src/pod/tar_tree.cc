// A directory as members of an archive; of a container's writable layer, what it changes. Only names and
// descriptors are followed, never a symlink: the tree may be a container's own work.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <set>

#include "base/files.h"
#include "base/unique_dir.h"
#include "kernel/mounts.h"
#include "pod/tar_writer.h"

namespace fermata::pod {
namespace {

// Each level costs a descriptor and stack, and whoever made the tree may be no friend.
constexpr int kMaxDepth = 400;

// In their order, so that the same tree gives the same archive.
Result<std::set<std::string>> names_in(int directory) {
  TRY(UniqueFd own, open_file_at(directory, ".", O_RDONLY | O_DIRECTORY));
  const UniqueDir dir(::fdopendir(own.get()));
  if (!dir) return fail(errno, "read a directory");
  static_cast<void>(own.release());
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(dir.get()))
    if (const std::string_view name = entry->d_name; name != "." && name != "..") names.emplace(name);
  return names;
}

// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

bool is_opaque(int directory) {
  char value = 0;
  return ::fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// What belongs to the file, and neither to the overlay nor to this machine's policy.
bool travels(std::string_view name) {
  return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

// Of an open file or directory. A file system without attributes has none.
Result<std::vector<std::pair<std::string, std::string>>> attributes_of(int file) {
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t size = ::flistxattr(file, names.data(), names.size());
  if (size < 0 && errno != ENOTSUP) return fail(errno, "list attributes");
  for (const char* name = names.data(); name < names.data() + size; name += std::strlen(name) + 1) {
    if (!travels(name)) continue;
    std::string value(XATTR_SIZE_MAX, '\0');
    const ssize_t length = ::fgetxattr(file, name, value.data(), value.size());
    if (length < 0) return fail(errno, "read attribute {}", name);
    value.resize(static_cast<std::size_t>(length));
    attributes.emplace_back(name, std::move(value));
  }
  return attributes;
}

// What nobody maps belongs to nobody, as it does inside; user_namespaces(7).
std::uint64_t id_inside(const std::vector<oci::IdMapping>& mappings, std::uint32_t id) {
  constexpr std::uint64_t kOverflow = 65534;
  for (const oci::IdMapping& one : mappings)
    if (id >= one.host_id && id - one.host_id < one.size) return one.container_id + (id - one.host_id);
  return kOverflow;
}

Result<std::string> link_target(int parent, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  if (size < 0) return fail(errno, "read the link '{}'", name);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

class Tree {
 public:
  Tree(const TreeRequest& request, TarWriter& archive)
      : request_(request), archive_(archive), skip_(request.skip.begin(), request.skip.end()) {}

  Result<std::vector<std::string>> write() {
    TRY(const UniqueFd top, open_file(request_.directory, O_RDONLY | O_DIRECTORY));
    for (const std::string& layer : request_.lower) {
      TRY(UniqueFd fd, open_file(layer, O_RDONLY | O_DIRECTORY));
      lower_.push_back(std::move(fd));
    }
    TRY(directory(top.get(), "", 0, false));
    return std::vector<std::string>(taken_.begin(), taken_.end());
  }

 private:
  // `path`: "" of the top, else "/etc". `hides`: nothing of the layers below is seen through it.
  Result<void> directory(int fd, const std::string& path, int depth, bool hides) {
    if (depth > kMaxDepth)
      return fail(ErrorKind::unsupported, "'{}' is more than {} directories deep", path, kMaxDepth);
    TRY(const auto names, names_in(fd));
    if (hides) TRY(tell_hidden(path, names));
    for (const std::string& name : names) {
      const std::string inner = path + "/" + name;
      if (skip_.count(inner) != 0) continue;
      if (auto done = entry(fd, name, inner, depth, hides); !done)
        return done.error().message().find('\'') == std::string::npos
                   ? fail_with(std::move(done.error()), "'" + inner + "'")
                   : std::move(done);
    }
    return {};
  }

  Result<void> entry(int parent, const std::string& name, const std::string& path, int depth, bool hides) {
    struct stat info = {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      return fail(errno, "stat '{}'", path);
    if (!lower_.empty() && is_whiteout(info)) {
      taken_.insert(path);
      return {};
    }
    if (S_ISSOCK(info.st_mode)) return {};
    TarMember member = describe(path, info);
    if (S_ISDIR(info.st_mode)) {
      TRY(const UniqueFd inner, open_file_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      TRY(member.attributes, attributes_of(inner.get()));
      TRY(archive_.add(member));
      return directory(inner.get(), path, depth + 1, hides || is_opaque(inner.get()));
    }
    if (const auto first = linked_.find({info.st_dev, info.st_ino}); first != linked_.end())
      return archive_.add({.name = member.name, .type = TarMember::Type::hard_link, .target = first->second});
    if (info.st_nlink > 1) linked_[{info.st_dev, info.st_ino}] = member.name;
    if (S_ISREG(info.st_mode)) {
      TRY(const UniqueFd file, open_file_at(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
      TRY(member.attributes, attributes_of(file.get()));
      return archive_.add_file(member, file.get());
    }
    if (S_ISLNK(info.st_mode)) {
      TRY(member.target, link_target(parent, name));
    }
    return archive_.add(member);
  }

  TarMember describe(const std::string& path, const struct stat& info) const {
    TarMember member{
        .name = path.substr(1),
        .mode = info.st_mode & 07777,
        .uid = request_.users != nullptr ? id_inside(request_.users->uids, info.st_uid) : info.st_uid,
        .gid = request_.users != nullptr ? id_inside(request_.users->gids, info.st_gid) : info.st_gid,
        .modified = info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec};
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR:
        member.type = TarMember::Type::directory;
        member.name += '/';
        break;
      case S_IFLNK:
        member.type = TarMember::Type::symlink;
        break;
      case S_IFIFO:
        member.type = TarMember::Type::fifo;
        break;
      case S_IFCHR:
      case S_IFBLK:
        member.type =
            S_ISCHR(info.st_mode) ? TarMember::Type::character_device : TarMember::Type::block_device;
        member.major = major(info.st_rdev);
        member.minor = minor(info.st_rdev);
        break;
      default:
        member.size = static_cast<std::uint64_t>(info.st_size);
    }
    return member;
  }

  // What the layers below have in a directory that was removed and made anew.
  Result<void> tell_hidden(const std::string& path, const std::set<std::string>& present) {
    for (const UniqueFd& layer : lower_) {
      const auto below = kernel::open_in_root(layer.get(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (!below) continue;  // this one has none
      TRY(const auto names, names_in(below->get()));
      struct stat info = {};
      for (const std::string& name : names)
        if (present.count(name) == 0 &&
            ::fstatat(below->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && !is_whiteout(info))
          taken_.insert(path + "/" + name);
    }
    return {};
  }

  const TreeRequest& request_;
  TarWriter& archive_;
  const std::set<std::string> skip_;
  std::vector<UniqueFd> lower_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // the name of each one's first
  std::set<std::string> taken_;
};

}  // namespace

Result<std::vector<std::string>> write_tree(const TreeRequest& request, TarWriter& archive) {
  return Tree(request, archive).write();
}

}  // namespace fermata::pod
