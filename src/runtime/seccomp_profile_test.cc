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
  const auto profile = parse_seccomp_profile(kProfile, context);
  EXPECT_TRUE(profile);
  if (!profile) return result;
  for (const auto& rule : profile->policy.rules)
    result.push_back(rule.syscall + " " + rule.action.name.substr(9));
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
  const auto profile = parse_seccomp_profile(kProfile, {{}, "amd64", "6.1"});
  ASSERT_TRUE(profile);
  const kernel::SeccompPolicy* policy = &profile->policy;
  EXPECT_EQ(profile->flags, 0u);
  EXPECT_EQ(policy->default_action.data, 38u);
  EXPECT_THAT(policy->architectures, ElementsAre("SCMP_ARCH_X86", "SCMP_ARCH_X32"));
  EXPECT_EQ(policy->rules[2].action.data, 1u);
  ASSERT_EQ(policy->rules.back().comparisons.size(), 1u);
  EXPECT_EQ(policy->rules.back().comparisons[0].value, 8u);
}

TEST(SeccompProfile, CompilesAndLeavesOutWhatIsUnknown) {
  const auto profile = parse_seccomp_profile(kProfile, {{}, "amd64", "6.1"});
  ASSERT_TRUE(profile);
  const auto program = kernel::compile_seccomp(profile->policy);
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
  EXPECT_FALSE(kernel::compile_seccomp(policy->policy));
}

// linux.seccomp of a config.json.
TEST(SeccompProfile, TakesFlagsAndListener) {
  const auto parse = [](const std::string& more) {
    return parse_seccomp_profile(
        R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], )" + more + "}",
        {{}, "amd64", "6.1"});
  };
  const std::string notify = R"("syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}])";
  const auto plain = parse(
      R"("flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])");
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(plain->flags, 1u | 2u | 4u);
  const auto listening = parse(
      R"("listenerPath": "/run/agent", "listenerMetadata": "m", "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], )" +
      notify);
  ASSERT_TRUE(listening) << listening.error().message();
  EXPECT_EQ(listening->flags, 8u | 32u);
  EXPECT_EQ(listening->listener_path, "/run/agent");
  EXPECT_EQ(listening->listener_metadata, "m");
  EXPECT_TRUE(kernel::compile_seccomp(listening->policy));
  EXPECT_THAT(parse(notify).error().message(), HasSubstr("without listenerPath"));
  EXPECT_THAT(parse(R"("listenerMetadata": "m")").error().message(), HasSubstr("without listenerPath"));
  EXPECT_THAT(parse(R"("flags": ["FLAG"])").error().message(), HasSubstr("unknown flag 'FLAG'"));
}

TEST(SeccompProfile, EveryActionCompiles) {
  for (const char* action :
       {"KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "LOG", "NOTIFY"}) {
    const auto program = kernel::compile_seccomp(
        {.default_action = {.name = "SCMP_ACT_ALLOW"},
         .rules = {{.syscall = "mkdir", .action = {.name = std::string("SCMP_ACT_") + action, .data = 38}}}});
    EXPECT_TRUE(program) << action << ": " << program.error().message();
  }
}

// Its descriptor could not be handed over: the process would wait for itself.
TEST(SeccompProfile, NotificationOfWhatHandsItOverIsRefused) {
  const kernel::SeccompAction notify = {.name = "SCMP_ACT_NOTIFY"}, allow = {.name = "SCMP_ACT_ALLOW"};
  EXPECT_THAT(
      kernel::compile_seccomp({.default_action = allow, .rules = {{.syscall = "sendmsg", .action = notify}}})
          .error()
          .message(),
      HasSubstr("SCMP_ACT_NOTIFY of 'sendmsg'"));
  EXPECT_THAT(kernel::compile_seccomp({.default_action = notify}).error().message(),
              HasSubstr("default action"));
}

}  // namespace
}  // namespace fermata::runtime
