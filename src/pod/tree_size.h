// How much a container has written.
#pragma once

#include <cstdint>
#include <string>

namespace fermata::pod {

// Bytes in what lies below `directory`, each inode once, directories themselves not counted; symlinks are not
// followed. What is not there, or goes meanwhile, is nothing.
std::uint64_t tree_size(const std::string& directory);

}  // namespace fermata::pod
