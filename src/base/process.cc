#include "base/process.h"

#include "base/files.h"
#include "base/text.h"

namespace fermata {

std::optional<ProcessStat> process_stat(int pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return std::nullopt;
  // The command, field 2, may hold spaces and parentheses; the state follows, the start time is field 22.
  const auto name = stat->find('('), end = stat->rfind(')');
  if (name == std::string::npos || end == std::string::npos || end + 2 >= stat->size()) return std::nullopt;
  const auto rest = split(std::string_view(*stat).substr(end + 2), ' ');
  return ProcessStat{.name = stat->substr(name + 1, end - name - 1),
                     .state = (*stat)[end + 2],
                     .start = rest.size() > 19 ? parse_signed(rest[19]).value_or(0) : 0};
}

std::int64_t process_start(int pid) {
  const auto stat = process_stat(pid);
  return stat ? stat->start : 0;
}

}  // namespace fermata
