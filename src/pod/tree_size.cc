#include "pod/tree_size.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <utility>

namespace fermata::pod {

std::uint64_t tree_size(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::set<std::pair<dev_t, ino_t>> linked;
  std::error_code failed;
  // A step that fails makes it the end.
  for (std::filesystem::recursive_directory_iterator entry(directory, failed), end; entry != end;
       entry.increment(failed)) {
    struct stat info = {};
    if (::lstat(entry->path().c_str(), &info) != 0 || S_ISDIR(info.st_mode)) continue;
    if (info.st_nlink > 1 && !linked.emplace(info.st_dev, info.st_ino).second) continue;
    bytes += static_cast<std::uint64_t>(info.st_size);
  }
  return bytes;
}

}  // namespace fermata::pod
