#include "pod/layered_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <climits>

#include "base/files.h"
#include "base/text.h"

namespace fermata::pod {
namespace {

constexpr std::size_t kLimit = 1u << 20;
constexpr int kMaximumLinks = 40;  // path_resolution(7)

using Parts = std::vector<std::string>;

// "a/../b" is settled by text: exact as long as no link is involved, and links are resolved one at a time.
Parts clean(std::string_view path) {
  Parts parts;
  for (const std::string_view part : split(path, '/')) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.emplace_back(part);
    }
  }
  return parts;
}

struct Found {
  enum class Kind { absent_here, absent, link, file } kind;
  Parts path;   // of link: where to look instead
  UniqueFd fd;  // of file
};

Result<Found> follow(int directory, const Parts& parts, std::size_t index) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(directory, parts[index].c_str(), target, sizeof target);
  if (size < 0) return fail(errno, "read link '{}' of an image", parts[index]);
  const std::string_view text(target, static_cast<std::size_t>(size));
  std::string path;
  if (!text.starts_with('/'))
    for (std::size_t i = 0; i < index; ++i) path += parts[i] + "/";
  path += text;
  for (std::size_t i = index + 1; i < parts.size(); ++i) path += "/" + parts[i];
  return Found{.kind = Found::Kind::link, .path = clean(path)};
}

// One layer. Its directories are opened one by one without following links: nothing in it can lead outside.
Result<Found> look_in(const std::string& layer, const Parts& parts) {
  UniqueFd directory(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    if (errno == ENOENT) return Found{.kind = Found::Kind::absent_here};
    return fail(errno, "open layer '{}'", layer);
  }
  bool opaque = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto absent = opaque ? Found::Kind::absent : Found::Kind::absent_here;
    struct stat info = {};
    if (::fstatat(directory.get(), parts[i].c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return Found{.kind = absent};
      return fail(errno, "look up '{}' in layer '{}'", parts[i], layer);
    }
    if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return Found{.kind = Found::Kind::absent};  // a whiteout
    if (S_ISLNK(info.st_mode)) return follow(directory.get(), parts, i);
    const bool last = i + 1 == parts.size();
    if (last != S_ISREG(info.st_mode) || (!last && !S_ISDIR(info.st_mode)))
      return Found{.kind = Found::Kind::absent};
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY);
    UniqueFd next(::openat(directory.get(), parts[i].c_str(), flags));
    if (!next) return fail(errno, "open '{}' in layer '{}'", parts[i], layer);
    if (last) return Found{.kind = Found::Kind::file, .fd = std::move(next)};
    char value = 0;
    opaque = opaque || (::fgetxattr(next.get(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y');
    directory = std::move(next);
  }
  return Found{.kind = Found::Kind::absent};
}

Result<Found> look_up(const std::vector<std::string>& layers, const Parts& parts) {
  for (const std::string& layer : layers) {
    TRY(Found found, look_in(layer, parts));
    if (found.kind != Found::Kind::absent_here) return found;
  }
  return Found{.kind = Found::Kind::absent};
}

}  // namespace

Result<std::optional<std::string>> read_layered_file(const std::vector<std::string>& layers,
                                                     const std::string& path) {
  Parts parts = clean(path);
  for (int links = 0; links < kMaximumLinks; ++links) {
    TRY(Found found, look_up(layers, parts));
    if (found.kind == Found::Kind::link) {
      parts = std::move(found.path);
      continue;
    }
    if (found.kind != Found::Kind::file) return std::nullopt;
    auto text = read_fd(found.fd.get(), kLimit);
    if (!text) return fail_with(std::move(text.error()), fmt::format("'{}' of the image", path));
    return std::move(*text);
  }
  return std::nullopt;  // a loop: nobody could read it
}

}  // namespace fermata::pod
