// Small files, whole: reading, atomic writing, directories. Paths are the host's own and trusted; what comes
// from an image goes through kernel/mounts.h (open_in_root) instead.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata {

// The directory of the running program, without a '/' at the end.
Result<std::string> program_directory();
// open(2) with O_CLOEXEC added.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
Result<UniqueFd> open_file_at(int dir, const std::string& path, int flags, mode_t mode = 0);
// The whole file. Fails above `limit` bytes, so that a foreign file cannot eat the memory.
Result<std::string> read_file(const std::string& path, std::size_t limit = 64u << 20);
Result<std::string> read_file_at(int dir, const std::string& path, std::size_t limit = 64u << 20);
Result<std::string> read_fd(int fd, std::size_t limit = 64u << 20);
Result<void> write_all(int fd, std::string_view bytes);
// Writes beside the target, then renames over it: a reader sees the old file or the new one. `durable`
// syncs the file before the rename.
Result<void> write_file(const std::string& path, std::string_view bytes, mode_t mode = 0644,
                        bool durable = false);
// One write(2) into an existing file of the kernel's (procfs, cgroupfs).
Result<void> write_kernel_file(const std::string& path, std::string_view value);
// A file that lives in memory alone, as long as its descriptor; its offset is at its end. memfd_create(2).
Result<UniqueFd> memory_file(const char* name, std::string_view bytes);
// mkdir -p. Existing directories stay as they are.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);
// rm -rf that never follows a symlink and stays on the one file system. Absent is success.
Result<void> remove_tree(const std::string& path);

}  // namespace fermata
