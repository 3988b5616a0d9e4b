#include "runtime/cgroup_mounts.h"

#include <algorithm>
#include <utility>

#include "runtime/mount_options.h"

namespace fermata::runtime {
namespace {

bool is_whole(const oci::Mount& mount) {
  if (mount.type != "cgroup" || mount.tree >= 0) return false;
  const MountOptions options = parse_mount_options(mount.options);
  return options.data.empty() && !options.binds();
}

std::vector<std::string> with(std::vector<std::string> options, std::vector<std::string> more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// "/sys/fs/cgroup/cpu,cpuacct" -> the same name below `whole`
std::string place_of(const std::string& hierarchy, const oci::Mount& whole) {
  return whole.destination + hierarchy.substr(hierarchy.rfind('/'));
}

// The type stays what it will be seen as.
oci::Mount bound_group(const std::string& hierarchy, const char* type, const std::string& destination,
                       const oci::Mount& whole, const std::string& group) {
  return {.destination = destination,
          .type = type,
          .source = hierarchy + "/" + group,
          .options = with(whole.options, {"bind"})};
}

oci::Mount v1_mount(const kernel::CgroupMounts::V1& hierarchy, const oci::Mount& whole) {
  const bool named = hierarchy.controllers.starts_with("name=");
  return {.destination = place_of(hierarchy.path, whole),
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
    mounts.push_back(
        group.empty() ? v1_mount(hierarchy, whole)
                      : bound_group(hierarchy.path, "cgroup", place_of(hierarchy.path, whole), whole, group));
  if (host.unified.empty()) return mounts;
  const std::string unified = place_of(host.unified, whole);
  mounts.push_back(
      !group.empty()
          ? bound_group(host.unified, "cgroup2", unified, whole, group)
          : oci::Mount{
                .destination = unified, .type = "cgroup2", .source = "cgroup", .options = whole.options});
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
    } else if (host.pure_v2() && !group.empty()) {
      result.push_back(bound_group(host.unified, "cgroup2", mount.destination, mount, group));
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
