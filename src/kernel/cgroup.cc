// Life and members of a group. Limits are in cgroup_limits.cc, figures in cgroup_stats.cc, and what happened
// in cgroup_events.cc.
//
// A hybrid host's v2 tree has few controllers or none, but membership, freezing and killing work there all
// the same; it is asked first for these. Where there is no v2 tree at all, the freezer's v1 hierarchy stands
// in for it.
#include "kernel/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "kernel/pidfd.h"

namespace fermata::kernel {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kProcs = "/cgroup.procs";
// v1. A single thread that writes "0" here moves itself without the lock that stops every fork and exit of
// the machine, whose taking waits for an RCU grace period: some 12 ms after a rest (kernel/cgroup/cgroup.c,
// cgroup_procs_write_start; Linux 5.4).
constexpr const char* kTasks = "/tasks";
constexpr const char* kKill = "/cgroup.kill";
constexpr const char* kEvents = "/cgroup.events";
constexpr const char* kFreeze = "/cgroup.freeze";
constexpr const char* kSubtreeControl = "/cgroup.subtree_control";
constexpr std::array<std::string_view, 8> kWanted = {"cpu", "memory",  "pids", "cpuset",
                                                     "io",  "hugetlb", "rdma", "misc"};
constexpr std::size_t kNeeded = 3;  // of them, without which a pod cannot be limited
constexpr auto kFreezePatience = milliseconds(2000);
constexpr auto kRemovePatience = milliseconds(200);
constexpr int kKillRounds = 100;

std::string parent_of(const std::string& directory) {
  return directory.substr(0, directory.find_last_of('/'));
}

bool has_controller(std::string_view list, std::string_view controller, char separator) {
  const auto all = split(trim(list), separator);
  return std::find(all.begin(), all.end(), controller) != all.end();
}

// Gives `directory`'s children what controllers it has itself. True when the needed ones are among them.
bool enable_controllers(const std::string& directory) {
  const auto available = read_file(directory + "/cgroup.controllers");
  const auto enabled = read_file(directory + kSubtreeControl);
  if (!available || !enabled) return false;
  std::string missing;
  for (const auto controller : kWanted)
    if (has_controller(*available, controller, ' ') && !has_controller(*enabled, controller, ' '))
      missing += fmt::format("{}+{}", missing.empty() ? "" : " ", controller);
  // All at once; when one is refused, each for itself: a refused one shows as a limit that cannot be set. But
  // not while the group has processes (EBUSY): cpu and pids alone would be taken then, and make the group the
  // root of threaded ones, whose children no process can enter. cgroups(7), "Thread mode".
  if (!missing.empty())
    if (const auto all = write_kernel_file(directory + kSubtreeControl, missing);
        !all && all.error().error_number() != EBUSY)
      for (const auto controller : split(missing, ' '))
        static_cast<void>(write_kernel_file(directory + kSubtreeControl, controller).has_value());
  return std::all_of(kWanted.begin(), kWanted.begin() + kNeeded, [&](std::string_view controller) {
    return has_controller(*available, controller, ' ');
  });
}

// Whenever a cpuset that balances its load gets processors, or goes, the kernel works out the scheduling
// domains anew, from all cpusets and deadline tasks there are. Below a root that balances the load of all
// processors its own flag means nothing else. Before it has any. cpuset(7), "sched_load_balance".
Result<void> leave_balance_to(const std::string& root, const std::string& directory) {
  constexpr const char* kFlag = "/cpuset.sched_load_balance";
  TRY(const std::string whole, read_file(root + kFlag, 16));
  return trim(whole) == "1" ? write_kernel_file(directory + kFlag, "0") : Result<void>();
}

// A v1 cpuset is born empty, and admits nobody until it has both. One that was `found` may have got them.
Result<void> inherit_cpuset(const std::string& directory, bool found) {
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (found) {
      TRY(const std::string own, read_file(directory + file));
      if (!trim(own).empty()) continue;
    }
    TRY(std::string inherited, read_file(parent_of(directory) + file));
    if (trim(inherited).empty()) {
      // Another command has made it this moment, and not come to fill it. The root's is never empty.
      TRY(inherit_cpuset(parent_of(directory), true));
      TRY(inherited, read_file(parent_of(directory) + file));
    }
    TRY(write_kernel_file(directory + file, trim(inherited)));
  }
  return {};
}

