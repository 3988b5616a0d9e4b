// The plan by which another OCI runtime makes a process: its file systems in a mount namespace that ends with
// init, then the runtime's program (init::Op::run_foreign). Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "oci/runtime_spec.h"
#include "runtime/launch_plan.h"

namespace fermata::runtime {

struct ForeignCommands {
  std::string program;             // for messages
  std::vector<std::string> make;   // words; leaves the process behind, and its pid in `pid_file`
  std::vector<std::string> start;  // after that; empty: nothing
  std::string pid_file;
  std::string group = {};   // the directory of the v2 cgroup that the process is to be in; "": none
  int console_socket = -1;  // borrowed: listening; gets the master of the terminal. -1: there is none
};

// The bundle's directory for `spec`: where its root and those of its mounts that are descriptors come to lie.
inline constexpr char kForeignRoot[] = "rootfs";
std::string foreign_mount(std::size_t index);  // of the index-th mount of the specification

// The first process of a container. `bundle`: absolute.
Result<LaunchPlan> plan_foreign_container(const oci::RuntimeSpec& spec, const std::string& bundle,
                                          const ForeignCommands& commands);
// Another process in a running one.
Result<LaunchPlan> plan_foreign_exec(const ForeignCommands& commands);

}  // namespace fermata::runtime
