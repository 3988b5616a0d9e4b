#include "runtime/cgroup_mounts.h"

#include <algorithm>
#include <utility>

#include "runtime/mount_options.h"

namespace fermata::runtime {
namespace {

bool is_whole(const oci::Mount& mount) {
  return mount.type == "cgroup" && mount.tree < 0 && parse_mount_options(mount.options).data.empty();
}

std::vector<std::string> with(std::vector<std::string> options, std::vector<std::string> more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// "/sys/fs/cgroup/cpu,cpuacct" -> "cpu,cpuacct"
std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Without a cgroup namespace a hierarchy would show the whole machine: the container's own group of it then.
// (A mount of cgroup2 from the first cgroup namespace also waits for an RCU grace period, some 10 ms;
// kernel/cgroup/cgroup.c, cgroup_favor_dynmods.)
oci::Mount bound_group(const std::string& hierarchy, const oci::Mount& whole, const std::string& group) {
  return {.destination = whole.destination + "/" + last_name(hierarchy),
          .type = "bind",
          .source = hierarchy + "/" + group,
          .options = with(whole.options, {"bind"})};
}

oci::Mount v1_mount(const kernel::CgroupMounts::V1& hierarchy, const oci::Mount& whole) {
  const bool named = hierarchy.controllers.starts_with("name=");
  return {.destination = whole.destination + "/" + last_name(hierarchy.path),
          .type = "cgroup",
          .source = "cgroup",
          .options = with(whole.options, {named ? "none" : "", hierarchy.controllers})};
}

// The controllers of v1, each in its place below a tmpfs, and what is managed through v2.
std::vector<oci::Mount> hybrid_mounts(const oci::Mount& whole, const kernel::CgroupMounts& host,
                                      const std::string& group) {
  std::vector<oci::Mount> mounts;
  mounts.push_back({.destination = whole.destination,
                    .type = "tmpfs",
                    .source = "tmpfs",
                    .options = with(whole.options, {"mode=755"})});
  for (const auto& hierarchy : host.v1)
    mounts.push_back(group.empty() ? v1_mount(hierarchy, whole) : bound_group(hierarchy.path, whole, group));
  if (!host.unified.empty() && !group.empty())
    mounts.push_back(bound_group(host.unified, whole, group));
  else if (!host.unified.empty())
    mounts.push_back({.destination = whole.destination + "/" + last_name(host.unified),
                      .type = "cgroup2",
                      .source = "cgroup",
                      .options = whole.options});
  return mounts;
}

}  // namespace

bool has_cgroup_mount(const std::vector<oci::Mount>& mounts) {
  return std::any_of(mounts.begin(), mounts.end(), is_whole);
}

void expand_cgroup_mounts(std::vector<oci::Mount>* mounts, const kernel::CgroupMounts& host,
                          const std::string& group) {
  std::vector<oci::Mount> result;
  for (oci::Mount& mount : *mounts) {
    if (!is_whole(mount)) {
      result.push_back(std::move(mount));
    } else if (host.pure_v2()) {
      mount.type = "cgroup2";
      result.push_back(std::move(mount));
    } else {
      for (oci::Mount& part : hybrid_mounts(mount, host, group)) result.push_back(std::move(part));
    }
  }
  *mounts = std::move(result);
}

}  // namespace fermata::runtime
