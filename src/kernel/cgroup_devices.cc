#include "kernel/cgroup_devices.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "base/core/unique_fd.h"

namespace fermata::kernel {
namespace {

constexpr std::uint8_t kValue = BPF_REG_0, kContext = BPF_REG_1, kType = BPF_REG_2, kWanted = BPF_REG_3,
                       kMajor = BPF_REG_4, kMinor = BPF_REG_5;
constexpr std::uint32_t kAllAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

bpf_insn instruction(int code, std::uint8_t target, std::uint8_t source, std::int16_t offset,
                     std::int32_t value) {
  bpf_insn made = {};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = target & 0xf;
  made.src_reg = source & 0xf;
  made.off = offset;
  made.imm = value;
  return made;
}

bpf_insn load_field(std::uint8_t target, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, target, kContext, static_cast<std::int16_t>(offset), 0);
}

bpf_insn set_value(std::int32_t value) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, kValue, 0, 0, value);
}
bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

// The distance is filled in when the rule is complete.
bpf_insn skip_unless_equal(std::uint8_t what, std::int64_t value) {
  return instruction(BPF_JMP | BPF_JNE | BPF_K, what, 0, 0, static_cast<std::int32_t>(value));
}

std::uint32_t access_bits(const std::string& access) {
  std::uint32_t bits = 0;
  for (const char letter : access) {
    if (letter == 'r') bits |= BPF_DEVCG_ACC_READ;
    if (letter == 'w') bits |= BPF_DEVCG_ACC_WRITE;
    if (letter == 'm') bits |= BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

bool speaks_of_everything(const DeviceRule& rule) {
  return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && access_bits(rule.access) == kAllAccess;
}

// Later rules came first, so what is still wanted here was not decided by them.
void append_rule(std::vector<bpf_insn>& program, const DeviceRule& rule) {
  const auto bits = static_cast<std::int32_t>(access_bits(rule.access));
  std::vector<std::size_t> skips;
  const auto skip = [&](const bpf_insn& jump) {
    skips.push_back(program.size());
    program.push_back(jump);
  };
  if (rule.type != 'a')
    skip(skip_unless_equal(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR));
  if (rule.major >= 0) skip(skip_unless_equal(kMajor, rule.major));
  if (rule.minor >= 0) skip(skip_unless_equal(kMinor, rule.minor));
  if (rule.allow) {
    program.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, kWanted, 0, 0,
                                  static_cast<std::int32_t>(~bits & kAllAccess)));
    skip(skip_unless_equal(kWanted, 0));
  } else {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, kValue, kWanted, 0, 0));
    program.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, kValue, 0, 0, bits));
    skip(instruction(BPF_JMP | BPF_JEQ | BPF_K, kValue, 0, 0, 0));
  }
  program.push_back(set_value(rule.allow ? 1 : 0));
  program.push_back(leave());
  for (const std::size_t at : skips) program[at].off = static_cast<std::int16_t>(program.size() - at - 1);
}

long bpf(int command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

Result<UniqueFd> load_program(const std::vector<bpf_insn>& program) {
  bpf_attr attributes = {};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = reinterpret_cast<std::uint64_t>(program.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.license = reinterpret_cast<std::uint64_t>("Apache-2.0");
  for (int tries = 0;; ++tries) {
    const long fd = bpf(BPF_PROG_LOAD, attributes);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // The verifier gives way to signals; bpf(2).
    if (errno != EAGAIN || tries == 5) return fail(errno, "load the program of the device rules");
  }
}

// Ids of the programs attached to this very group.
Result<std::vector<std::uint32_t>> attached_programs(int cgroup) {
  std::array<std::uint32_t, 64> ids = {};
  bpf_attr attributes = {};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.query.attach_type = BPF_CGROUP_DEVICE;
  attributes.query.prog_ids = reinterpret_cast<std::uint64_t>(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (bpf(BPF_PROG_QUERY, attributes) != 0) return fail(errno, "list the device rules of the group");
  return std::vector<std::uint32_t>(ids.begin(), ids.begin() + attributes.query.prog_cnt);
}

Result<void> detach_program(int cgroup, std::uint32_t id) {
  bpf_attr attributes = {};
  attributes.prog_id = id;
  const UniqueFd program(static_cast<int>(bpf(BPF_PROG_GET_FD_BY_ID, attributes)));
  if (!program) return fail(errno, "open the earlier device rules");
  attributes = {};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.attach_type = BPF_CGROUP_DEVICE;
  if (bpf(BPF_PROG_DETACH, attributes) != 0) return fail(errno, "remove the earlier device rules");
  return {};
}

}  // namespace

std::vector<std::string> format_device_rule(const DeviceRule& rule) {
  const auto number = [](std::int64_t value) { return value < 0 ? std::string("*") : std::to_string(value); };
  const auto line = [&](char type) {
    return fmt::format("{} {}:{} {}", type, number(rule.major), number(rule.minor), rule.access);
  };
  if (rule.type == 'u') return {line('c')};
  if (rule.type != 'a' || speaks_of_everything(rule)) return {line(rule.type)};
  return {line('b'), line('c')};
}

std::vector<bpf_insn> plan_device_program(const std::vector<DeviceRule>& rules) {
  std::vector<bpf_insn> program = {
      load_field(kWanted, offsetof(bpf_cgroup_dev_ctx, access_type)),
      instruction(BPF_ALU64 | BPF_MOV | BPF_X, kType, kWanted, 0, 0),
      instruction(BPF_ALU64 | BPF_AND | BPF_K, kType, 0, 0, 0xffff),
      instruction(BPF_ALU64 | BPF_RSH | BPF_K, kWanted, 0, 0, 16),
      load_field(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      load_field(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  bool otherwise = true;
  // Backwards: the last match wins. What stands before a rule for everything is never asked.
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (speaks_of_everything(*rule)) {
      otherwise = rule->allow;
      break;
    }
    append_rule(program, *rule);
  }
  program.push_back(set_value(otherwise ? 1 : 0));
  program.push_back(leave());
  return program;
}

Result<void> attach_device_program(int cgroup, const std::vector<DeviceRule>& rules) {
  TRY(const UniqueFd program, load_program(plan_device_program(rules)));
  TRY(const auto before, attached_programs(cgroup));
  bpf_attr attributes = {};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
  attributes.attach_type = BPF_CGROUP_DEVICE;
  // Every program attached here or above must agree, so a group below can only be narrower.
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (bpf(BPF_PROG_ATTACH, attributes) != 0) return fail(errno, "attach the program of the device rules");
  // Only now, so that the group is at no time without rules.
  for (const std::uint32_t id : before) TRY(detach_program(cgroup, id));
  return {};
}

}  // namespace fermata::kernel
