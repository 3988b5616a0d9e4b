// pause, unpause, update and stats.
#include <unistd.h>

#include <cstdlib>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Resources : public EndToEnd {
 protected:
  // A container that counts in its log, some ten times a second.
  static void start_counter(const std::string& name, const Arguments& flags = {}) {
    Arguments arguments = {"run", "-d", "--name", name};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(),
                     {kBase, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; usleep 100000; done"});
    must(arguments);
    ASSERT_TRUE(logs_show(name, "1\n"));
  }
  static std::size_t counted(const std::string& name) { return lines_of(fermata({"logs", name}).out).size(); }
  static bool stands_still(const std::string& name) {
    const std::size_t before = counted(name);
    ::usleep(400000);
    return counted(name) == before;
  }
  static bool goes_on(const std::string& name) {
    const std::size_t before = counted(name);
    return eventually([&] { return counted(name) > before; });
  }
  // Of the container's own group, as it sees it: version 2's file or version 1's.
  static std::string limit(const std::string& name, const std::string& v2, const std::string& v1) {
    const std::string root = "/sys/fs/cgroup/";
    return inside(name, {"sh", "-c", "cat " + root + v2 + " 2>/dev/null || cat " + root + v1});
  }
};

TEST_F(Resources, APausedContainerStandsStillAndGoesOn) {
  start_counter("counter");
  EXPECT_EQ("counter", must({"pause", "counter"}));
  EXPECT_TRUE(stands_still("counter"));
  EXPECT_EQ("paused true true",
            host().inspect("counter", "{{.State.Status}} {{.State.Paused}} {{.State.Running}}"));
  EXPECT_THAT(must({"ps", "--format", "{{.State}} {{.Status}}"}), MatchesRegex("paused Up .* \\(Paused\\)"));
  EXPECT_EQ("counter", must({"ps", "--filter", "status=paused", "--format", "{{.Names}}"}));
  EXPECT_EQ("", must({"ps", "--filter", "status=running", "--format", "{{.Names}}"}));
  EXPECT_EQ("1 0", must({"info", "--format", "{{.ContainersPaused}} {{.ContainersRunning}}"}));
  EXPECT_EQ("counter", must({"unpause", "counter"}));
  EXPECT_TRUE(goes_on("counter"));
  EXPECT_EQ("running false", host().inspect("counter", "{{.State.Status}} {{.State.Paused}}"));
}

TEST_F(Resources, PausingTwiceAndWhatDoesNotRunIsRefused) {
  start_counter("counter");
  const Outcome early = fermata({"unpause", "counter"});
  EXPECT_EQ(1, early.code);
  EXPECT_THAT(early.err, HasSubstr("is not paused"));
  must({"pause", "counter"});
  const Outcome twice = fermata({"pause", "counter"});
  EXPECT_EQ(1, twice.code);
  EXPECT_THAT(twice.err, HasSubstr("is already paused"));
  must({"stop", "-t", "0", "counter"});
  for (const char* command : {"pause", "unpause"}) {
    const Outcome ended = fermata({command, "counter"});
    EXPECT_EQ(1, ended.code);
    EXPECT_THAT(ended.err, HasSubstr("is not running"));
  }
}

TEST_F(Resources, APausedContainerTakesNoCommandsAndNoClients) {
  start_counter("counter");
  must({"pause", "counter"});
  const Outcome exec = fermata({"exec", "counter", "true"});
  EXPECT_EQ(1, exec.code);
  EXPECT_THAT(exec.err, HasSubstr("is paused, unpause the container before exec"));
  EXPECT_THAT(fermata({"attach", "counter"}).err, HasSubstr("You cannot attach to a paused container"));
  EXPECT_THAT(fermata({"start", "counter"}).err, HasSubstr("cannot start a paused container"));
  const Outcome removal = fermata({"rm", "counter"});
  EXPECT_EQ(1, removal.code);
  EXPECT_THAT(removal.err, HasSubstr("container is paused and must be unpaused first"));
}

TEST_F(Resources, APausedContainerHearsTheSignalThatStopsIt) {
  must({"run", "-d", "--name", "polite", kBase, "sh", "-c",
        "trap 'exit 7' TERM; echo up; while :; do usleep 50000; done"});
  ASSERT_TRUE(logs_show("polite", "up"));
  must({"pause", "polite"});
  must({"stop", "polite"});
  EXPECT_EQ("exited 7 false",
            host().inspect("polite", "{{.State.Status}} {{.State.ExitCode}} {{.State.Paused}}"));
}

TEST_F(Resources, APausedContainerIsKilledAndRemovedByForce) {
  start_counter("killed");
  must({"pause", "killed"});
  must({"kill", "killed"});
  EXPECT_EQ("exited 137", host().inspect("killed", "{{.State.Status}} {{.State.ExitCode}}"));
  // It is not paused any more when it is started again.
  must({"start", "killed"});
  EXPECT_TRUE(goes_on("killed"));
  must({"pause", "killed"});
  must({"rm", "-f", "killed"});
  EXPECT_EQ("", must({"ps", "-aq"}));
}

