// For tests: a plan's operations as values.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "init/plan_view.h"
#include "runtime/launch_plan.h"

namespace fermata::runtime {

struct ReadOp {
  init::Op op;
  int slot;
  std::uint32_t flags;
  std::uint64_t a, b;
  std::string data;
  std::vector<std::string> strings;
};

inline std::vector<ReadOp> read_ops(const LaunchPlan& plan) {
  std::vector<ReadOp> ops;
  init::PlanView view;
  init::OpView op;
  EXPECT_TRUE(view.open(plan.bytes.data(), plan.bytes.size()));
  init::PlanView::Next next;
  while ((next = view.next(&op)) == init::PlanView::Next::op) {
    ReadOp read = {op.op(), op.slot(), op.flags(),
                   op.a(),  op.b(),    std::string(reinterpret_cast<const char*>(op.data()), op.data_size()),
                   {}};
    for (std::uint32_t i = 0; i < op.string_count(); ++i) read.strings.push_back(op.string(i));
    ops.push_back(std::move(read));
  }
  EXPECT_EQ(next, init::PlanView::Next::end);
  EXPECT_EQ(ops.size(), plan.descriptions.size());
  return ops;
}

inline std::vector<init::Op> kinds(const std::vector<ReadOp>& ops) {
  std::vector<init::Op> result;
  result.reserve(ops.size());
  for (const ReadOp& op : ops) result.push_back(op.op);
  return result;
}

inline std::size_t position(const std::vector<ReadOp>& ops, init::Op wanted) {
  return static_cast<std::size_t>(
      std::find_if(ops.begin(), ops.end(), [&](const ReadOp& op) { return op.op == wanted; }) - ops.begin());
}

inline bool has(const std::vector<ReadOp>& ops, init::Op wanted) {
  return position(ops, wanted) < ops.size();
}

inline ReadOp find(const std::vector<ReadOp>& ops, init::Op wanted) {
  const std::size_t found = position(ops, wanted);
  EXPECT_LT(found, ops.size());
  return found == ops.size() ? ReadOp{} : ops[found];
}

inline LaunchPlan plan_of(const oci::RuntimeSpec& spec, const StartOptions& options = {}) {
  auto plan = plan_container(spec, options);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
  return plan ? *plan : LaunchPlan{};
}

inline std::string error_of(const oci::RuntimeSpec& spec) {
  const auto plan = plan_container(spec);
  return plan ? "" : plan.error().message();
}

// The data of an operation as the value that it is.
template <class T>
T value_of(const ReadOp& op) {
  T value = {};
  EXPECT_GE(op.data.size(), sizeof value);
  if (op.data.size() >= sizeof value) std::memcpy(&value, op.data.data(), sizeof value);
  return value;
}

}  // namespace fermata::runtime
