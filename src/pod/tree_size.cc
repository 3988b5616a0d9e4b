#include "pod/tree_size.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <utility>

namespace fermata::pod {

TreeUsage tree_usage(const std::string& directory) {
  TreeUsage usage;
  struct stat info = {};
  if (::lstat(directory.c_str(), &info) != 0) return usage;
  usage.inodes = 1;
  std::set<std::pair<dev_t, ino_t>> linked;
  std::error_code failed;
  // A step that fails makes it the end.
  for (std::filesystem::recursive_directory_iterator entry(directory, failed), end; entry != end;
       entry.increment(failed)) {
    if (::lstat(entry->path().c_str(), &info) != 0) continue;
    const bool file = !S_ISDIR(info.st_mode);
    if (file && info.st_nlink > 1 && !linked.emplace(info.st_dev, info.st_ino).second) continue;
    ++usage.inodes;
    if (file) usage.bytes += static_cast<std::uint64_t>(info.st_size);
  }
  return usage;
}

}  // namespace fermata::pod