TEST_F(Resources, ASignalThatEndsNothingWaitsUntilItGoesOn) {
  must({"run", "-d", "--name", "waiting", kBase, "sh", "-c",
        "trap 'echo heard' USR1; echo up; while :; do usleep 50000; done"});
  ASSERT_TRUE(logs_show("waiting", "up"));
  must({"pause", "waiting"});
  must({"kill", "-s", "USR1", "waiting"});
  EXPECT_EQ("true", host().inspect("waiting", "{{.State.Paused}}"));
  EXPECT_FALSE(contains(fermata({"logs", "waiting"}).out, "heard"));
  must({"unpause", "waiting"});
  EXPECT_TRUE(logs_show("waiting", "heard"));
}

TEST_F(Resources, UpdatedLimitsHoldAtOnceAndAfterARestart) {
  start_counter("limited", {"-m", "64m", "--pids-limit", "50"});
  EXPECT_EQ("limited", must({"update", "--memory", "96m", "--cpus", "0.5", "--cpu-shares", "512",
                             "--pids-limit", "20", "limited"}));
  const std::string format =
      "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ("100663296 500000000 512 20", host().inspect("limited", format));
    EXPECT_EQ("100663296", limit("limited", "memory.max", "memory/memory.limit_in_bytes"));
    EXPECT_EQ("20", limit("limited", "pids.max", "pids/pids.max"));
    EXPECT_THAT(limit("limited", "cpu.max", "cpu/cpu.cfs_quota_us"), MatchesRegex("50000( 100000)?"));
    must({"restart", "-t", "0", "limited"});
  }
}

TEST_F(Resources, LimitsThatContradictAreRefusedAndChangeNothing) {
  start_counter("limited", {"-m", "64m", "--memory-swap", "80m", "--cpus", "0.5"});
  const std::pair<Arguments, const char*> cases[] = {
      {{"--memory", "1m"}, "Minimum memory limit allowed is 6MB"},
      {{"--memory", "100m"}, "update the memoryswap at the same time"},
      {{"--cpu-quota", "20000"}, "as NanoCPUs has already been set"},
      {{"--cpus", "4096"}, "as there are only"},
      {{"--cpuset-cpus", "4000"}, "4000"},
      {{"--blkio-weight", "5"}, "Range of blkio weight is from 10 to 1000"}};
  for (const auto& [flags, message] : cases) {
    Arguments arguments = {"update"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.push_back("limited");
    const Outcome outcome = fermata(arguments);
    EXPECT_EQ(1, outcome.code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("Cannot update container"));
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ("67108864 500000000 ",
              host().inspect("limited",
                             "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}}"));
  }
  EXPECT_EQ("67108864", limit("limited", "memory.max", "memory/memory.limit_in_bytes"));
  EXPECT_THAT(fermata({"update", "limited"}).err, HasSubstr("you must provide one or more flags"));
  EXPECT_THAT(fermata({"update", "--restart", "always", "limited"}).err, HasSubstr("for \"--restart\" flag"));
}

TEST_F(Resources, LimitsAreTakenAwayAndAStoppedContainerIsUpdatedToo) {
  start_counter("freed", {"--pids-limit", "50"});
  must({"update", "--pids-limit", "-1", "freed"});
  EXPECT_EQ("max", limit("freed", "pids.max", "pids/pids.max"));
  must({"stop", "-t", "0", "freed"});
  must({"update", "--pids-limit", "30", "freed"});
  must({"start", "freed"});
  EXPECT_EQ("30", limit("freed", "pids.max", "pids/pids.max"));
}

TEST_F(Resources, StatsShowWhatAContainerUses) {
  must({"run", "-d", "--name", "busy", "-m", "64m", kBase, "sh", "-c", "while :; do :; done"});
  const Outcome table = fermata({"stats", "--no-stream", "busy"});
  ASSERT_TRUE(table.ok()) << table;
  const auto lines = lines_of(table.out);
  ASSERT_EQ(2u, lines.size()) << table;
  EXPECT_THAT(lines[0],
              MatchesRegex("CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O "
                           "+PIDS *"));
  EXPECT_THAT(lines[1],
              MatchesRegex("[0-9a-f]{12} +busy +[0-9.]+% +[0-9.]+[KM]iB / 64MiB +[0-9.]+% +[0-9.]+k?B / "
                           "[0-9.]+k?B +[0-9.]+[kM]?B / [0-9.]+[kM]?B +1 *"));
  const std::string share = must({"stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy"});
  EXPECT_GT(std::atof(share.c_str()), 10) << share;
  must({"pause", "busy"});
  EXPECT_EQ("0.00%", must({"stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy"}));
}

TEST_F(Resources, StatsKnowAllContainersAndGoOn) {
  start_counter("one");
  must({"create", "--name", "two", kBase, "true"});
  EXPECT_EQ("one", must({"stats", "--no-stream", "--format", "{{.Name}}"}));
  EXPECT_EQ(2u, lines_of(must({"stats", "-a", "--no-stream", "--format", "{{.Name}}"})).size());
  EXPECT_EQ("two 0.00% 0B / 0B 0", must({"stats", "--no-stream", "--format",
                                         "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", "two"}));
  const Outcome missing = fermata({"stats", "--no-stream", "nobody"});
  EXPECT_EQ(1, missing.code);
  EXPECT_THAT(missing.err, HasSubstr("No such container: nobody"));
  const auto stream = host().start({"stats", "--format", "{{.Name}};", "one"});
  EXPECT_TRUE(stream->read_until("one;\none;"));
  // It ends with the last container that it was asked for.
  must({"rm", "-f", "one"});
  EXPECT_EQ(0, stream->wait().code);
}

}  // namespace
}  // namespace fermata::e2e
