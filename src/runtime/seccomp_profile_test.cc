#include "runtime/seccomp_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kProfile[] = R"({
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
              {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
  "syscalls": [
    {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {}},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
    {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}
  ]})";

std::vector<std::string> rules(const SeccompContext& context) {
  std::vector<std::string> result;
  const auto policy = parse_seccomp_profile(kProfile, context);
  EXPECT_TRUE(policy);
  if (!policy) return result;
  for (const auto& rule : policy->rules) result.push_back(rule.syscall + " " + rule.action.name.substr(9));
  return result;
}

TEST(SeccompProfile, AppliesConditions) {
  EXPECT_THAT(rules({{}, "amd64", "6.1.0"}),
              ElementsAre("read ALLOW", "no_such_call ALLOW", "mount ERRNO", "arch_prctl ALLOW",
                          "ptrace ALLOW", "personality ALLOW"));
  EXPECT_THAT(rules({{"CAP_SYS_ADMIN"}, "arm64", "4.4.0-1"}),
              ElementsAre("read ALLOW", "no_such_call ALLOW", "mount ALLOW", "personality ALLOW"));
}

TEST(SeccompProfile, TakesActionsArchitecturesAndArguments) {
  const auto policy = parse_seccomp_profile(kProfile, {{}, "amd64", "6.1"});
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->default_action.data, 38u);
  EXPECT_THAT(policy->architectures, ElementsAre("SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  EXPECT_EQ(policy->rules[2].action.data, 1u);
  ASSERT_EQ(policy->rules.back().comparisons.size(), 1u);
  EXPECT_EQ(policy->rules.back().comparisons[0].value, 8u);
}

TEST(SeccompProfile, CompilesAndLeavesOutWhatIsUnknown) {
  const auto policy = parse_seccomp_profile(kProfile, {{}, "amd64", "6.1"});
  ASSERT_TRUE(policy);
  const auto program = kernel::compile_seccomp(*policy);
  ASSERT_TRUE(program) << program.error().message();
  EXPECT_GT(program->size(), 80u);
  EXPECT_EQ(program->size() % 8, 0u);
}

TEST(SeccompProfile, RefusesBrokenOnes) {
  EXPECT_THAT(parse_seccomp_profile("{", {}).error().message(), HasSubstr("seccomp profile: "));
  EXPECT_FALSE(parse_seccomp_profile("[]", {}));
  EXPECT_FALSE(parse_seccomp_profile(R"({"defaultAction": 1})", {}));
  auto policy = parse_seccomp_profile(R"({"defaultAction": "SCMP_ACT_BLESS"})", {});
  ASSERT_TRUE(policy);
  EXPECT_FALSE(kernel::compile_seccomp(*policy));
}

}  // namespace
}  // namespace fermata::runtime
