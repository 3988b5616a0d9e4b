#include "pod/exec_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "monitor/protocol.h"

namespace fermata::pod {
namespace {

bool has_freezer(const kernel::CgroupMounts::V1& mount) {
  const auto controllers = split(mount.controllers, ',');
  return std::find(controllers.begin(), controllers.end(), "freezer") != controllers.end();
}

// Retired with hosts that have no v2 tree.
Result<bool> use_freezer(const kernel::CgroupMounts& mounts, const std::string& container_path,
                         ExecGroup* group) {
  const auto freezer = std::find_if(mounts.v1.begin(), mounts.v1.end(), has_freezer);
  if (freezer == mounts.v1.end()) return false;
  TRY(group->container, open_file(freezer->path + "/" + container_path, O_RDONLY | O_DIRECTORY));
  group->freezer = true;
  // In the order of the hierarchies: the session has its own of this one.
  group->v1_tasks.erase(group->v1_tasks.begin() + (freezer - mounts.v1.begin()));
  return true;
}

}  // namespace

runtime::ExecCgroup ExecGroup::borrow() const {
  runtime::ExecCgroup borrowed{.directory = directory.get(), .freezer = freezer, .v1_tasks = {}};
  for (const UniqueFd& procs : v1_tasks) borrowed.v1_tasks.push_back(procs.get());
  return borrowed;
}

void ExecGroup::remove() const { ::unlinkat(container.get(), name.c_str(), AT_REMOVEDIR); }

// Not Cgroup::create: controllers must stay off below the container, whose own processes share its group. In
// v2 that is only allowed to a parent without them. cgroups(7), "no internal processes".
Result<std::optional<ExecGroup>> make_exec_group(const kernel::CgroupMounts& mounts,
                                                 const std::string& container_path,
                                                 const std::string& session) {
  TRY(auto handles, kernel::Cgroup::open(mounts, container_path).open_handles());
  ExecGroup group;
  group.v1_tasks = std::move(handles.v1_tasks);
  group.container = std::move(handles.v2);
  if (!group.container) {
    TRY(const bool found, use_freezer(mounts, container_path, &group));
    if (!found) return std::nullopt;
  }
  group.name = monitor::kExecGroup + session;
  if (::mkdirat(group.container.get(), group.name.c_str(), 0755) != 0)
    return fail(errno, "make cgroup '{}/{}'", container_path, group.name);
  group.directory =
      UniqueFd(::openat(group.container.get(), group.name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group.directory) {
    const int error = errno;
    group.remove();
    return fail(error, "open cgroup '{}/{}'", container_path, group.name);
  }
  return group;
}

}  // namespace fermata::pod
