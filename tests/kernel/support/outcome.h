// A container from start to end: what it printed, or which operation failed.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "kernel/mounts.h"
#include "kernel/support/init_process.h"
#include "kernel/user_namespace.h"

namespace fermata::test {

struct Outcome {
  int exit_code = -1;
  std::string output;
  std::string failed;  // the operation
  int error = 0;
  runtime::LaunchFailure explained = {};
};

// As it comes, whether it started or not.
inline Outcome attempt(const oci::RuntimeSpec& spec, const runtime::StartOptions& options = {}) {
  Outcome outcome;
  const auto plan = runtime::plan_container(spec, options);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
  if (!plan) return outcome;
  InitProcess process(*plan);
  if (!process.started()) {
    outcome.failed = process.failed_operation();
    if (process.failure()) {
      outcome.error = process.failure()->error;
      outcome.explained =
          runtime::explain_failure(*plan, spec.process.args, process.failure()->op_index, outcome.error);
    }
  }
  outcome.output = process.output();
  outcome.exit_code = process.wait();
  return outcome;
}

inline Outcome run(const oci::RuntimeSpec& spec, const runtime::StartOptions& options = {}) {
  Outcome outcome = attempt(spec, options);
  EXPECT_EQ(outcome.failed, "") << outcome.explained.message;
  return outcome;
}

// Whether the file system of `path` can show other owners than its own.
inline bool maps_ids(const std::string& path) {
  const auto tree = kernel::clone_tree(path, false);
  const auto ids = kernel::make_user_namespace({{{0, 0, 1}}, {{0, 0, 1}}});
  return tree && ids && kernel::map_mount_ids(tree->get(), ids->get(), false);
}

// procfs and sysfs files have no size: streams read them as they come.
inline std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A line of /proc/<pid>/status.
inline std::string status_line(const std::string& status, const std::string& key) {
  const auto at = status.find(key + ":\t");
  if (at == std::string::npos) return "";
  const auto start = at + key.size() + 2;
  return status.substr(start, status.find('\n', start) - start);
}

}  // namespace fermata::test
