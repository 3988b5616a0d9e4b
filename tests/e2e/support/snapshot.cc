#include "e2e/support/snapshot.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <filesystem>
#include <functional>
#include <sstream>

#include "e2e/support/process.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

std::string link_target(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
  return size < 0 ? "" : std::string(target, static_cast<std::size_t>(size));
}

// Names that the file system's owner may add and remove under our eyes: every error is "not there".
std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    result.push_back(at->path());
  return result;
}

void collect_tree(const fs::path& directory, int depth, const std::function<bool(const fs::path&)>& wanted,
                  std::set<std::string>& into) {
  for (const auto& path : entries(directory)) {
    if (wanted(path)) into.insert(path.string());
    std::error_code error;
    if (depth > 1 && fs::is_directory(fs::symlink_status(path, error)))
      collect_tree(path, depth - 1, wanted, into);
  }
}

std::vector<std::string> cgroup_mounts() {
  std::vector<std::string> result;
  for (const auto& line : lines_of(slurp("/proc/self/mountinfo"))) {
    if (!contains(line, " - cgroup")) continue;
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    result.push_back(word);
  }
  return result;
}

// A zombie that waits for the host's init is no leak of ours.
bool is_orphaned_zombie(const std::string& stat) {
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return true;
  std::istringstream words(stat.substr(end + 1));
  std::string state;
  int parent = 0;
  words >> state >> parent;
  return (state == "Z" || state == "X") && parent != ::getpid();
}

std::set<std::string> files_below(const SnapshotScope& scope) {
  std::set<std::string> result;
  const auto wanted = [](const fs::path& path) {
    const std::string name = path.filename();
    // SQLite's own; and named volumes are kept by design (the tests say so where they make one).
    return !name.ends_with("-wal") && !name.ends_with("-shm") &&
           !contains(path.string(), "/volumes/named-") && name != "volumes" &&
           // Compiled filters, and the lock of whoever takes the network down a second after the last pod.
           !contains(path.string(), "/cache/") && name != "linger";
  };
  collect_tree(scope.run_root, 4, wanted, result);
  collect_tree(scope.root, 2, wanted, result);
  for (const char* directory : {"/run", "/dev/shm", "/var/lib"})
    collect_tree(
        directory, 1, [](const fs::path& path) { return path.filename().string().starts_with("fermata"); },
        result);
  return result;
}

}  // namespace

std::set<std::string> host_mounts() {
  std::set<std::string> result;
  for (const auto& line : lines_of(slurp("/proc/self/mountinfo"))) result.insert(line);
  return result;
}

std::set<std::string> host_links() {
  std::set<std::string> result;
  for (const auto& line : lines_of(run_program({"ip", "-o", "link"}).out)) {
    std::istringstream words(line);
    std::string index, name;
    words >> index >> name;
    result.insert(name.substr(0, name.find_first_of("@:")));
  }
  return result;
}

std::set<std::string> engine_cgroups(const SnapshotScope& scope) {
  std::set<std::string> result;
  for (const auto& mount : cgroup_mounts())
    collect_tree(
        mount, 8,
        [&](const fs::path& path) {
          std::error_code error;
          return contains(path.string(), "/" + scope.tag) && fs::is_directory(path, error);
        },
        result);
  return result;
}

std::set<std::string> engine_processes(const SnapshotScope& scope) {
  std::set<std::string> result;
  for (const auto& path : entries("/proc")) {
    const std::string pid = path.filename();
    if (pid.empty() || !std::isdigit(static_cast<unsigned char>(pid[0]))) continue;
    const std::string base = path.string();
    const std::string cgroup = slurp(base + "/cgroup");
    std::string command = slurp(base + "/cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    if (!contains(cgroup, "/" + scope.tag) && !contains(command, scope.run_root)) continue;
    if (is_orphaned_zombie(slurp(base + "/stat"))) continue;
    std::string comm = slurp(base + "/comm");
    if (comm.ends_with('\n')) comm.pop_back();
    result.insert(pid + " " + comm + " exe=" + link_target(base + "/exe") + " command=" + command);
  }
  return result;
}

Snapshot take_snapshot(const SnapshotScope& scope) {
  Snapshot result;
  result.things["mount"] = host_mounts();
  result.things["process"] = engine_processes(scope);
  result.things["link"] = host_links();
  for (const auto& line : lines_of(run_program({"nft", "list", "tables"}).out))
    result.things["nft table"].insert(line);
  result.things["cgroup"] = engine_cgroups(scope);
  for (const auto& path : entries("/run/netns")) result.things["netns"].insert(path.string());
  result.things["file"] = files_below(scope);
  return result;
}

Snapshot without_lingering(Snapshot snapshot, const SnapshotScope& scope) {
  snapshot.things["link"].erase(scope.tag);
  std::erase_if(snapshot.things["nft table"],
                [&](const auto& table) { return table.ends_with(" " + scope.tag); });
  std::erase_if(snapshot.things["process"], [](const auto& line) { return contains(line, " __event "); });
  return snapshot;
}

std::vector<std::string> leaks(const Snapshot& before, const Snapshot& after) {
  std::vector<std::string> result;
  static const std::set<std::string> kNone;
  for (const auto& [kind, now] : after.things) {
    const auto found = before.things.find(kind);
    const auto& then = found == before.things.end() ? kNone : found->second;
    for (const auto& thing : now)
      if (!then.contains(thing)) result.push_back(kind + ": " + thing);
    if (kind != "mount") continue;
    for (const auto& thing : then)
      if (!now.contains(thing)) result.push_back("mount gone: " + thing);
  }
  return result;
}

}  // namespace fermata::e2e
