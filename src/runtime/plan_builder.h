// Writes a plan of fermata-init (init/plan.h), operation by operation, each with a description for messages.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "init/plan.h"
#include "runtime/launch_plan.h"

namespace fermata::runtime {

// The fields of one operation; what they mean is said beside init::Op.
struct PlannedOp {
  init::Op op;
  int fd = -1;  // borrowed; becomes a slot
  std::uint32_t flags = 0;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::string data = {};
  std::vector<std::string> strings = {};
};

class PlanBuilder {
 public:
  // `description` completes "cannot ...": "mount proc at '/proc'".
  void add(const PlannedOp& op, std::string description);
  // An operation with several slots in a row. None of `fds` may be in another operation.
  void add_row(PlannedOp op, const std::vector<int>& fds, std::string description);
  // They become descriptors 3, 4, ... of the program. Once, and none of them may be in another operation.
  void preserve(const std::vector<int>& fds);
  void skip(std::string reason) { plan_.skipped.push_back(std::move(reason)); }
  void set_pid_namespace(bool make, int join);
  void set_user_namespace(int join) { plan_.user_namespace = join; }
  void limit_early(const init::ResourceLimit& limit) { plan_.limits.push_back(limit); }
  void score_early(int oom_score_adj) { plan_.oom_score_adj = oom_score_adj; }
  // By the child, before its user namespace.
  void join_early(int fd) { plan_.joined_namespaces.push_back(fd); }
  // The plan. Fails when a string held a NUL, which no C string can, or when the plan is too large.
  Result<LaunchPlan> finish() &&;

 private:
  int slot_of(int fd);

  LaunchPlan plan_;
  std::uint32_t count_ = 0;
  std::string bad_string_;
};

// The bytes of a plain value, for PlannedOp::data.
template <class T>
std::string bytes_of(const T& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

}  // namespace fermata::runtime
