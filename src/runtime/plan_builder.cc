#include "runtime/plan_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace fermata::runtime {
namespace {

void pad(std::string* bytes) { bytes->resize((bytes->size() + 7) & ~std::size_t{7}, '\0'); }

}  // namespace

int PlanBuilder::slot_of(int fd) {
  const auto found = std::find(plan_.slots.begin(), plan_.slots.end(), fd);
  if (found != plan_.slots.end()) return static_cast<int>(found - plan_.slots.begin());
  plan_.slots.push_back(fd);
  return static_cast<int>(plan_.slots.size()) - 1;
}

void PlanBuilder::add(const PlannedOp& op, std::string description) {
  if (plan_.bytes.empty()) plan_.bytes.resize(sizeof(init::PlanHeader));
  std::string strings;
  for (const std::string& text : op.strings) {
    if (text.find('\0') != std::string::npos) bad_string_ = description;
    strings.append(text.c_str(), std::strlen(text.c_str()) + 1);
  }
  init::OpHeader header = {};
  header.op = static_cast<std::uint16_t>(op.op);
  header.string_count = static_cast<std::uint16_t>(op.strings.size());
  if (op.strings.size() > std::numeric_limits<std::uint16_t>::max()) bad_string_ = description;
  header.slot = op.fd >= 0 ? slot_of(op.fd) : -1;
  header.flags = op.flags;
  header.a = op.a;
  header.b = op.b;
  header.data_size = static_cast<std::uint32_t>(op.data.size());
  header.strings_size = static_cast<std::uint32_t>(strings.size());
  std::string body = op.data;
  pad(&body);
  body += strings;
  pad(&body);
  header.size = static_cast<std::uint32_t>(sizeof header + body.size());
  plan_.bytes += bytes_of(header);
  plan_.bytes += body;
  plan_.ops.push_back(op.op);
  plan_.descriptions.push_back(std::move(description));
  ++count_;
}

void PlanBuilder::add_row(PlannedOp op, const std::vector<int>& fds, std::string description) {
  op.fd = fds.front();
  add(op, std::move(description));
  plan_.slots.insert(plan_.slots.end(), fds.begin() + 1, fds.end());  // init counts on them in a row
}

void PlanBuilder::preserve(const std::vector<int>& fds) {
  add_row({.op = init::Op::preserve_descriptors, .a = fds.size()}, fds, "hand down descriptors");
}

void PlanBuilder::set_pid_namespace(bool make, int join) {
  plan_.new_pid_namespace = make;
  plan_.pid_namespace = join;
}

Result<LaunchPlan> PlanBuilder::finish() && {
  if (!bad_string_.empty())
    return fail(ErrorKind::invalid_argument, "cannot {}: an argument holds a NUL byte, or there are too many",
                bad_string_);
  if (plan_.bytes.size() > (64u << 20))
    return fail(ErrorKind::invalid_argument, "the process's arguments and environment are too large");
  const init::PlanHeader header = {init::kPlanMagic, init::kPlanVersion,
                                   static_cast<std::uint32_t>(plan_.bytes.size()), count_};
  std::memcpy(plan_.bytes.data(), &header, sizeof header);
  return std::move(plan_);
}

}  // namespace fermata::runtime
