// What is kept about a container between commands: `<root>/<id>/state.json`, beside a copy of its config.json
// (`config.json`), the socket that `start` connects to (`start`, gone once it was started), a lock (`lock`)
// and the path of its control group (`cgroup`), which is there before the group is.
//
// Whether it runs is not kept: it is asked of the kernel, by process id and start time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernel/resctrl.h"

namespace fermata::bundle {

inline constexpr char kStateFile[] = "state.json";
inline constexpr char kConfigFile[] = "config.json";
inline constexpr char kStartSocket[] = "start";
inline constexpr char kLockFile[] = "lock";
inline constexpr char kGroupFile[] = "cgroup";  // its path, and systemd's unit in the second line

struct Record {
  std::string id;
  std::string bundle;  // absolute
  std::string root;    // the root file system's directory, absolute
  int pid = 0;
  std::int64_t pid_start = 0;  // base/process.h
  std::int64_t created = 0;    // ns since 1970
  std::string owner;           // who created it
  std::string cgroup;          // below every hierarchy
  std::string scope;           // of systemd, "": the group was made without it
  std::string program;         // args[0], for messages
  // Whether `start` and `delete` have hooks to run: without any they need not read config.json.
  bool start_hooks = true, stop_hooks = true;
  kernel::ResctrlGroup resctrl;  // "" as its paths: none
  // What is still to be done when it is started, from the plan's operation `first_step` on: init::Op and
  // description.
  std::uint32_t first_step = 0;
  std::vector<std::pair<std::uint16_t, std::string>> steps;
};

enum class Status { created, running, paused, stopped };
const char* name_of(Status status);

struct Container {
  Record record;
  Status status = Status::stopped;
};

// Whether it can be the name of a directory below the root, and nothing else.
Result<void> check_id(const std::string& id);

std::string format_record(const Record& record);
Result<Record> parse_record(std::string_view json);

// The state that commands print and hooks read; runtime.md, "State". A stopped container has no pid.
std::string state_document(const Container& container, std::string_view status,
                           const std::map<std::string, std::string>& annotations);

}  // namespace fermata::bundle
