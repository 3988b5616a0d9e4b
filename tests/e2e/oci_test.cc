// fermata-oci as its user has it: a container's life by its commands, what they print, and what they refuse.
#include "e2e/support/oci.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace fermata::e2e {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Oci : public OciTest {};

TEST_F(Oci, RunsToTheEnd) {
  const Outcome outcome = run("r", config({"sh", "-c", "echo $HOME; id -u; exit 7"}));
  EXPECT_EQ(7, outcome.code) << outcome;
  EXPECT_EQ("/root\n0\n", outcome.out);
  Background killed(command({"run", "--bundle", bundle("k", config({"sleep", "1000"})), id("k")}),
                    Background::Streams::pipes);
  ASSERT_TRUE(becomes("k", "running"));
  must({"kill", id("k"), "KILL"});
  EXPECT_EQ(137, killed.wait().code);
  EXPECT_EQ("", oci({"list", "-q"}).out);
}

TEST_F(Oci, KeepsWhatItRan) {
  EXPECT_EQ(0, run("r", config({"true"}), {"--keep"}).code);
  EXPECT_EQ("stopped", status("r"));
  must({"delete", id("r")});
}

TEST_F(Oci, LivesByItsCommands) {
  create("c", config({"sh", "-c", "trap 'exit 5' TERM; echo started; while :; do sleep 0.1; done"}));
  const json created = state("c");
  EXPECT_EQ("created", created["status"]);
  EXPECT_EQ(id("c"), created["id"]);
  EXPECT_EQ(path("bundle-c"), created["bundle"]);
  EXPECT_EQ(path("rootfs"), created["rootfs"]);
  EXPECT_EQ("fermata-init\n", slurp("/proc/" + std::to_string(created["pid"].get<int>()) + "/comm"));
  must({"start", id("c")});
  EXPECT_EQ("running", status("c"));
  EXPECT_TRUE(eventually([&] { return output() == "started\n"; })) << output();
  EXPECT_EQ(id("c"), must({"list", "-q"}));
  EXPECT_EQ("running", json::parse(must({"list", "--format", "json"})).at(0)["status"]);
  EXPECT_THAT(must({"list"}), AllOf(HasSubstr("CREATED"), HasSubstr(path("bundle-c"))));
  const auto pids = json::parse(must({"ps", "--format", "json", id("c")})).get<std::vector<int>>();
  EXPECT_THAT(pids, testing::Contains(created["pid"].get<int>()));
  EXPECT_THAT(must({"ps", id("c")}), AllOf(HasSubstr("PID"), HasSubstr("trap")));
  must({"pause", id("c")});
  EXPECT_EQ("paused", status("c"));
  EXPECT_THAT(oci({"exec", id("c"), "true"}).err, HasSubstr("paused"));
  must({"resume", id("c")});
  EXPECT_EQ("0", must({"exec", id("c"), "id", "-u"}));
  must({"kill", id("c")});
  ASSERT_TRUE(becomes("c", "stopped"));
  EXPECT_EQ(0, state("c")["pid"]);
  must({"delete", id("c")});
  EXPECT_THAT(oci({"state", id("c")}).err, HasSubstr("container \"" + id("c") + "\" does not exist"));
}

TEST_F(Oci, RefusesWhatAStateDoesNotAllow) {
  const auto refused = [&](const Arguments& arguments, const std::string& why) {
    const Outcome outcome = oci(arguments);
    EXPECT_NE(0, outcome.code) << testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, HasSubstr(why)) << testing::PrintToString(arguments);
  };
  start("c", config({"sleep", "1000"}));
  refused({"create", "--bundle", path("bundle-c"), id("c")}, "already exists");
  refused({"start", id("c")}, "cannot start an already running container");
  refused({"delete", id("c")}, "is not stopped: running");
  refused({"resume", id("c")}, "not paused");
  must({"kill", "--all", id("c"), "KILL"});
  ASSERT_TRUE(becomes("c", "stopped"));
  refused({"start", id("c")}, "cannot start a container that has stopped");
  refused({"exec", id("c"), "true"}, "cannot exec in a stopped container");
  refused({"kill", id("c")}, "container not running");
  refused({"pause", id("c")}, "not running");
  refused({"events", "--stats", id("c")}, "not running");
  for (const char* command :
       {"start", "kill", "pause", "resume", "delete", "ps", "state", "events", "update"})
    refused({command, "nobody"}, "does not exist");
  must({"delete", "--force", "nobody"});
  for (const char* bad : {"", ".", "..", "a/b", "a b"}) {
    refused({"delete", "--force", bad}, "invalid container ID");
    refused({"run", "--bundle", path("bundle-c"), bad}, "invalid container ID");
  }
  refused({"kill", id("c"), "NOSUCH"}, "NOSUCH");
  refused({"strat", id("c")}, "did you mean start?");
  refused({"start"}, "fermata-oci start");
}

