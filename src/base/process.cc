#include "base/process.h"

#include <string>

#include "base/files.h"
#include "base/text.h"

namespace fermata {

std::int64_t process_start(int pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return 0;
  // The command, field 2, may hold spaces and parentheses; the start time is field 22.
  const auto end = stat->rfind(')');
  if (end == std::string::npos || end + 2 > stat->size()) return 0;
  const auto rest = split(std::string_view(*stat).substr(end + 2), ' ');
  return rest.size() > 19 ? parse_signed(rest[19]).value_or(0) : 0;
}

}  // namespace fermata
