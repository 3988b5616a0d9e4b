// Resource limits, as written into the cgroup and as they act.
#include <cstdlib>
#include <filesystem>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

// The directory of a process's cgroup that has `file`: version 2, or the version 1 hierarchy of `controller`.
std::string cgroup_directory(pid_t pid, const std::string& controller, const std::string& file) {
  for (const auto& line : lines_of(slurp("/proc/" + std::to_string(pid) + "/cgroup"))) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers != ",," && !contains(controllers, "," + controller + ",")) continue;
    for (const std::string& mount :
         {"/sys/fs/cgroup/" + controller, std::string("/sys/fs/cgroup"),
          std::string("/sys/fs/cgroup/cpu,cpuacct"), std::string("/sys/fs/cgroup/unified")})
      if (std::filesystem::exists(mount + path + "/" + file)) return mount + path;
  }
  return "";
}

class Limits : public EndToEnd {
 protected:
  // Of the file of version 2 or of version 1, whichever this host has; without its newline.
  static std::string value_of(const std::string& name, const std::string& controller, const std::string& v2,
                              const std::string& v1) {
    const pid_t pid = host().pid_of(name);
    for (const auto& file : {v2, v1}) {
      const std::string directory = cgroup_directory(pid, controller, file);
      if (directory.empty()) continue;
      std::string text = slurp(directory + "/" + file);
      if (text.ends_with('\n')) text.pop_back();
      return text;
    }
    return "no " + v2 + " nor " + v1;
  }
};

TEST_F(Limits, TooMuchMemoryIsKilledAndSaidSo) {
  const Outcome outcome = fermata(
      {"run", "--name", "glutton", "-m", "24m", "--memory-swap", "24m", kProbeImage, "allocate", "200000000"},
      {.seconds = 60});
  EXPECT_EQ(137, outcome.code) << outcome;
  EXPECT_EQ("", outcome.out);
  EXPECT_EQ("true", host().inspect("glutton", "{{.State.OOMKilled}}"));
  EXPECT_EQ("137", host().inspect("glutton", "{{.State.ExitCode}}"));
}

TEST_F(Limits, EnoughMemoryIsNotKilled) {
  EXPECT_EQ("allocated", must({"run", "--name", "modest", "-m", "64m", kProbeImage, "allocate", "20000000"}));
  EXPECT_EQ("false", host().inspect("modest", "{{.State.OOMKilled}}"));
}

TEST_F(Limits, AKillIsNoOutOfMemory) {
  start_probe("killed", {"-m", "64m"}, {"ignore"});
  must({"kill", "killed"});
  must({"wait", "killed"});
  EXPECT_EQ("false", host().inspect("killed", "{{.State.OOMKilled}}"));
}

TEST_F(Limits, MemoryIsWritten) {
  start_probe("job", {"-m", "64m"}, {"wait"});
  EXPECT_EQ("67108864", value_of("job", "memory", "memory.max", "memory.limit_in_bytes"));
}

TEST_F(Limits, CpusAreAQuota) {
  start_probe("job", {"--cpus", "1.5"}, {"wait"});
  const std::string value = value_of("job", "cpu", "cpu.max", "cpu.cfs_quota_us");
  EXPECT_TRUE(value == "150000 100000" || value == "150000") << value;
  EXPECT_EQ("1500000000", host().inspect("job", "{{.HostConfig.NanoCpus}}"));
}

TEST_F(Limits, ProcessesAreLimited) {
  start_probe("job", {"--pids-limit", "12"}, {"wait"});
  EXPECT_EQ("12", value_of("job", "pids", "pids.max", "pids.max"));
  const std::string answer = inside("job", {"probe", "fork", "40"});
  EXPECT_THAT(answer, testing::EndsWith("EAGAIN"));
  EXPECT_LT(std::atoi(answer.c_str()), 12);
  EXPECT_EQ("5 ok", inside("job", {"probe", "fork", "5"}));
}