TEST_F(Oci, WritesThePidFileAndSendsTheConsole) {
  json terminal = config({"sh", "-c", "tty; stty size; read line; echo got $line"});
  terminal["process"]["terminal"] = true;
  terminal["process"]["consoleSize"] = {{"height", 33}, {"width", 99}};
  const std::string directory = bundle("t", terminal);
  EXPECT_THAT(oci({"create", "--bundle", directory, id("t")}).err, HasSubstr("--console-socket"));
  const ConsoleSocket console(path("console.sock"));
  const Outcome created = detached({"create", "--bundle", directory, "--console-socket", console.path(),
                                    "--pid-file", path("pid"), id("t")});
  ASSERT_TRUE(created.ok()) << created;
  EXPECT_EQ(std::to_string(state("t")["pid"].get<int>()), slurp(path("pid")));
  const UniqueFd master = console.receive();
  ASSERT_TRUE(master.valid());
  must({"start", id("t")});
  EXPECT_THAT(read_terminal(master.get(), "33 99"), AllOf(HasSubstr("/dev/pts/0"), HasSubstr("33 99")));
  ASSERT_EQ(6, ::write(master.get(), "hello\n", 6));
  EXPECT_THAT(read_terminal(master.get(), "got hello"), HasSubstr("got hello"));
  EXPECT_TRUE(becomes("t", "stopped"));
  must({"delete", id("t")});
  const Outcome refused = run("n", config({"true"}), {"--console-socket", console.path()});
  EXPECT_THAT(refused.err, HasSubstr("process.terminal is false"));
}

TEST_F(Oci, RunsOnTheTerminalOfItsCaller) {
  json terminal = config({"sh", "-c", "test -t 0 && tty; exit 4"});
  terminal["process"]["terminal"] = true;
  Background program(command({"run", "--bundle", bundle("t", terminal), id("t")}),
                     Background::Streams::terminal);
  EXPECT_TRUE(program.read_until("/dev/pts/0"));
  EXPECT_EQ(4, program.wait().code);
}

TEST_F(Oci, PassesSignalsOn) {
  Background program(
      command({"run", "--bundle",
               bundle("s", config({"sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.1; done"})),
               id("s")}),
      Background::Streams::pipes);
  ASSERT_TRUE(program.read_until("up"));
  program.signal(SIGUSR1);
  EXPECT_EQ(9, program.wait().code);
}