enum class Kind { v1, v1_cpuset, v2 };

// mkdir -p below a hierarchy's root. The parent is prepared before the child is made, so a group that exists
// is complete even when we were killed in between; a cpuset is the exception, filled after.
Result<void> make_group(const std::string& root, const std::string& directory, Kind kind) {
  bool found = false;
  // Another command may be removing an empty parent at this moment.
  for (int tries = 0;; ++tries) {
    if (directory == root) return fail(ENOENT, "cgroup hierarchy '{}'", root);
    if (kind == Kind::v2) enable_controllers(parent_of(directory));
    if (::mkdir(directory.c_str(), 0755) == 0) break;
    found = errno == EEXIST;
    if (found) break;
    if (errno != ENOENT || tries == 10) return fail(errno, "make cgroup '{}'", directory);
    TRY(make_group(root, parent_of(directory), kind));
  }
  if (kind == Kind::v1_cpuset) {
    if (!found) TRY(leave_balance_to(root, directory));
    TRY(inherit_cpuset(directory, found));
  }
  return {};
}

// Once more from the top, for parents that somebody else made without passing controllers on.
void enable_from_top(const std::string& root, const std::string& path) {
  enable_controllers(root);
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    enable_controllers(root + "/" + path.substr(0, slash));
}

std::vector<std::string> child_groups(const std::string& directory) {
  std::vector<std::string> children;
  const UniqueDir dir(::opendir(directory.c_str()));
  if (!dir) return children;
  while (const dirent* entry = ::readdir(dir.get()))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      children.push_back(directory + "/" + entry->d_name);
  return children;
}

Result<void> collect_processes(const std::string& directory, std::vector<int>& into) {
  const auto text = read_file(directory + kProcs);
  if (!text) {
    const int error = text.error().error_number();
    if (error == ENOENT || error == ENODEV) return {};  // removed meanwhile
    // EOPNOTSUPP: a threaded group, whose processes are listed by its domain above.
    if (error != EOPNOTSUPP) return fail_with(text.error(), "list processes");
  } else {
    for (const auto line : split(*text, '\n'))
      if (const auto pid = parse_unsigned(line)) into.push_back(static_cast<int>(*pid));
  }
  for (const auto& child : child_groups(directory)) TRY(collect_processes(child, into));
  return {};
}

// rmdir, children first. A zombie's last reference keeps v1 groups busy for a moment.
Result<void> remove_group(const std::string& directory, steady_clock::time_point deadline) {
  for (;;) {
    if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY && errno != ENOTEMPTY) return fail(errno, "remove cgroup '{}'", directory);
    const int error = errno;
    const auto children = child_groups(directory);
    for (const auto& child : children) TRY(remove_group(child, deadline));
    if (children.empty() && steady_clock::now() >= deadline)
      return fail(error, "remove cgroup '{}'", directory);
    if (children.empty()) std::this_thread::sleep_for(milliseconds(1));
  }
}

// Number behind `key` in a file of "key number" lines.
std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
  for (const auto line : split(text, '\n'))
    if (const auto pair = split_once(line, ' '); pair && pair->first == key)
      return parse_unsigned(pair->second);
  return std::nullopt;
}

void kill_process(int pid) {
  // A pidfd cannot come to mean another process between the look and the kill. pidfd_open(2), Linux 5.3.
  const UniqueFd process = open_pidfd(pid);
  if (process) send_signal(process.get(), SIGKILL);
}

