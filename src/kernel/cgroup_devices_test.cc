#include "kernel/cgroup_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace fermata::kernel {
namespace {

constexpr std::uint32_t kMknod = BPF_DEVCG_ACC_MKNOD, kRead = BPF_DEVCG_ACC_READ,
                        kWrite = BPF_DEVCG_ACC_WRITE;
constexpr std::uint32_t kChar = BPF_DEVCG_DEV_CHAR, kBlock = BPF_DEVCG_DEV_BLOCK;

// Runs the few instructions that the programs are made of. -1: the program is broken.
int run(const std::vector<bpf_insn>& program, const bpf_cgroup_dev_ctx& context) {
  std::array<std::uint64_t, 16> r = {};
  for (std::size_t at = 0, steps = 0; at < program.size() && steps < 10000; ++at, ++steps) {
    const bpf_insn& i = program[at];
    const auto value = static_cast<std::uint64_t>(static_cast<std::int64_t>(i.imm));
    switch (i.code) {
      case BPF_LDX | BPF_MEM | BPF_W:
        if (i.src_reg != 1 || i.off < 0 || i.off > 8 || i.off % 4 != 0) return -1;
        r[i.dst_reg] = reinterpret_cast<const std::uint32_t*>(&context)[i.off / 4];
        break;
      case BPF_ALU64 | BPF_MOV | BPF_X:
        r[i.dst_reg] = r[i.src_reg];
        break;
      case BPF_ALU64 | BPF_MOV | BPF_K:
        r[i.dst_reg] = value;
        break;
      case BPF_ALU64 | BPF_AND | BPF_K:
        r[i.dst_reg] &= value;
        break;
      case BPF_ALU64 | BPF_RSH | BPF_K:
        r[i.dst_reg] >>= value;
        break;
      case BPF_JMP | BPF_JNE | BPF_K:
        if (r[i.dst_reg] != value) at += static_cast<std::size_t>(i.off);
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        if (r[i.dst_reg] == value) at += static_cast<std::size_t>(i.off);
        break;
      case BPF_JMP | BPF_EXIT:
        return static_cast<int>(r[0]);
      default:
        return -1;
    }
  }
  return -1;
}

int ask(const std::vector<DeviceRule>& rules, std::uint32_t type, std::uint32_t access, std::uint32_t major,
        std::uint32_t minor) {
  return run(plan_device_program(rules),
             {.access_type = (access << 16) | type, .major = major, .minor = minor});
}

const DeviceRule kDenyAll = {.allow = false};

using testing::ElementsAre;

TEST(DeviceRules, AreWrittenAsVersionOneTakesThem) {
  EXPECT_THAT(format_device_rule({.type = 'c', .major = 1, .minor = 3, .access = "rwm"}),
              ElementsAre("c 1:3 rwm"));
  EXPECT_THAT(format_device_rule({.type = 'c', .major = 136, .access = "rw"}), ElementsAre("c 136:* rw"));
  EXPECT_THAT(format_device_rule({.type = 'u', .major = 10, .access = "r"}), ElementsAre("c 10:* r"));
  EXPECT_THAT(format_device_rule(kDenyAll), ElementsAre("a *:* rwm"));
}

TEST(DeviceRules, OfAnyTypeAreNotWidenedToEveryDevice) {
  EXPECT_THAT(format_device_rule({.allow = true, .major = 1, .access = "r"}),
              ElementsAre("b 1:* r", "c 1:* r"));
  EXPECT_THAT(format_device_rule({.allow = true, .access = "m"}), ElementsAre("b *:* m", "c *:* m"));
}

TEST(DeviceProgram, AllowsWhatNoRuleSpeaksOf) {
  EXPECT_EQ(ask({}, kChar, kRead, 1, 3), 1);
  EXPECT_EQ(ask({{.allow = false, .type = 'c', .major = 1, .minor = 3}}, kBlock, kRead, 1, 3), 1);
}

TEST(DeviceProgram, RefusesEverythingButTheExceptions) {
  const std::vector<DeviceRule> rules = {kDenyAll,
                                         {.allow = true, .type = 'c', .major = 1, .minor = 3},
                                         {.allow = true, .type = 'c', .major = 136, .access = "rw"}};
  EXPECT_EQ(ask(rules, kChar, kRead | kWrite, 1, 3), 1);
  EXPECT_EQ(ask(rules, kChar, kMknod, 1, 3), 1);
  EXPECT_EQ(ask(rules, kBlock, kRead, 1, 3), 0);
  EXPECT_EQ(ask(rules, kChar, kRead, 1, 5), 0);
  EXPECT_EQ(ask(rules, kChar, kRead, 136, 77), 1);
  EXPECT_EQ(ask(rules, kChar, kMknod, 136, 77), 0);
  EXPECT_EQ(ask(rules, kBlock, kRead | kWrite, 8, 0), 0);
}

TEST(DeviceProgram, LetsTheLastMatchWin) {
  const DeviceRule allow = {.allow = true, .type = 'b', .major = 8, .minor = 0};
  DeviceRule deny = allow;
  deny.allow = false;
  EXPECT_EQ(ask({deny, allow}, kBlock, kRead, 8, 0), 1);
  EXPECT_EQ(ask({allow, deny}, kBlock, kRead, 8, 0), 0);
  EXPECT_EQ(ask({allow, kDenyAll}, kBlock, kRead, 8, 0), 0);
  EXPECT_EQ(ask({allow, kDenyAll, {.allow = true}}, kBlock, kRead, 9, 9), 1);
}

TEST(DeviceProgram, DecidesAccessByAccess) {
  const std::vector<DeviceRule> parts = {kDenyAll,
                                         {.allow = true, .type = 'c', .major = 5, .minor = 1, .access = "r"},
                                         {.allow = true, .type = 'c', .major = 5, .minor = 1, .access = "w"}};
  EXPECT_EQ(ask(parts, kChar, kRead | kWrite, 5, 1), 1);
  EXPECT_EQ(ask(parts, kChar, kRead | kMknod, 5, 1), 0);
  // A refusal of writing refuses reading and writing together.
  const std::vector<DeviceRule> read_only = {{.allow = true}, {.allow = false, .type = 'b', .access = "w"}};
  EXPECT_EQ(ask(read_only, kBlock, kRead | kWrite, 8, 0), 0);
  EXPECT_EQ(ask(read_only, kBlock, kRead, 8, 0), 1);
}

}  // namespace
}  // namespace fermata::kernel