TEST_F(Oci, HandsDescriptorsDown) {
  const std::string directory = bundle("d", config({"sh", "-c", "cat <&3; echo $LISTEN_FDS $LISTEN_PID"}));
  spill(path("three"), "three\n");
  Arguments shell{"sh", "-c", "f=$0; exec 3<\"$f\" 4<&-; exec \"$@\"", path("three")};
  const auto with = [&](const Arguments& flags) {
    Arguments all = shell;
    Arguments rest = command({"run", "--bundle", directory});
    rest.insert(rest.end(), flags.begin(), flags.end());
    rest.push_back(id("d"));
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  EXPECT_EQ("three\n", run_program(with({"--preserve-fds", "1"})).line());
  EXPECT_EQ("three\n1 1", run_program(with({}), {.env = {{"LISTEN_FDS", "1"}}}).line());
  EXPECT_THAT(run_program(with({"--preserve-fds", "2"})).err, HasSubstr("descriptor 4"));
  EXPECT_THAT(run_program(with({})).out, Not(HasSubstr("three")));
}

TEST_F(Oci, TakesTheFlagsOfARootInMemory) {
  EXPECT_EQ("ok", run("n", config({"echo", "ok"}), {"--no-pivot", "--no-new-keyring"}).line());
}

TEST_F(Oci, LogsForMachines) {
  const std::string log = path("log.json");
  const Outcome outcome = run_program(command({"--log", log, "--log-format", "json", "state", "nobody"}));
  EXPECT_EQ(1, outcome.code);
  const json line = json::parse(slurp(log));
  EXPECT_EQ("error", line["level"]);
  EXPECT_EQ("container \"nobody\" does not exist", line["msg"]);
  EXPECT_THAT(line["time"].get<std::string>(), ContainsRegex("^20..-..-..T"));
  EXPECT_EQ("container \"nobody\" does not exist\n", outcome.err);
  run_program(command({"--log", path("log"), "state", "nobody"}));
  EXPECT_THAT(slurp(path("log")), AllOf(HasSubstr("level=error"), HasSubstr("msg=\"container \\\"nobody")));
}

TEST_F(Oci, ExecutesBesideTheContainersProcess) {
  start("c", config({"sleep", "1000"}));
  const auto exec = [&](Arguments flags, const Arguments& rest) {
    flags.insert(flags.begin(), "exec");
    flags.push_back(id("c"));
    flags.insert(flags.end(), rest.begin(), rest.end());
    return oci(flags);
  };
  EXPECT_EQ(6, exec({}, {"sh", "-c", "exit 6"}).code);
  EXPECT_EQ("/tmp 1000 1001 29 x /home/user",
            exec({"--cwd", "/tmp", "--user", "1000:1001", "-g", "29", "--env", "A=x"},
                 {"sh", "-c", "echo $(pwd) $(id -u) $(id -G) $A $HOME"})
                .line());
  EXPECT_THAT(exec({"--cap", "CAP_NET_ADMIN"}, {"grep", "CapEff", "/proc/self/status"}).out,
              HasSubstr("0000000020001"));
  EXPECT_THAT(exec({}, {"nosuch"}).err, HasSubstr("exec: \"nosuch\": executable file not found in $PATH"));
  EXPECT_EQ(255, exec({}, {"nosuch"}).code);
  EXPECT_EQ(255, exec({"--cwd", "/nosuch"}, {"true"}).code);
  for (const char* group : {"..", "/..", "a/../.."})  // the group of somebody else
    EXPECT_THAT(exec({"--cgroup", group}, {"true"}).err,
                HasSubstr("not a control group below the container"));
  Background terminal(command({"exec", "--tty", id("c"), "sh", "-c", "tty; exit 3"}),
                      Background::Streams::terminal);
  EXPECT_TRUE(terminal.read_until("/dev/pts/"));
  EXPECT_EQ(3, terminal.wait().code);
  spill(path("process.json"), R"({"args":["sleep","1000"],"cwd":"/","env":["PATH=/bin"]})");
  const Outcome outcome =
      detached({"exec", "--process", path("process.json"), "--detach", "--pid-file", path("pid"), id("c")});
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ("sleep\n", slurp("/proc/" + slurp(path("pid")) + "/comm"));
  EXPECT_EQ(2U, json::parse(must({"ps", "-f", "json", id("c")})).size());
}

TEST_F(Oci, ChangesAndCountsResources) {
  json limited = config({"sleep", "1000"});
  limited["linux"]["resources"]["pids"] = {{"limit", 50}};
  start("c", limited);
  const auto stats = [&] { return json::parse(must({"events", "--stats", id("c")}))["data"]; };
  EXPECT_EQ(50, stats()["pids"]["limit"]);
  must({"update", "--pids-limit", "60", "--memory", "64m", id("c")});
  EXPECT_EQ(60, stats()["pids"]["limit"]);
  EXPECT_EQ(64 << 20, stats()["memory"]["usage"]["limit"]);
  const RunOptions input{.input = R"({"pids":{"limit":70}})"};
  EXPECT_TRUE(oci({"update", "--resources", "-", id("c")}, input).ok());
  EXPECT_EQ(70, stats()["pids"]["limit"]);
  EXPECT_THAT(oci({"update", "--memory", "much", id("c")}).err, HasSubstr("--memory"));
  Background events(command({"events", "--interval", "100ms", id("c")}), Background::Streams::pipes);
  EXPECT_TRUE(events.read_until("\"type\":\"stats\""));
  EXPECT_THAT(oci({"events", "--interval", "5", id("c")}).err, HasSubstr("--interval 5: a duration"));
  must({"kill", id("c"), "KILL"});
  EXPECT_EQ(0, events.wait().code);
}

TEST_F(Oci, TellsWhatItUnderstands) {
  const json features = json::parse(must({"features"}));
  EXPECT_THAT(features["hooks"].get<std::vector<std::string>>(), testing::SizeIs(6));
  EXPECT_TRUE(features["linux"]["cgroup"]["v2"].get<bool>());
  EXPECT_THAT(must({"--version"}), HasSubstr("spec: "));
  EXPECT_THAT(must({"--help"}), HasSubstr("Commands:"));
  EXPECT_THAT(must({"create", "--help"}), HasSubstr("--console-socket"));
  bundle("s", config({"true"}));
  EXPECT_THAT(oci({"spec", "--bundle", path("bundle-s")}).err, HasSubstr("exists"));
}

TEST_F(Oci, WarnsOfCapabilitiesThatItDoesNotKnow) {
  json newer = config({"true"});
  newer["process"]["capabilities"]["bounding"] = {"CAP_FROM_THE_FUTURE"};
  const Outcome outcome = run("c", newer);
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("warning: "), HasSubstr("CAP_FROM_THE_FUTURE")));
}

