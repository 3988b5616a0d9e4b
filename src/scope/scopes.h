// systemd's transient scopes: control groups that systemd makes for processes that it did not start, and
// leaves to them (Delegate=). What the systemd cgroup driver asks of the program fermata-systemd (call.h):
// other commands and hosts without libsystemd never need it, and a command that loads no module can be linked
// statically.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "scope/properties.h"

namespace fermata::scope {

struct ScopeRequest {
  std::string slice;  // "system.slice"; made if it is missing
  std::string unit;   // "fermata-1234.scope"
  std::string description;
  int pid = 0;  // its first process; systemd refuses a scope without one, and takes it away with the last
  std::vector<Property> properties;  // beside delegation and accounting, which every scope of ours has
};

// Each call returns when systemd has done what it was asked for. Not thread-safe.
class Scopes {
 public:
  virtual ~Scopes() = default;
  // The path of its control group below the hierarchies' root, as kernel::Cgroup::open takes it. A failed
  // scope of the same name is taken away; one that lives is ErrorKind::conflict.
  virtual Result<std::string> start(const ScopeRequest& request) = 0;
  // Until the next boot, as the scope itself.
  virtual Result<void> set_properties(const std::string& unit, const std::vector<Property>& properties) = 0;
  // Ends what is left in it, with SIGTERM and later SIGKILL. Absent is success.
  virtual Result<void> stop(const std::string& unit) = 0;
  // Forgets that it failed, so that its name is free. Absent is success.
  virtual Result<void> reset_failed(const std::string& unit) = 0;
};

inline constexpr const char* kScopesProgram = "fermata-systemd";  // beside the program that asks

// Whether systemd is this machine's PID 1, sd_booted(3).
bool has_systemd();
// ErrorKind::unsupported where it is not; each call fails so where fermata-systemd cannot be executed.
Result<Scopes*> load_scopes();

}  // namespace fermata::scope
