// How much a container has written.
#pragma once

#include <cstdint>
#include <string>

namespace fermata::pod {

struct TreeUsage {
  std::uint64_t bytes = 0;   // in files; directories themselves are not counted
  std::uint64_t inodes = 0;  // all of them, the directory's own too
};

// What lies below `directory`, each inode once; symlinks are not followed. What is not there, or goes
// meanwhile, is nothing.
TreeUsage tree_usage(const std::string& directory);
inline std::uint64_t tree_size(const std::string& directory) { return tree_usage(directory).bytes; }

}  // namespace fermata::pod