TEST_F(Limits, UlimitsAreSet) {
  EXPECT_EQ("512 1024", must({"run", "--rm", "--ulimit", "nofile=512:1024", kProbeImage, "limit", "nofile"}));
  EXPECT_EQ("0 0", must({"run", "--rm", "--ulimit", "core=0", kProbeImage, "limit", "core"}));
}

TEST_F(Limits, ShmSizeIsSetAndDefaultsTo64Megabytes) {
  const Arguments size{"sh", "-c", "df -k /dev/shm | tail -1 | awk '{print $2}'"};
  EXPECT_EQ("65536", in_container({}, size).line());
  EXPECT_EQ("8192", in_container({"--shm-size", "8m"}, size).line());
}

TEST_F(Limits, TheOomScoreIsRaised) {
  EXPECT_EQ("321", in_container({"--oom-score-adj", "321"}, {"cat", "/proc/self/oom_score_adj"}).line());
}

TEST_F(Limits, AnAttachedRunTellsWhatCouldNotBeSet) {
  // Above fs.nr_open, so refused even to a process that has every capability.
  const Outcome outcome = in_container({"--ulimit", "nofile=2000000000"}, {"true"});
  EXPECT_NE("", outcome.err);
  const std::string lowered =
      in_container({"--oom-score-adj", "-500"}, {"cat", "/proc/self/oom_score_adj"}).line();
  const Outcome told = in_container({"--oom-score-adj", "-500"}, {"true"});
  EXPECT_EQ(lowered != "-500", told.err.find("WARNING: oom_score_adj -500") != std::string::npos) << told;
}

TEST_F(Limits, LimitsHoldAfterARestartAndForExec) {
  start_probe("job", {"-m", "64m"}, {"wait"});
  must({"stop", "-t", "1", "job"});
  must({"start", "job"});
  EXPECT_EQ("67108864", value_of("job", "memory", "memory.max", "memory.limit_in_bytes"));
  // What exec starts is in the same cgroups or below them, so its memory counts.
  const std::string own = slurp("/proc/" + std::to_string(host().pid_of("job")) + "/cgroup");
  auto executed = host().start({"exec", "job", "probe", "trap"});
  ASSERT_TRUE(executed->read_until("ready"));
  int found = 0;
  for (const auto& line : engine_processes(host().scope()))
    if (contains(line, "probe trap") && !contains(line, " exec ")) found = std::atoi(line.c_str());
  ASSERT_NE(0, found);
  const auto containers = lines_of(own);
  const auto executeds = lines_of(slurp("/proc/" + std::to_string(found) + "/cgroup"));
  ASSERT_EQ(containers.size(), executeds.size());
  for (std::size_t i = 0; i < containers.size(); ++i)
    EXPECT_TRUE(executeds[i] == containers[i] || executeds[i].starts_with(containers[i] + "/exec-"))
        << executeds[i];
}

TEST_F(Limits, PauseIsOutsideItsMembersLimits) {
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("job", {"--net=container:pause", "-m", "64m"}, {"wait"});
  const std::string directory = cgroup_directory(host().pid_of("pause"), "memory", "cgroup.procs");
  const std::string member = cgroup_directory(host().pid_of("job"), "memory", "cgroup.procs");
  EXPECT_NE(directory, member);
  EXPECT_FALSE(directory.starts_with(member + "/"));
}

TEST_F(Limits, NonsenseIsRefused) {
  for (const Arguments& flags :
       {Arguments{"-m", "lots"}, Arguments{"--cpus", "-1"}, Arguments{"--pids-limit", "x"},
        Arguments{"--shm-size", "0x"}, Arguments{"--ulimit", "nofile=9:3"},
        Arguments{"--ulimit", "nonsense=1"}, Arguments{"-m", "1k"}}) {
    const Outcome outcome = in_container(flags, {"true"});
    EXPECT_EQ(125, outcome.code) << flags[0] << " " << flags[1] << ": " << outcome;
    EXPECT_NE("", outcome.err);
  }
}

}  // namespace
}  // namespace fermata::e2e
