// Seccomp filters in containers on the real kernel: every action, flags, notifications. Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <thread>

#include "kernel/support/outcome.h"
#include "runtime/seccomp_cache.h"

namespace fermata {
namespace {

using test::attempt;
using test::BusyboxRoot;
using test::InitProcess;
using testing::HasSubstr;

std::string profile(const std::string& action, const std::string& more = "") {
  return R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_)" +
         action + "\"" + more + "}]}";
}

class Seccomp : public testing::Test {
 protected:
  test::Outcome run(const std::string& json, const std::string& script) {
    auto spec = root_.spec(script);
    const auto compiled = runtime::compiled_seccomp(root_.path() + "/cache", json, {});
    EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().message());
    if (!compiled) return {};
    spec.seccomp_program = compiled->program.get();
    return test::run(spec, {.seccomp_flags = compiled->flags});
  }
  BusyboxRoot root_;
};

TEST_F(Seccomp, EveryActionActs) {
  const std::string script = "mkdir /tmp/x; echo $?";
  EXPECT_THAT(run(profile("ERRNO", R"(, "errnoRet": 28)"), script).output, HasSubstr("No space left"));
  EXPECT_EQ(run(profile("ALLOW"), script).output, "0\n");
  std::filesystem::remove(root_.path() + "/upper/tmp/x");
  EXPECT_EQ(run(profile("LOG"), script).output, "0\n");
  for (const char* action : {"KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP"})
    EXPECT_THAT(run(profile(action), script).output, testing::EndsWith("159\n")) << action;  // 128 + SIGSYS
  // Without a tracer it does not exist.
  EXPECT_THAT(run(profile("TRACE"), script).output, HasSubstr("Function not implemented"));
}

TEST_F(Seccomp, ArgumentsDecide) {
  const std::string json =
      R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 11,
          "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}]})";
  const auto outcome = run(json, "kill -0 $$ && echo zero; kill -10 $$");
  EXPECT_THAT(outcome.output, HasSubstr("zero"));
  EXPECT_THAT(outcome.output, HasSubstr("Resource temporarily unavailable"));
}

TEST_F(Seccomp, FlagsAreTaken) {
  const std::string json =
      R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
          "SECCOMP_FILTER_FLAG_TSYNC"]})";
  EXPECT_EQ(run(json, "grep Seccomp: /proc/self/status").output, "Seccomp:\t2\n");
}

TEST_F(Seccomp, NotificationsArriveAndAreAnswered) {
  const std::string json =
      R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
          "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]})";
  for (const bool no_new_privileges : {false, true}) {
    auto spec = root_.spec("mkdir /tmp/x");
    spec.process.no_new_privileges = no_new_privileges;
    const auto compiled = runtime::compiled_seccomp(root_.path() + "/cache", json, {});
    ASSERT_TRUE(compiled) << compiled.error().message();
    EXPECT_EQ(compiled->listener_path, "/run/agent");
    spec.seccomp_program = compiled->program.get();
    const auto plan = runtime::plan_container(spec, {.seccomp_flags = compiled->flags});
    ASSERT_TRUE(plan);
    InitProcess process(*plan);
    ASSERT_TRUE(process.started()) << process.failed_operation() << " " << process.failure()->error;
    ASSERT_GE(process.listener(), 0);
    seccomp_notif request = {};
    ASSERT_EQ(::ioctl(process.listener(), SECCOMP_IOCTL_NOTIF_RECV, &request), 0) << errno;
    seccomp_notif_resp response = {};
    response.id = request.id;
    response.error = -EDQUOT;
    ASSERT_EQ(::ioctl(process.listener(), SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
    EXPECT_THAT(process.output(), HasSubstr("quota exceeded"));
    EXPECT_EQ(process.wait(), 1);
  }
}

TEST_F(Seccomp, CompiledOnceByContent) {
  const std::string cache = root_.path() + "/cache";
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(cache), {}); };
  const auto inode = [&](const std::string& json, const std::vector<std::string>& capabilities) {
    const auto compiled = runtime::compiled_seccomp(cache, json, capabilities);
    struct stat info = {};
    EXPECT_TRUE(compiled && ::fstat(compiled->program.get(), &info) == 0);
    return info.st_ino;
  };
  const auto first = inode(profile("ERRNO"), {"CAP_CHOWN", "CAP_KILL"});
  EXPECT_EQ(inode(profile("ERRNO"), {"CAP_KILL", "CAP_CHOWN"}), first);
  EXPECT_EQ(count(), 1);
  EXPECT_NE(inode(profile("TRAP"), {"CAP_KILL", "CAP_CHOWN"}), first);
  EXPECT_NE(inode(profile("ERRNO"), {}), first);
  EXPECT_EQ(count(), 3);
}

}  // namespace
}  // namespace fermata