// It was left as it is without a word.
TEST_F(Oci, WarnsOfAnOomScoreThatItCannotLower) {
  json wanted = config({"cat", "/proc/self/oom_score_adj"});
  wanted["process"]["oomScoreAdj"] = -900;
  const Outcome outcome = run("o", wanted);
  EXPECT_EQ(0, outcome.code) << outcome;
  if (outcome.out == "-900\n")  // with CAP_SYS_RESOURCE
    EXPECT_THAT(outcome.err, Not(HasSubstr("oomScoreAdj")));
  else
    EXPECT_THAT(outcome.err, HasSubstr("process.oomScoreAdj -900: lowering it below "));
}

TEST_F(Oci, LeavesOutLimitsThatVersion2DoesNotHave) {
  if (!std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers")) GTEST_SKIP() << "needs cgroup v2 alone";
  json wanted = config({"true"});
  wanted["linux"]["resources"]["memory"] = {{"swappiness", 60}, {"kernel", 1 << 26}};
  const Outcome outcome = run("l", wanted);
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("memory.swappiness is ignored"), HasSubstr("memory.kernel is ignored")));
}

TEST_F(Oci, EndsAContainerWithoutPidNamespace) {
  json shared = config({"sh", "-c", "sleep 1000 & sleep 1000 & wait"});
  auto& namespaces = shared["linux"]["namespaces"];
  namespaces.erase(std::remove(namespaces.begin(), namespaces.end(), json{{"type", "pid"}}),
                   namespaces.end());
  start("c", shared);
  ASSERT_TRUE(eventually([&] { return json::parse(must({"ps", "-f", "json", id("c")})).size() == 3; }));
  must({"kill", id("c"), "KILL"});
  EXPECT_TRUE(becomes("c", "stopped"));
  EXPECT_EQ(0U, json::parse(must({"ps", "-f", "json", id("c")})).size());
  must({"delete", id("c")});
  start("d", shared);
  must({"delete", "--force", id("d")});
}

// Who may trace can keep hold of the program that a process shows before it executes its own; CVE-2019-5736.
TEST_F(Oci, ShowsContainersNoProgramThatTheyCouldWriteTo) {
  json spying = config({"sh", "-c",
                        "while :; do for p in /proc/[0-9]*; do l=$(readlink $p/exe 2>/dev/null) && echo $l; "
                        "done; done"});
  for (const char* set : {"bounding", "effective", "permitted"})
    spying["process"]["capabilities"][set] = {"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"};
  start("s", spying);
  const std::string pid = std::to_string(state("s")["pid"].get<int>());
  json joining = config({"true"});
  for (json& one : joining["linux"]["namespaces"])
    if (one["type"] == "pid") one["path"] = "/proc/" + pid + "/ns/pid";
  for (int i = rounds(40); i > 0; --i) {
    must({"exec", id("s"), "true"});
    EXPECT_EQ(0, run("j", joining).code);
  }
  must({"delete", "--force", id("s")});
  EXPECT_THAT(output(), HasSubstr("/bin/busybox\n"));
  EXPECT_THAT(output(), Not(HasSubstr("fermata-oci\n")));
}

