// What the hierarchies of this host can limit. cgroups(7).
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "cri/resources.h"
#include "kernel/cgroup.h"

namespace fermata::cri {
namespace {

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The root group has no limits to look at, ours has.
bool counts_swap_v2(const std::string& unified) {
  const auto own = read_file("/proc/self/cgroup");
  if (!own) return true;
  for (const std::string_view line : split(*own, '\n'))
    if (line.starts_with("0::/") && line != "0::/")
      return exists(unified + std::string(line.substr(3)) + "/memory.swap.max");
  return true;
}

// True, too, where that cannot be read: then the limit's own error tells more.
bool has_hugetlb(const std::string& directory) {
  const auto controllers = read_file(directory + "/cgroup.controllers");
  if (!controllers) return true;
  const auto names = split(trim(*controllers), ' ');
  return std::find(names.begin(), names.end(), "hugetlb") != names.end();
}

const std::string* hierarchy_of(const kernel::CgroupMounts& mounts, std::string_view controller) {
  for (const auto& hierarchy : mounts.v1) {
    const auto controllers = split(hierarchy.controllers, ',');
    if (std::find(controllers.begin(), controllers.end(), controller) != controllers.end())
      return &hierarchy.path;
  }
  return nullptr;
}

}  // namespace

LimitSupport detect_limit_support() {
  const auto mounts = kernel::CgroupMounts::of_host();
  if (!mounts) return {.swap = false, .hugepages = false, .unified = {}};
  LimitSupport support;
  if (mounts->pure_v2()) {
    support.unified = mounts->unified;
    support.swap = counts_swap_v2(mounts->unified);
    support.hugepages = has_hugetlb(mounts->unified);
    return support;
  }
  const std::string* memory = hierarchy_of(*mounts, "memory");
  support.swap = memory != nullptr && exists(*memory + "/memory.memsw.limit_in_bytes");
  support.hugepages = hierarchy_of(*mounts, "hugetlb") != nullptr;
  return support;
}

LimitSupport limit_support_of(const std::string& group, LimitSupport host) {
  if (host.hugepages && !host.unified.empty() && !group.empty())
    host.hugepages = has_hugetlb(host.unified + "/" + group);
  return host;
}

}  // namespace fermata::cri
