// Containers that another OCI runtime makes: --runtime. With Debian's runc, and with our own fermata-oci as
// an other. What a container is may not depend on who has made it.
#include <csignal>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

constexpr auto kTerminal = Background::Streams::terminal;

class ForeignRuntime : public EndToEnd, public testing::WithParamInterface<const char*> {
 protected:
  // Once before anything is looked for: what a runtime keeps for all of its containers.
  void SetUp() override {
    fermata(run({"--rm"}, {"true"}));
    EndToEnd::SetUp();
  }
  static std::string runtime() {
    const std::string name = GetParam();
    return name == "fermata-oci" ? programs_directory() + "/" + name : name;
  }
  // `run --runtime X FLAGS... kBase COMMAND...`
  static Arguments run(const Arguments& flags, const Arguments& command) {
    Arguments all = {"run", "--runtime", runtime()};
    all.insert(all.end(), flags.begin(), flags.end());
    all.emplace_back(kBase);
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }
  static std::string line_of(const std::string& text, const std::string& key) {
    for (const auto& line : lines_of(text))
      if (line.starts_with(key)) return line.substr(key.size());
    return "";
  }
};

TEST_P(ForeignRuntime, StreamsAndExitCodeAreTheCommands) {
  const Outcome outcome = fermata(run({"--rm"}, {"sh", "-c", "echo out; echo err >&2; exit 7"}));
  EXPECT_EQ(7, outcome.code) << outcome.err;
  EXPECT_EQ("out\n", outcome.out);
  EXPECT_EQ("err\n", outcome.err);
  auto reader = host().start(run({"--rm", "-i"}, {"cat"}));
  reader->write("through\n");
  reader->close_input();
  EXPECT_EQ("through\n", reader->finish().out);
}

TEST_P(ForeignRuntime, ACommandThatCannotBeExecutedIsTold) {
  const Outcome outcome = fermata(run({"--rm"}, {"no-such-program"}));
  EXPECT_EQ(127, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("no-such-program"));
}

TEST_P(ForeignRuntime, AContainerLivesAsAnyOther) {
  must(
      run({"-d", "--name", "job"}, {"sh", "-c", "echo up; trap 'exit 5' TERM; while :; do sleep 0.1; done"}));
  ASSERT_TRUE(eventually([] { return logs_show("job", "up"); }));
  EXPECT_EQ("up\n", fermata({"logs", "job"}).out);
  EXPECT_EQ("1", inside("job", {"sh", "-c", "grep -c trap /proc/1/cmdline"}));
  EXPECT_EQ(0, fermata({"pause", "job"}).code);
  EXPECT_EQ(0, fermata({"unpause", "job"}).code);
  must({"stop", "job"});
  EXPECT_EQ("5", host().inspect("job", "{{.State.ExitCode}}"));
  must({"start", "job"});
  EXPECT_TRUE(host().is_running("job"));
  must({"kill", "job"});
  EXPECT_EQ("137", host().inspect("job", "{{.State.ExitCode}}"));
  must({"rm", "job"});
}

TEST_P(ForeignRuntime, CommandsAreExecutedInIt) {
  must(run({"-d", "--name", "job", "-e", "A=b"}, {"sleep", "1000"}));
  EXPECT_EQ("b", inside("job", {"sh", "-c", "echo $A"}));
  EXPECT_EQ(3, fermata({"exec", "job", "sh", "-c", "exit 3"}).code);
  const Outcome slow =
      fermata({"exec", "--timeout", scaled_flag(1), "job", "sh", "-c", "sleep 1001 & echo here; sleep 1002"});
  EXPECT_EQ(124, slow.code);
  EXPECT_EQ("here\n", slow.out);
  EXPECT_EQ("0", inside("job", {"sh", "-c", "ps | grep -c '[s]leep 100[12]' || true"}));
  const Outcome missing = fermata({"exec", "job", "no-such-program"});
  EXPECT_NE(0, missing.code);
  EXPECT_THAT(missing.err, HasSubstr("no-such-program"));
  auto terminal = host().start({"exec", "-it", "job", "sh", "-c", "tty; read x; echo got $x"}, kTerminal);
  ASSERT_TRUE(terminal->read_until("/dev/pts/"));
  terminal->write("it\n");
  EXPECT_TRUE(terminal->read_until("got it"));
}

