// Which hierarchies the host has, and where.
#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/mountinfo.h"

namespace fermata::kernel {
namespace {

// A v1 mount's options hold its controllers between others ("rw", "xattr", "release_agent=...").
constexpr std::array<std::string_view, 14> kControllers = {
    "cpu",  "cpuacct", "cpuset",   "memory",     "devices", "freezer", "blkio",
    "pids", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma",    "misc"};

std::string controllers_of(std::string_view options) {
  std::vector<std::string> found;
  for (const auto option : split(options, ',')) {
    const bool named = option.substr(0, 5) == "name=";
    if (named || std::find(kControllers.begin(), kControllers.end(), option) != kControllers.end())
      found.emplace_back(option);
  }
  return join(found, ",");
}

void add_mount(CgroupMounts& mounts, std::string_view line) {
  const auto mount = parse_mount(line);
  if (!mount) return;
  if (mount->type == "cgroup2") {
    if (mounts.unified.empty()) mounts.unified = mount->point;
  } else if (mount->type == "cgroup") {
    std::string controllers = controllers_of(mount->super_options);
    // The same hierarchy may be mounted again, for a container: the first one is the host's.
    const auto same = [&](const CgroupMounts::V1& other) { return other.controllers == controllers; };
    if (controllers.empty() || std::any_of(mounts.v1.begin(), mounts.v1.end(), same)) return;
    mounts.v1.push_back({std::move(controllers), mount->point});
  }
}

}  // namespace

CgroupMounts CgroupMounts::parse(std::string_view mountinfo) {
  CgroupMounts mounts;
  for (const auto line : split(mountinfo, '\n')) add_mount(mounts, line);
  return mounts;
}

Result<CgroupMounts> CgroupMounts::detect() {
  TRY(const std::string mountinfo, read_file("/proc/self/mountinfo"));
  CgroupMounts mounts = parse(mountinfo);
  if (mounts.unified.empty() && mounts.v1.empty())
    return fail(ErrorKind::unsupported,
                "no control groups are mounted: mount -t cgroup2 none /sys/fs/cgroup");
  return mounts;
}

Result<CgroupMounts> CgroupMounts::of_host() {
  static const Result<CgroupMounts> found = detect();
  return found;
}

}  // namespace fermata::kernel