// More descriptors than a message between engine and monitor may have.
TEST_F(Oci, BindsHundredsOfVolumes) {
  json many = config({"sh", "-c", "grep -c /mnt/ /proc/mounts"});
  many["root"]["readonly"] = false;
  for (int i = 0; i < 300; ++i)
    many["mounts"].push_back({{"destination", "/mnt/" + std::to_string(i)},
                              {"type", "bind"},
                              {"source", path("rootfs")},
                              {"options", {"bind", "ro"}}});
  const Outcome outcome = run("many", many);
  EXPECT_EQ("300\n", outcome.out) << outcome;
}
TEST_F(Oci, MapsUsers) {
  ASSERT_EQ(0, ::chown(path("rootfs/root").c_str(), 100000, 100000));
  json mapped = config({"sh", "-c", "id -u; cat /proc/self/uid_map; echo mine > /root/file"});
  mapped["linux"]["namespaces"].push_back({{"type", "user"}});
  for (const char* map : {"uidMappings", "gidMappings"})
    mapped["linux"][map] = {{{"containerID", 0}, {"hostID", 100000}, {"size", 1000}}};
  mapped["linux"].erase("resources");
  const Outcome outcome = run("u", mapped);
  EXPECT_THAT(outcome.out, ContainsRegex("0\n +0 +100000 +1000\n")) << outcome;
  struct stat info = {};
  ASSERT_EQ(0, ::stat(path("rootfs/root/file").c_str(), &info));
  EXPECT_EQ(100000U, info.st_uid);
  mapped["process"]["args"] = {"sleep", "1000"};
  start("v", mapped);
  EXPECT_THAT(must({"exec", id("v"), "cat", "/proc/self/uid_map"}), HasSubstr("100000"));
  must({"delete", "--force", id("v")});
}

TEST_F(Oci, NamesTheFieldThatIsWrong) {
  const auto told = [&](const char* field, json value, const std::string& text) {
    json wrong = config({"true"});
    wrong[json::json_pointer(field)] = std::move(value);
    const Outcome outcome = run("w", wrong);
    EXPECT_EQ(1, outcome.code) << field;
    EXPECT_THAT(outcome.err, HasSubstr(text)) << field;
    EXPECT_EQ("", oci({"list", "-q"}).out);
  };
  told("/process/args", json::array(), "process.args");
  told("/process/args", "true", "process.args");
  told("/process/args", {"nosuch"}, "exec: \"nosuch\": executable file not found in $PATH");
  told("/process/args", {"/etc/passwd"}, "exec: \"/etc/passwd\": permission denied");
  told("/process/cwd", "/bin/busybox", "/bin/busybox");
  told("/process/user/uid", "zero", "process.user.uid");
  told("/process/rlimits", json::array({{{"type", "RLIMIT_NOSUCH"}, {"soft", 1}, {"hard", 1}}}),
       "RLIMIT_NOSUCH");
  told("/root/path", path("nosuch"), path("nosuch"));
  told("/root/path", path("rootfs/bin/busybox"), "root.path");
  told("/mounts/0/destination", "/", "at '/'");
  told("/mounts/0",
       json{{"destination", "/x"}, {"type", "bind"}, {"source", path("nosuch")}, {"options", {"bind"}}},
       path("nosuch"));
  told("/linux/namespaces/0/type", "nosuch", "linux.namespaces");
  told("/linux/namespaces/0/path", path("nosuch"), path("nosuch"));
  told("/linux/cgroupsPath", "../../x", "../../x");
  told("/linux/resources/memory", json{{"limit", "much"}}, "memory.limit");
  told("/linux/resources/memory", json{{"limit", 4096}}, "linux.resources.memory.limit");
  told("/linux/sysctl", json{{"net.nosuch", "1"}}, "net.nosuch");
  told("/linux/seccomp", json{{"defaultAction", "SCMP_ACT_NOSUCH"}}, "linux.seccomp");
  told("/hooks/createRuntime", json::array({{{"path", "relative"}}}), "createRuntime");
  spill(bundle("j", json::object()) + "/config.json", "{");
  EXPECT_THAT(oci({"run", "--bundle", path("bundle-j"), id("j")}).err,
              HasSubstr("the runtime specification: not JSON"));
  EXPECT_THAT(oci({"run", "--bundle", path("nosuch"), id("j")}).err, HasSubstr(path("nosuch")));
}

}  // namespace
}  // namespace fermata::e2e
