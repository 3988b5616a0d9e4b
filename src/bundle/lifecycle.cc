// Start, signals and the end; and what the kernel knows of a container.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/file_lock.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "bundle/claim.h"
#include "bundle/descriptors.h"
#include "bundle/entry.h"
#include "bundle/group.h"
#include "bundle/hooks.h"
#include "bundle/launch.h"
#include "bundle/listener.h"
#include "bundle/runtime.h"
#include "kernel/pidfd.h"
#include "oci/runtime_document.h"

namespace fermata::bundle {
namespace {

using std::chrono::milliseconds;

constexpr auto kKillPatience = milliseconds(10'000);

// The name of the recorded process while it lives; a zombie does not.
std::optional<std::string> name_of_process(const Record& record) {
  const auto stat = record.pid > 0 ? process_stat(record.pid) : std::nullopt;
  if (!stat || stat->state == 'Z' || stat->state == 'X' || stat->start != record.pid_start)
    return std::nullopt;
  return stat->name;
}

Result<kernel::Cgroup> open_group(const Record& record) {
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  return kernel::Cgroup::open(mounts, record.cgroup);
}

Result<Status> status_of(const Record& record, const std::string& directory) {
  const auto name = name_of_process(record);
  if (!name) return Status::stopped;
  TRY(const auto group, open_group(record));
  if (group.frozen()) return Status::paused;
  // A start that was killed at its end has left its socket, but the program is no longer init.
  const std::string socket = directory + "/" + kStartSocket;
  return *name == kInitName && ::access(socket.c_str(), F_OK) == 0 ? Status::created : Status::running;
}

Result<UniqueFd> connect_for_start(const std::string& directory) {
  TRY(const UniqueFd place, open_file(directory, O_PATH | O_DIRECTORY));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "make a socket");
  const sockaddr_un address = start_address(place.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED)  // it is the only one who listens
      return fail(ErrorKind::conflict, "cannot start a container that has stopped");
    return fail(errno, "reach the container's process, which waits for its start");
  }
  return socket;
}

// For those who must not wait for a container that is still being made.
Result<void> check_exists(const std::string& directory, const std::string& id) {
  TRY(check_id(id));
  if (::access((directory + "/" + kStateFile).c_str(), F_OK) == 0) return {};
  if (errno != ENOENT) return fail(errno, "container '{}'", id);
  return fail(ErrorKind::not_found, "container \"{}\" does not exist", id);
}

// What is left of the plan, at the numbers that init knows its operations by.
runtime::LaunchPlan remaining_plan(const Record& record) {
  runtime::LaunchPlan plan;
  plan.ops.resize(record.first_step);
  plan.descriptions.resize(record.first_step);
  for (const auto& [op, description] : record.steps) {
    plan.ops.push_back(static_cast<init::Op>(op));
    plan.descriptions.push_back(description);
  }
  return plan;
}

// A PID namespace of its own ends with its first process; without one, the group knows who belongs to it.
bool has_own_pid_namespace(const oci::RuntimeSpec& spec) {
  return std::any_of(spec.namespaces.begin(), spec.namespaces.end(), [](const oci::Namespace& one) {
    return one.type == oci::Namespace::Type::pid && one.path.empty();
  });
}

Result<void> end_everything(const kernel::Cgroup& group, const std::string& id) {
  if (!group.exists()) return {};
  TRY(group.kill_all());
  TRY(const bool empty, group.wait_empty(kKillPatience));
  if (!empty)
    return fail(ErrorKind::unavailable, "processes of container {} do not end: they sleep uninterruptibly",
                id);
  return {};
}

// The group of a creation that was killed, or that goes on at this moment, or of a container whose record
// cannot be read.
Result<std::vector<std::string>> end_remains(const std::string& directory, const std::string& id) {
  const auto place = read_file(directory + "/" + kGroupFile, PATH_MAX + NAME_MAX);
  if (!place) return std::vector<std::string>();
  std::vector<std::string> lines;
  for (const auto line : split(*place, '\n')) lines.emplace_back(line);
  lines.resize(2);
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  TRY(end_everything(kernel::Cgroup::open(mounts, lines[0]), id));
  return lines;
}

Result<void> remove_remains(const std::string& directory, const std::string& id, const FileLock& lock) {
  TRY(const auto place, end_remains(directory, id));
  if (!place.empty()) {
    TRY(const auto mounts, kernel::CgroupMounts::of_host());
    TRY(remove_group(kernel::Cgroup::open(mounts, place[0]), place[1]));
  }
  return remove_directory(directory, lock);
}

}  // namespace

