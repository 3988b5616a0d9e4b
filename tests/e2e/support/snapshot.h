// What of Fermata's is on the host at one moment, so that a test can assert that nothing was left.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace fermata::e2e {

struct Snapshot {
  // Kind ("mount", "process", "link", ...) -> one line each.
  std::map<std::string, std::set<std::string>> things;
};

struct SnapshotScope {
  std::string root, run_root;  // of the engine
  std::string tag;             // in the names of its cgroups, "fermata-1a2b3c"; "fermata" while unknown
};

Snapshot take_snapshot(const SnapshotScope& scope);
// Without what the end of the last pod leaves standing for a second: the bridge, its table, the event
// command.
Snapshot without_lingering(Snapshot snapshot, const SnapshotScope& scope);
// What `after` has more than `before`, "process: 12 pause ..." each; mounts also the other way around.
std::vector<std::string> leaks(const Snapshot& before, const Snapshot& after);
// Processes of the engine: in its cgroups, or running one of its programs on its directories. "PID comm exe
// cgroup".
std::set<std::string> engine_processes(const SnapshotScope& scope);
std::set<std::string> engine_cgroups(const SnapshotScope& scope);
std::set<std::string> host_mounts();
std::set<std::string> host_links();

}  // namespace fermata::e2e
