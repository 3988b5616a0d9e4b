// Paths of a container resolved inside its root: no symlink of an image leads outside. openat2(2), Linux 5.6.
// Free of allocation and libc; results are descriptors (the caller's) or -errno.
#pragma once

#include <cstdint>

namespace fermata::kernel {

// Opens `path` as if `root` were "/". `flags` as openat2's (O_CLOEXEC is added); `resolve`: more RESOLVE_*
// bits.
int rooted_open(int root, const char* path, std::uint64_t flags, std::uint32_t mode = 0,
                std::uint64_t resolve = 0);
// mkdir -p, and an O_PATH descriptor of the directory. A dangling symlink has its target made, as docker
// does.
int rooted_make_directory(int root, const char* path, std::uint32_t mode);
// The file, made empty when it is missing, its parents too; an O_PATH descriptor.
int rooted_make_file(int root, const char* path, std::uint32_t mode);
// An O_PATH descriptor of the directory that holds `path`, made when missing; *name points at the last
// component. -EINVAL for a path without one ("/", "a/", "..").
int rooted_parent(int root, const char* path, const char** name);

}  // namespace fermata::kernel