Result<Container> Runtime::find(const std::string& id) const {
  TRY(check_id(id));
  const auto text = read_file(directory_of(id) + "/" + kStateFile, 16u << 20);
  if (!text && text.error().error_number() == ENOENT)
    return fail(ErrorKind::not_found, "container \"{}\" does not exist", id);
  if (!text) return tl::unexpected(text.error());
  Container container;
  auto record = parse_record(*text);
  if (!record) return fail_with(std::move(record.error()), fmt::format("container '{}'", id));
  if (record->id != id)
    return fail(ErrorKind::failed, "container '{}': damaged state: it is of a container '{}'", id,
                record->id);
  container.record = std::move(*record);
  TRY(container.status, status_of(container.record, directory_of(id)));
  return container;
}

Result<std::vector<Container>> Runtime::list() const {
  std::vector<Container> found;
  const UniqueDir dir(::opendir(options_.root.c_str()));
  if (!dir) {
    if (errno == ENOENT) return found;
    return fail(errno, "read '{}'", options_.root);
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    auto container = find(entry->d_name);
    // Being made, or removed meanwhile; or not the name of a container.
    if (!container && (container.error().kind() == ErrorKind::not_found || !check_id(entry->d_name)))
      continue;
    if (container)
      found.push_back(std::move(*container));
    else  // the others are there all the same
      options_.warn(container.error().message());
  }
  std::sort(found.begin(), found.end(),
            [](const Container& a, const Container& b) { return a.record.id < b.record.id; });
  return found;
}

Result<oci::RuntimeSpec> Runtime::spec(const Container& container) const {
  TRY(const std::string text, read_file(directory_of(container.record.id) + "/" + kConfigFile, 16u << 20));
  return oci::parse_runtime_spec(text);
}

Result<kernel::Cgroup> Runtime::group(const Container& container) const {
  return open_group(container.record);
}

Result<std::vector<int>> Runtime::processes(const std::string& id) const {
  TRY(const Container container, find(id));
  TRY(const auto group, open_group(container.record));
  return group.processes();
}

Result<void> Runtime::start(const std::string& id) const {
  TRY(check_exists(directory_of(id), id));
  TRY(const FileLock lock, lock_container(directory_of(id), id));
  TRY(Container container, find(id));
  if (container.status == Status::stopped)
    return fail(ErrorKind::conflict, "cannot start a container that has stopped");
  if (container.status != Status::created)
    return fail(ErrorKind::conflict, "cannot start an already running container");
  const Record& record = container.record;
  oci::RuntimeSpec spec;
  if (record.start_hooks) {
    TRY(spec, this->spec(container));
  }
  TRY(const auto group, open_group(record));
  if (auto ran = run_start_hooks(options_, spec, container); !ran) {
    TRY(end_everything(group, id));
    return ran;
  }
  TRY(const UniqueFd socket, connect_for_start(directory_of(id)));
  Reactions reactions;
  reactions.listener = [&](UniqueFd listener) -> Result<void> {
    TRY(const oci::RuntimeSpec whole, this->spec(container));
    return send_listener(whole.seccomp, container, whole.annotations, record.pid, listener.get());
  };
  const runtime::LaunchPlan plan = remaining_plan(record);
  TRY(Progress progress, follow(socket.get(), record.pid, plan, {record.program}, reactions));
  if (progress == Progress::executed)  // it has never taken the connection
    return fail(ErrorKind::conflict, "the container was killed before it was started");
  TRY(progress, follow(socket.get(), record.pid, plan, {record.program}, reactions));
  const std::string path = directory_of(id) + "/" + kStartSocket;
  if (::unlink(path.c_str()) != 0) return fail(errno, "remove '{}'", path);
  if (spec.hooks.poststart.empty()) return {};
  container.status = Status::running;
  auto after =
      run_hooks(spec.hooks.poststart, "poststart",
                state_document(container, name_of(container.status), spec.annotations), start_hook_here);
  if (after) return {};
  TRY(end_everything(group, id));
  return after;
}

