#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

Result<RuntimeSpec> spec_with(std::string_view fields) {
  return parse_runtime_spec(fmt::format(R"({{"ociVersion":"1.0.2",{}}})", fields));
}

Result<Process> process_with(std::string_view fields) {
  return parse_process(fmt::format(R"({{"cwd":"/","args":["sh"],{}}})", fields));
}

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(RuntimeDocumentProcess, ReadsAProcess) {
  const auto process = process_with(R"("terminal":true,"consoleSize":{"height":25,"width":80},
      "user":{"uid":1,"gid":2,"umask":63,"additionalGids":[5,6]},"env":["A=b"],"noNewPrivileges":true,
      "capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_NEW_ONE"],"inheritable":["I"],"permitted":["P"],
                      "ambient":["A"]},
      "rlimits":[{"type":"RLIMIT_NOFILE","soft":10,"hard":18446744073709551615}],"oomScoreAdj":-5,
      "apparmorProfile":"p","selinuxLabel":"l",
      "scheduler":{"policy":"SCHED_DEADLINE","nice":-20,"priority":0,"flags":["SCHED_FLAG_RECLAIM"],"runtime":1,
                   "deadline":2,"period":3},
      "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":7},"execCPUAffinity":{"initial":"0-3,7","final":"1"})");
  ASSERT_TRUE(process) << error_of(process);
  EXPECT_TRUE(process->terminal);
  EXPECT_EQ(process->console_rows, 25u);
  EXPECT_EQ(process->console_columns, 80u);
  EXPECT_EQ(process->user.umask, 077u);
  EXPECT_THAT(process->user.additional_gids, ElementsAre(5u, 6u));
  EXPECT_THAT(process->capabilities.effective, ElementsAre("CAP_NEW_ONE"));
  EXPECT_THAT(process->capabilities.ambient, ElementsAre("A"));
  EXPECT_EQ(process->rlimits[0].hard, UINT64_MAX);
  EXPECT_EQ(process->oom_score_adj, -5);
  EXPECT_EQ(process->apparmor_profile, "p");
  EXPECT_EQ(process->selinux_label, "l");
  EXPECT_EQ(process->scheduler->nice, -20);
  EXPECT_EQ(process->scheduler->period, 3u);
  EXPECT_EQ(process->io_priority->priority, 7);
  EXPECT_EQ(process->exec_cpu_affinity.initial, "0-3,7");
  EXPECT_TRUE(process->no_new_privileges);
}

TEST(RuntimeDocumentProcess, RefusesAProcessThatCannotRun) {
  EXPECT_EQ(error_of(parse_process("{}")), "process.args: no command");
  EXPECT_EQ(error_of(parse_process(R"({"args":[],"cwd":"/"})")), "process.args: no command");
  EXPECT_EQ(error_of(parse_process(R"({"args":["a"]})")), "process.cwd: missing");
  EXPECT_EQ(error_of(parse_process(R"({"args":["a"],"cwd":""})")), "process.cwd: '' is not an absolute path");
  EXPECT_EQ(error_of(spec_with(R"("process":{"cwd":"/"})")), "process.args: no command");
}

TEST(RuntimeDocumentProcess, NamesTheFieldOfAProcess) {
  struct Row {
    const char* fields;
    const char* error;
  };
  const Row rows[] = {
      {R"("user":{"uid":-1})", "process.user.uid: not a whole number from 0 to 4294967294"},
      {R"("user":{"uid":4294967296})", "process.user.uid: not a whole number from 0 to 4294967294"},
      {R"("user":{"uid":4294967295})", "process.user.uid: not a whole number from 0 to 4294967294"},
      {R"("user":{"gid":4294967295})", "process.user.gid: not a whole number from 0 to 4294967294"},
      {R"("user":{"uid":1.5})", "process.user.uid: not a whole number from 0 to 4294967294"},
      {R"("user":{"uid":"0"})", "process.user.uid: not a whole number from 0 to 4294967294"},
      {R"("user":{"additionalGids":[-1]})",
       "process.user.additionalGids: not a list of which each is a whole number"},
      {R"("user":{"umask":512})", "process.user.umask: not a whole number from 0 to 511"},
      {R"("consoleSize":{"height":1})", "process.consoleSize.width: missing"},
      {R"("consoleSize":{"height":65536,"width":1})",
       "process.consoleSize.height: not a whole number from 0 to 65535"},
      {R"("terminal":1)", "process.terminal: not true or false"},
      {R"("rlimits":[{"type":"RLIMIT_X","soft":1,"hard":1}])",
       "process.rlimits[0].type: 'RLIMIT_X' is none of"},
      {R"("rlimits":[{"type":"RLIMIT_CPU","soft":2,"hard":1}])",
       "process.rlimits[0].soft: 2 is above the hard limit 1"},
      {R"("rlimits":[{"type":"RLIMIT_CPU","soft":2}])", "process.rlimits[0].hard: missing"},
      {R"("rlimits":[{"type":"RLIMIT_CPU","soft":1,"hard":1},{"type":"RLIMIT_CPU","soft":1,"hard":1}])",
       "process.rlimits[1].type: 'RLIMIT_CPU', the same as of [0]"},
      {R"("oomScoreAdj":1001)", "process.oomScoreAdj: not a whole number from -1000 to 1000"},
      {R"("scheduler":{})", "process.scheduler.policy: missing"},
      {R"("scheduler":{"policy":"SCHED_X"})", "process.scheduler.policy: 'SCHED_X' is none of"},
      {R"("scheduler":{"policy":"SCHED_RR","flags":["X"]})", "process.scheduler.flags: 'X' is none of"},
      {R"("ioPriority":{"class":"X"})", "process.ioPriority.class: 'X' is none of"},
      {R"("ioPriority":{"class":"IOPRIO_CLASS_RT","priority":8})",
       "process.ioPriority.priority: not a whole number"},
      {R"("execCPUAffinity":{"final":"a"})", "process.execCPUAffinity.final: 'a' is not a list of CPUs"},
      {R"("capabilities":{"bounding":"CAP_KILL"})", "process.capabilities.bounding: not a list of strings"},
  };
  for (const Row& row : rows)
    EXPECT_THAT(error_of(process_with(row.fields)), StartsWith(row.error)) << row.fields;
}

}  // namespace
}  // namespace fermata::oci
