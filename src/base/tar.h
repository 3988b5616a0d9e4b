// Archives in the interchange format of pax(1), POSIX.1-2017: what comes before a member's bytes and after
// them. Pure. Extended headers are written only where the older ustar form has no room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fermata {

inline constexpr std::size_t kTarBlock = 512;

struct TarMember {
  enum class Type : char {
    file = '0',
    hard_link = '1',  // of a member before it
    symlink = '2',
    character_device = '3',
    block_device = '4',
    directory = '5',
    fifo = '6'
  };
  std::string name;  // relative; of a directory with a '/' at its end
  Type type = Type::file;
  std::string target;      // of a link
  std::uint32_t mode = 0;  // permission bits
  std::uint64_t uid = 0, gid = 0;
  std::uint64_t size = 0;              // of a file, bytes
  std::int64_t modified = 0;           // ns since 1970
  std::uint32_t major = 0, minor = 0;  // of a device
  // Written as SCHILY.xattr, which GNU tar, libarchive and Go's archive/tar read.
  std::vector<std::pair<std::string, std::string>> attributes;
};

// A whole number of blocks. A file's bytes follow, and tar_padding() of their size.
std::string tar_header(const TarMember& member);
std::string tar_padding(std::uint64_t size);
// Of the archive.
std::string tar_end();

}  // namespace fermata
