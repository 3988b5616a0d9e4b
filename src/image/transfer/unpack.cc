// The writer below never uses a path of the archive but through kernel/core/rooted.h: parents are opened as
// if the layer's directory were "/", and the last component is made, never followed.
#include "image/transfer/unpack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "image/transfer/tar_reader.h"
#include "kernel/core/rooted.h"

namespace fermata::image {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";  // aufs's own files: no content

// libarchive converts the UTF-8 names of pax headers to the thread's character set.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (utf8_ != nullptr) before_ = ::uselocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    if (utf8_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(utf8_);
  }

 private:
  locale_t utf8_ = nullptr, before_ = nullptr;
};

// "./a//b/" -> "a/b"; "" for the root itself. A ".." has no place in a layer.
Result<std::string> clean_name(const char* name) {
  if (name == nullptr) return fail(ErrorKind::invalid_argument, "damaged archive: a name that is no text");
  std::string clean;
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return fail(ErrorKind::invalid_argument, "the archive's entry '{}' leaves the layer", name);
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

class LayerWriter {
 public:
  LayerWriter(UniqueFd root, Whiteouts whiteouts) : root_(std::move(root)), whiteouts_(whiteouts) {}

  Result<void> add(archive_entry* entry, TarReader& content);
  // Directories get their times last: filling them changed the times.
  Result<void> finish();
  std::uint64_t size() const { return size_; }

 private:
  Result<void> locate(const std::string& path);
  Result<void> whiteout();
  Result<void> clear_place(bool keep_directory);
  Result<void> make(archive_entry* entry, TarReader& content);
  Result<void> make_regular(archive_entry* entry, TarReader& content);
  Result<void> make_hard_link(const char* target);
  Result<void> apply_metadata(archive_entry* entry);
  Result<void> apply_xattrs(archive_entry* entry, const std::string& path);
  // The present entry by a path that the kernel resolves through our descriptor.
  std::string place() const { return fmt::format("/proc/self/fd/{}/{}", parent_.get(), name_); }
  tl::unexpected<Error> failure(const char* what) const { return fail(errno, "{} '{}'", what, path_); }

  UniqueFd root_;
  Whiteouts whiteouts_;
  std::string path_;         // of the present entry
  std::string name_;         // its last component
  std::string parent_path_;  // what parent_ was opened for
  UniqueFd parent_;
  std::uint64_t size_ = 0;
  struct DirectoryTime {
    std::string path;
    timespec times[2];
  };
  std::vector<DirectoryTime> directory_times_;
};

Result<void> LayerWriter::locate(const std::string& path) {
  path_ = path;
  const auto slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (parent_ && parent == parent_path_) return {};
  const char* last = nullptr;
  const int fd = kernel::rooted_parent(root_.get(), path.c_str(), &last);
  if (fd < 0) return fail(-fd, "unpack '{}'", path);
  parent_.reset(fd);
  parent_path_ = parent;
  return {};
}

Result<void> LayerWriter::clear_place(bool keep_directory) {
  struct stat info = {};
  if (::fstatat(parent_.get(), name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Result<void>() : failure("stat");
  if (S_ISDIR(info.st_mode) && keep_directory) return {};
  TRY(remove_tree(place()));
  return {};
}

Result<void> LayerWriter::whiteout() {
  if (name_ == kOpaque) {
    const std::string directory = fmt::format("/proc/self/fd/{}", parent_.get());
    if (::setxattr(directory.c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0)
      return failure("mark opaque");
    return {};
  }
  if (name_.starts_with(kAufs)) return {};
  name_.erase(0, kWhiteout.size());
  if (name_.empty() || name_ == "." || name_ == "..")
    return fail(ErrorKind::invalid_argument, "the archive's whiteout '{}' names nothing", path_);
  TRY(clear_place(false));
  if (::mknodat(parent_.get(), name_.c_str(), S_IFCHR, ::makedev(0, 0)) != 0) return failure("make whiteout");
  return {};
}

Result<void> LayerWriter::make_regular(archive_entry* entry, TarReader& content) {
  TRY(const UniqueFd file,
      open_file_at(parent_.get(), name_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  const std::int64_t length = archive_entry_size(entry);
  for (;;) {
    TRY(const auto block, content.read_block());
    if (!block) break;
    std::size_t done = 0;
    while (done < block->size) {
      const ssize_t put = ::pwrite(file.get(), block->data + done, block->size - done,
                                   static_cast<off_t>(block->offset) + static_cast<off_t>(done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failure("write");
      done += static_cast<std::size_t>(put);
    }
    size_ += block->size;
  }
  // A hole at the end has no block.
  struct stat info = {};
  if (::fstat(file.get(), &info) == 0 && info.st_size < length && ::ftruncate(file.get(), length) != 0)
    return failure("extend");
  return {};
}

Result<void> LayerWriter::make_hard_link(const char* target) {
  TRY(const std::string clean, clean_name(target));
  const char* last = nullptr;
  const UniqueFd directory(kernel::rooted_parent(root_.get(), clean.c_str(), &last));
  if (!directory)
    return fail(ErrorKind::invalid_argument,
                "the archive's entry '{}' is a hard link to '{}', which is not in the layer", path_, target);
  if (::linkat(directory.get(), last, parent_.get(), name_.c_str(), 0) != 0)
    return fail(errno, "link '{}' to '{}'", path_, target);
  return {};
}

Result<void> LayerWriter::make(archive_entry* entry, TarReader& content) {
  const mode_t type = archive_entry_filetype(entry);
  const mode_t mode = archive_entry_perm(entry);
  TRY(clear_place(type == AE_IFDIR));
  switch (type) {
    case AE_IFREG:
      return make_regular(entry, content);
    case AE_IFDIR:
      if (::mkdirat(parent_.get(), name_.c_str(), 0700) != 0 && errno != EEXIST)
        return failure("make directory");
      return {};
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      if (target == nullptr)
        return fail(ErrorKind::invalid_argument, "damaged archive: symlink '{}' without a target", path_);
      if (::symlinkat(target, parent_.get(), name_.c_str()) != 0) return failure("make symlink");
      return {};
    }
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO: {
      const dev_t device = ::makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
      if (::mknodat(parent_.get(), name_.c_str(), type | mode, device) != 0) return failure("make node");
      return {};
    }
    default:
      return fail(ErrorKind::invalid_argument, "the archive's entry '{}' is of an unknown type", path_);
  }
}

Result<void> LayerWriter::apply_xattrs(archive_entry* entry, const std::string& path) {
  archive_entry_xattr_reset(entry);
  const char* key = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK) {
    const std::string_view name = key;
    // overlayfs's own attributes would let a layer redirect its directories; a label belongs to this host's
    // policy.
    if (name.starts_with("trusted.overlay.") || name == "security.selinux") continue;
    if (::lsetxattr(path.c_str(), key, value, size, 0) != 0 && errno != EOPNOTSUPP && errno != EPERM)
      return fail(errno, "set attribute {} of '{}'", name, path_);
  }
  return {};
}

Result<void> LayerWriter::apply_metadata(archive_entry* entry) {
  const mode_t type = archive_entry_filetype(entry);
  const auto uid = static_cast<uid_t>(archive_entry_uid(entry));
  const auto gid = static_cast<gid_t>(archive_entry_gid(entry));
  // Owner first: changing it clears set-user-ID and the capability attribute. chown(2).
  if (::fchownat(parent_.get(), name_.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
    return failure("change owner of");
  if (type != AE_IFLNK && ::fchmodat(parent_.get(), name_.c_str(), archive_entry_perm(entry), 0) != 0)
    return failure("change mode of");
  TRY(apply_xattrs(entry, place()));
  const timespec modified = {.tv_sec = archive_entry_mtime(entry),
                             .tv_nsec = archive_entry_mtime_nsec(entry)};
  if (type == AE_IFDIR) {
    directory_times_.push_back({path_, {modified, modified}});
    return {};
  }
  const timespec times[2] = {modified, modified};
  if (::utimensat(parent_.get(), name_.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return failure("set times of");
  return {};
}

Result<void> LayerWriter::add(archive_entry* entry, TarReader& content) {
  TRY(const std::string path, clean_name(archive_entry_pathname(entry)));
  if (path.empty()) {  // the root directory's own entry
    const std::string root = fmt::format("/proc/self/fd/{}", root_.get());
    if (archive_entry_filetype(entry) == AE_IFDIR && ::chmod(root.c_str(), archive_entry_perm(entry)) != 0)
      return fail(errno, "change mode of the layer's root");
    return {};
  }
  TRY(locate(path));
  if (whiteouts_ == Whiteouts::convert && name_.starts_with(kWhiteout)) return whiteout();
  if (archive_entry_filetype(entry) == AE_IFSOCK) return {};  // a socket's file says nothing to anybody
  if (const char* target = archive_entry_hardlink(entry)) {
    TRY(clear_place(false));
    return make_hard_link(target);
  }
  TRY(make(entry, content));
  TRY(apply_metadata(entry));
  // What was made may stand where the cached parent's path led through.
  if (archive_entry_filetype(entry) != AE_IFREG) parent_.reset();
  return {};
}

Result<void> LayerWriter::finish() {
  for (auto each = directory_times_.rbegin(); each != directory_times_.rend(); ++each) {
    const UniqueFd directory(kernel::rooted_open(root_.get(), each->path.c_str(), O_PATH | O_NOFOLLOW));
    if (!directory) continue;  // a later entry took its place
    const std::string path = fmt::format("/proc/self/fd/{}", directory.get());
    if (::utimensat(AT_FDCWD, path.c_str(), each->times, 0) != 0)
      return fail(errno, "set times of '{}'", each->path);
  }
  return {};
}

}  // namespace

Result<UnpackedLayer> unpack_layer(const ByteSource& source, const std::string& directory,
                                   Whiteouts whiteouts) {
  const Utf8Locale locale;
  TRY(UniqueFd root, open_file(directory, O_RDONLY | O_DIRECTORY));
  LayerWriter writer(std::move(root), whiteouts);
  Decompressor bytes(source);
  TRY(bytes.open());
  TarReader tar(bytes);
  TRY(tar.open());
  for (;;) {
    TRY(archive_entry* const entry, tar.next());
    if (entry == nullptr) break;
    TRY(writer.add(entry, tar));
  }
  TRY(writer.finish());
  UnpackedLayer layer;
  TRY(layer.diff_id, bytes.finish());
  layer.size = writer.size();
  return layer;
}

}  // namespace fermata::image
