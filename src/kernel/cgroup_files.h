// The files of a control group's directory, read and written alike for every controller. Internal to the
// cgroup*.cc files. "" as a directory stands for a controller that the host does not have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

bool has_file(const std::string& directory, std::string_view file);
// Writes; a file or controller that is absent is ErrorKind::unsupported, with its name and the value.
Result<void> set_limit(const std::string& directory, std::string_view file, const std::string& value);

// The same file for many values.
class LimitFile {
 public:
  static Result<LimitFile> open(const std::string& directory, std::string_view file);
  Result<void> set(const std::string& value) const;

 private:
  LimitFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
};

struct Setting {
  std::string file, value;
};
// Settings that bound each other, such as a quota and its burst: the kernel checks after every write, so
// which one must go first depends on what the group has now. Those that it refuses as invalid are tried again
// after the others.
Result<void> set_together(const std::string& directory, std::vector<Setting> settings);

// A file that holds one number; "max" is kNoLimit. nullopt when it is absent or holds something else.
std::optional<std::uint64_t> read_number(const std::string& directory, std::string_view file);
// The number behind `key` in a file of "key number" lines.
std::optional<std::uint64_t> read_keyed(const std::string& directory, std::string_view file,
                                        std::string_view key);

}  // namespace fermata::kernel