bool is_file(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

std::string Cgroup::unified_directory() const {
  return mounts_.unified.empty() ? "" : mounts_.unified + "/" + path_;
}

std::string Cgroup::membership_directory() const {
  if (const std::string unified = unified_directory(); !unified.empty() && is_file(unified)) return unified;
  if (const std::string freezer = directory_of("freezer"); !freezer.empty()) return freezer;
  return mounts_.v1.empty() ? unified_directory() : mounts_.v1.front().path + "/" + path_;
}

bool Cgroup::is_v1(std::string_view controller) const {
  return std::any_of(mounts_.v1.begin(), mounts_.v1.end(),
                     [&](const auto& mount) { return has_controller(mount.controllers, controller, ','); });
}

std::string Cgroup::directory_of(std::string_view controller) const {
  for (const auto& mount : mounts_.v1)
    if (has_controller(mount.controllers, controller, ',')) return mount.path + "/" + path_;
  return unified_directory();
}

bool Cgroup::is_path(std::string_view path) {
  return !path.empty() && path.front() != '/' && path.back() != '/' &&
         fmt::format("/{}/", path).find("/../") == std::string::npos;
}

Result<void> Cgroup::check_path() const {
  if (is_path(path_)) return {};
  return fail(ErrorKind::invalid_argument, "cgroup '{}': not a path below the hierarchy", path_);
}

Result<Cgroup> Cgroup::create(const CgroupMounts& mounts, const std::string& path) {
  TRY(open(mounts, path).check_path());
  if (!mounts.unified.empty()) {
    const std::string directory = mounts.unified + "/" + path;
    TRY(make_group(mounts.unified, directory, Kind::v2));
    if (mounts.pure_v2() && !enable_controllers(parent_of(directory))) enable_from_top(mounts.unified, path);
  }
  for (const auto& mount : mounts.v1) {
    const bool cpuset = has_controller(mount.controllers, "cpuset", ',');
    TRY(make_group(mount.path, mount.path + "/" + path, cpuset ? Kind::v1_cpuset : Kind::v1));
  }
  return Cgroup(mounts, path);
}

Cgroup Cgroup::open(const CgroupMounts& mounts, const std::string& path) { return {mounts, path}; }

Result<Cgroup::Handles> Cgroup::open_handles() const {
  Handles handles;
  if (!mounts_.unified.empty()) {
    TRY(handles.v2, open_file(unified_directory(), O_RDONLY | O_DIRECTORY));
  }
  for (const auto& mount : mounts_.v1) {
    TRY(auto tasks, open_file(mount.path + "/" + path_ + kTasks, O_WRONLY));
    handles.v1_tasks.push_back(std::move(tasks));
  }
  return handles;
}

Result<void> Cgroup::add_process(int pid) const {
  const std::string number = std::to_string(pid);
  if (!mounts_.unified.empty()) TRY(write_kernel_file(unified_directory() + kProcs, number));
  for (const auto& mount : mounts_.v1) {
    const std::string directory = mount.path + "/" + path_;
    if (is_file(directory)) TRY(write_kernel_file(directory + kProcs, number));
  }
  return {};
}

Result<std::vector<int>> Cgroup::processes() const {
  std::vector<int> found;
  TRY(collect_processes(membership_directory(), found));
  return found;
}

Result<void> Cgroup::kill_all() const {
  TRY(check_path());  // everybody is in the root
  if (const std::string unified = unified_directory(); !unified.empty()) {
    const auto killed = write_kernel_file(unified + kKill, "1");
    if (killed || !is_file(unified)) return {};
    if (killed.error().error_number() != ENOENT) return killed;
  }
  // Retired with v1-only hosts. Frozen, nobody can fork away; a v1-frozen process dies when it is thawed.
  const auto frozen = freeze(true);
  for (int round = 0; round < kKillRounds; ++round) {
    TRY(const auto members, processes());
    for (const int pid : members) kill_process(pid);
    if (round == 0 && frozen) TRY(freeze(false));
    if (members.empty()) return {};
    std::this_thread::sleep_for(milliseconds(1));
  }
  // Killed, every one of them; some sleep uninterruptibly, which wait_empty tells.
  return {};
}

Result<bool> Cgroup::wait_empty(milliseconds timeout) const {
  const auto deadline = steady_clock::now() + timeout;
  const std::string directory = membership_directory();
  UniqueFd events(::open((directory + kEvents).c_str(), O_RDONLY | O_CLOEXEC));
  for (auto pause = milliseconds(1);; pause = std::min(pause * 2, milliseconds(20))) {
    const auto now = steady_clock::now();
    const auto left = now >= deadline ? milliseconds(0) : std::chrono::ceil<milliseconds>(deadline - now);
    if (events) {
      // Reading arms the notice: a change between the read and the poll is not missed.
      std::array<char, 256> text = {};
      const ssize_t size = ::pread(events.get(), text.data(), text.size(), 0);
      if (size < 0 && errno == ENODEV) return true;  // removed meanwhile
      if (size < 0) return fail(errno, "read '{}{}'", directory, kEvents);
      if (keyed_number({text.data(), static_cast<std::size_t>(size)}, "populated") == 0) return true;
      if (left.count() == 0) return false;
      pollfd wait = {.fd = events.get(), .events = POLLPRI, .revents = 0};
      if (::poll(&wait, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)
        return fail(errno, "wait for '{}{}'", directory, kEvents);
    } else {
      TRY(const auto members, processes());
      if (members.empty()) return true;
      if (left.count() == 0) return false;
      std::this_thread::sleep_for(std::min(pause, left));
    }
  }
}

Result<void> Cgroup::remove() const {
  TRY(check_path());
  const auto deadline = steady_clock::now() + kRemovePatience;
  for (const auto& mount : mounts_.v1) TRY(remove_group(mount.path + "/" + path_, deadline));
  if (!mounts_.unified.empty()) TRY(remove_group(unified_directory(), deadline));
  return {};
}

bool Cgroup::exists() const {
  if (const std::string unified = unified_directory(); !unified.empty() && is_file(unified)) return true;
  return std::any_of(mounts_.v1.begin(), mounts_.v1.end(),
                     [&](const auto& mount) { return is_file(mount.path + "/" + path_); });
}

std::string Cgroup::freezer_directory() const {
  if (const std::string unified = unified_directory(); !unified.empty() && is_file(unified + kFreeze))
    return unified;
  return is_v1("freezer") ? directory_of("freezer") : std::string();
}

Result<void> Cgroup::freeze(bool frozen) const {
  const std::string unified = unified_directory();
  const bool v2 = !unified.empty() && is_file(unified + kFreeze);
  if (!v2 && !is_v1("freezer")) return fail(ErrorKind::unsupported, "freeze cgroup '{}': no freezer", path_);
  const std::string file = v2 ? unified + kFreeze : directory_of("freezer") + "/freezer.state";
  TRY(write_kernel_file(file, v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED")));
  if (!frozen) return {};
  // The kernel freezes each member when it next leaves kernel mode.
  for (const auto deadline = steady_clock::now() + kFreezePatience;;) {
    TRY(const std::string state, read_file(v2 ? unified + kEvents : file));
    if (v2 ? keyed_number(state, "frozen") == 1 : trim(state) == "FROZEN") return {};
    if (steady_clock::now() >= deadline)
      return fail(ErrorKind::unavailable, "freeze cgroup '{}': a process does not stop", path_);
    std::this_thread::sleep_for(milliseconds(1));
  }
}

bool Cgroup::frozen() const {
  if (const std::string unified = unified_directory(); !unified.empty()) {
    const auto events = read_file(unified + kEvents);
    if (const auto state = events ? keyed_number(*events, "frozen") : std::nullopt) return *state == 1;
  }
  if (!is_v1("freezer")) return false;
  const auto state = read_file(directory_of("freezer") + "/freezer.state");
  return state && trim(*state) == "FROZEN";
}

}  // namespace fermata::kernel