TEST_P(ForeignRuntime, ATerminalIsItsOwn) {
  auto terminal =
      host().start(run({"--rm", "-it"}, {"sh", "-c", "tty; read x; echo got $x; exit 4"}), kTerminal);
  ASSERT_TRUE(terminal->read_until("/dev/pts/"));
  terminal->write("it\n");
  EXPECT_TRUE(terminal->read_until("got it"));
  EXPECT_EQ(4, terminal->wait().code);
}

TEST_P(ForeignRuntime, IsConfinedAsAnyOther) {
  const std::string own = must({"run", "--rm", kBase, "cat", "/proc/self/status"});
  const std::string others = must(run({"--rm"}, {"cat", "/proc/self/status"}));
  for (const char* key : {"CapBnd:", "CapEff:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Umask:", "Groups:"})
    EXPECT_EQ(line_of(own, key), line_of(others, key)) << key;
  EXPECT_EQ("no\n", fermata(run({"--rm", "--read-only"}, {"sh", "-c", "touch /x 2>&- || echo no"})).out);
  EXPECT_THAT(fermata(run({"--rm"}, {"sh", "-c", "echo 1 >/proc/sys/kernel/panic"})).err,
              HasSubstr("ead-only"));
}

TEST_P(ForeignRuntime, SharesWhatItsPodHas) {
  spill(scratch("note"), "of the host\n");
  must(run(
      {"-d", "--name", "front", "-v", scratch("note") + ":/note:ro", "--memory", "64m", "--hostname", "box"},
      {"sleep", "1000"}));
  EXPECT_EQ("of the host", inside("front", {"cat", "/note"}));
  EXPECT_NE(0, fermata({"exec", "front", "sh", "-c", "echo x >/note"}).code);
  EXPECT_EQ("box", inside("front", {"hostname"}));
  EXPECT_THAT(inside("front", {"cat", "/etc/hosts"}), HasSubstr("box"));
  const std::string group = must({"stats", "--no-stream", "--format", "{{.MemUsage}}", "front"});
  EXPECT_THAT(group, HasSubstr("64MiB"));
  const std::string joined = must(
      run({"--rm", "--net", "container:front", "--pid", "container:front"}, {"sh", "-c", "hostname; ps"}));
  EXPECT_THAT(joined, HasSubstr("box"));
  EXPECT_THAT(joined, HasSubstr("sleep 1000"));
}

TEST_P(ForeignRuntime, EndsWithItsMonitor) {
  must(run({"-d", "--name", "job"}, {"sleep", "1000"}));
  const int pid = host().pid_of("job");
  ASSERT_GT(pid, 0);
  const std::string parent = line_of(slurp("/proc/" + std::to_string(pid) + "/status"), "PPid:\t");
  const std::string monitor = line_of(slurp("/proc/" + parent + "/status"), "PPid:\t");
  ASSERT_EQ(0, ::kill(std::stoi(monitor), SIGKILL));
  EXPECT_TRUE(eventually([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_FALSE(host().is_running("job"));
  must({"rm", "job"});
}

INSTANTIATE_TEST_SUITE_P(By, ForeignRuntime, testing::Values("runc", "fermata-oci"),
                         [](const auto& one) { return one.param == std::string("runc") ? "Runc" : "Ours"; });

TEST_F(EndToEnd, ARuntimeThatIsNotThereIsRefused) {
  const Outcome outcome = fermata({"run", "--rm", "--runtime", "/nowhere/crun", kBase, "true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("/nowhere/crun"));
}

}  // namespace
}  // namespace fermata::e2e