Result<void> Runtime::kill(const std::string& id, int signal, bool all) const {
  TRY(const Container container, find(id));
  TRY(const auto group, open_group(container.record));
  // Nobody but its group knows all processes of a container without a PID namespace of its own. Whether it
  // has one is not known when its config.json was lost.
  if (signal == SIGKILL) {
    const auto spec = this->spec(container);
    if (all || !spec || !has_own_pid_namespace(*spec)) return end_everything(group, id);
  }
  if (all) {
    TRY(const auto members, group.processes());
    for (const int pid : members) {
      const UniqueFd member = kernel::open_pidfd(pid);
      if (member) kernel::send_signal(member.get(), signal);
    }
    return {};
  }
  if (container.status == Status::stopped) return fail(ErrorKind::not_found, "container not running");
  const UniqueFd process = kernel::open_pidfd(container.record.pid);
  if (!process || process_start(container.record.pid) != container.record.pid_start)
    return fail(ErrorKind::not_found, "container not running");
  if (kernel::send_signal(process.get(), signal) != 0)
    return fail(errno, "send signal {} to container {}", signal, id);
  // What is frozen dies when it is thawed.
  if (signal == SIGKILL && container.status == Status::paused) return group.freeze(false);
  return {};
}

Result<void> Runtime::remove(const std::string& id, bool force) const {
  const std::string directory = directory_of(id);
  if (auto exists = check_exists(directory, id); !exists && (!force || !check_id(id))) return exists;
  const auto lock = lock_container(directory, id, [&]() -> Result<void> {
    // Whoever is creating or starting it fails then, and lets go of the lock.
    if (force) TRY(end_remains(directory, id));
    return {};
  });
  if (!lock && lock.error().kind() == ErrorKind::not_found && force) return {};
  if (!lock) return tl::unexpected(lock.error());
  const auto found = find(id);
  if (!found) return force ? remove_remains(directory, id, *lock) : tl::unexpected(found.error());
  const Container& container = *found;
  if (!force && (container.status == Status::running || container.status == Status::paused))
    return fail(ErrorKind::conflict, "cannot delete container {} that is not stopped: {}", id,
                name_of(container.status));
  TRY(const auto group, open_group(container.record));
  TRY(end_everything(group, id));
  TRY(remove_group(group, container.record.scope));
  TRY(kernel::remove_resctrl_group(container.record.resctrl));
  run_stop_hooks(container);
  return remove_directory(directory, *lock);
}

// They cannot keep a container from being deleted; nor can the loss of its config.json.
void Runtime::run_stop_hooks(const Container& container) const {
  if (!container.record.stop_hooks) return;
  const auto spec = this->spec(container);
  if (!spec) return options_.warn(fmt::format("poststop hooks were not run: {}", spec.error().message()));
  Container stopped = container;
  stopped.status = Status::stopped;
  for (const Error& error :
       run_all_hooks(spec->hooks.poststop, "poststop",
                     state_document(stopped, name_of(Status::stopped), spec->annotations)))
    options_.warn(error.message());
}

Result<void> Runtime::pause(const std::string& id) const {
  TRY(const Container container, find(id));
  if (container.status != Status::running && container.status != Status::created)
    return fail(ErrorKind::conflict, "container not running or created: {}", name_of(container.status));
  TRY(const auto group, open_group(container.record));
  return group.freeze(true);
}

Result<void> Runtime::resume(const std::string& id) const {
  TRY(const Container container, find(id));
  if (container.status != Status::paused) return fail(ErrorKind::conflict, "container not paused");
  TRY(const auto group, open_group(container.record));
  return group.freeze(false);
}

}  // namespace fermata::bundle
