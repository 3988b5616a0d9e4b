#include "runtime/exec_target.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>

namespace fermata::runtime {
namespace {

struct NamespaceFile {
  const char* path;
  std::uint32_t flag;
};
constexpr auto kNamespaces = std::to_array<NamespaceFile>({{"ns/mnt", CLONE_NEWNS},
                                                           {"ns/net", CLONE_NEWNET},
                                                           {"ns/ipc", CLONE_NEWIPC},
                                                           {"ns/uts", CLONE_NEWUTS},
                                                           {"ns/cgroup", CLONE_NEWCGROUP},
                                                           {"ns/user", CLONE_NEWUSER},
                                                           {"ns/time", CLONE_NEWTIME}});

}  // namespace

std::uint32_t namespaces_of(int pid) {
  std::uint32_t flags = 0;
  for (const auto& [path, flag] : kNamespaces) {
    struct stat own = {}, other = {};
    const bool known = ::stat(fmt::format("/proc/self/{}", path).c_str(), &own) == 0 &&
                       ::stat(fmt::format("/proc/{}/{}", pid, path).c_str(), &other) == 0;
    if (known && own.st_ino != other.st_ino) flags |= flag;
  }
  return flags;
}

}  // namespace fermata::runtime
