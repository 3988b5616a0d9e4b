#include "cni/plugins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "cni/fake_plugins.h"
#include "cni/run_program.h"

namespace fermata::cni {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Request request_with(const std::string& input = "{}") {
  return {.command = Command::add, .input = input, .variables = {"CNI_COMMAND=ADD"}};
}

TEST(Plugins, RunsInTheOwnEnvironmentWithItsVariables) {
  ::setenv("CNI_IFNAME", "stale", 1);
  FakePlugins fakes;
  Plugins plugins({"/nowhere", fakes.path()});
  ::unsetenv("CNI_IFNAME");
  fakes.install("bridge");
  const auto reply = plugins.run("bridge", request_with(R"({"a":1})"));
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_FALSE(reply->error);
  EXPECT_THAT(reply->output, HasSubstr("10.1.0.5/24"));
  EXPECT_EQ(fakes.input("bridge", "ADD"), R"({"a":1})");
  EXPECT_EQ(fakes.variable("bridge", "ADD", "CNI_PATH"), "/nowhere:" + fakes.path());
  EXPECT_TRUE(fakes.variable("bridge", "ADD", "PATH"));
  EXPECT_FALSE(fakes.variable("bridge", "ADD", "CNI_IFNAME"));
}

TEST(Plugins, MissingOneNamesTheDirectories) {
  FakePlugins fakes;
  Plugins plugins({"/nowhere", fakes.path()});
  fakes.put("data", "not executable");
  for (const std::string type : {"absent", "data"}) {
    const auto reply = plugins.run(type, request_with());
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind(), ErrorKind::not_found);
    EXPECT_THAT(reply.error().message(), HasSubstr("/nowhere, " + fakes.path()));
  }
}

TEST(Plugins, FailureIsAnOutcome) {
  FakePlugins fakes;
  Plugins plugins({fakes.path()});
  fakes.install("bridge");
  fakes.answer("bridge", "ADD", R"(echo log >&2; echo '{"code":51,"msg":"m"}'; exit 1)");
  EXPECT_EQ(plugins.run("bridge", request_with()).value().error->code, kLimitedConnectivity);
  fakes.answer("bridge", "ADD", "echo why >&2; exit 3");
  EXPECT_EQ(plugins.run("bridge", request_with()).value().error->message, "exit status 3: why");
  fakes.answer("bridge", "ADD", "kill -KILL $$");
  EXPECT_THAT(plugins.run("bridge", request_with()).value().error->message, HasSubstr("signal 9"));
}

TEST(Plugins, VersionsAreAskedOnceForEachProgram) {
  FakePlugins fakes;
  Plugins plugins({fakes.path()});
  fakes.install("bridge");
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(plugins.versions("bridge").value(), ElementsAre(Version{0, 4, 0}, Version{1, 0, 0}));
  EXPECT_THAT(fakes.take_log(), ElementsAre("bridge VERSION none none"));
  fakes.install("bridge", R"("1.1.0")");
  EXPECT_THAT(plugins.versions("bridge").value(), ElementsAre(Version{1, 1, 0}));
}

TEST(Plugins, OneThatHangsIsKilledWithWhatItHasStarted) {
  FakePlugins fakes;
  Plugins plugins({fakes.path()}, std::chrono::milliseconds(300));
  fakes.install("bridge");
  fakes.answer("bridge", "ADD", "echo waiting >&2; sleep 1000 & echo $! > $d/child; wait");
  const auto reply = plugins.run("bridge", request_with());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind(), ErrorKind::unavailable);
  EXPECT_THAT(reply.error().message(),
              HasSubstr("plugin 'bridge' (ADD): killed, for it had not ended after 300 ms"));
  EXPECT_THAT(reply.error().message(), HasSubstr("waiting"));
  const auto child = parse_unsigned(trim(read_file(fakes.path() + "/child").value()));
  ASSERT_TRUE(child);
  // It ends a moment later, and is somebody else's to reap.
  const std::string state = "/proc/" + std::to_string(*child) + "/stat";
  for (int i = 0; i < 500 && read_file(state).value_or(") Z").find(") Z") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_NE(read_file(state).value_or(") Z").find(") Z"), std::string::npos);
}

TEST(Plugins, WhatOneLeavesRunningIsNotWaitedFor) {
  FakePlugins fakes;
  Plugins plugins({fakes.path()}, std::chrono::seconds(20));
  fakes.install("bridge");
  fakes.answer("bridge", "ADD", "sleep 1000 & echo $! > $d/child; echo '{}'; exit 0");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(plugins.run("bridge", request_with()).value().output, "{}\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  const auto child = parse_unsigned(trim(read_file(fakes.path() + "/child").value()));
  ASSERT_TRUE(child);
  EXPECT_EQ(::kill(static_cast<pid_t>(*child), SIGKILL), 0);
}

TEST(RunProgram, TakesMuchInputAndOutput) {
  const std::string much(3u << 20, 'x');
  const auto end = run_program(
      {.path = "/bin/cat", .input = much, .environment = {}, .timeout = std::chrono::seconds(20)});
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_EQ(end->output, much);
  FakePlugins fakes;
  fakes.install("endless");
  fakes.answer("endless", "ADD",
               "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
  const auto endless = Plugins({fakes.path()}, std::chrono::minutes(1)).run("endless", request_with());
  ASSERT_FALSE(endless);
  EXPECT_THAT(endless.error().message(), HasSubstr("more than 8 MiB"));
}

}  // namespace
}  // namespace fermata::cni
