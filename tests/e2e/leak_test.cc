// Many pods, made and removed: nothing adds up.
#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <vector>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Leak : public EndToEnd {
 protected:
  const int pods_ = rounds(50);
  static void make_pod(int number) {
    const std::string name = "pod-" + std::to_string(number);
    must({"run", "-d", "--name", name, "-p", "80", kPause});
    start_probe(
        name + "-app",
        {"--net=container:" + name, "--ipc=container:" + name, "--pid=container:" + name, "-v", "/var/data"},
        {"http", "80", "x"});
  }
};

TEST_F(Leak, FiftyPodsOneAfterTheOther) {
  for (int i = 0; i < pods_; ++i) {
    make_pod(i);
    const std::string name = "pod-" + std::to_string(i);
    must({"rm", "-f", "-v", name + "-app", name});
  }
}

TEST_F(Leak, FiftyPodsAtOnceLeaveTheMountTableAlone) {
  const auto mounts = host_mounts();
  Arguments remove{"rm", "-f", "-v"};
  for (int i = 0; i < pods_; ++i) {
    make_pod(i);
    remove.push_back("pod-" + std::to_string(i) + "-app");
    remove.push_back("pod-" + std::to_string(i));
  }
  EXPECT_EQ(mounts, host_mounts());
  EXPECT_EQ(2U * static_cast<unsigned>(pods_), lines_of(must({"ps", "-q"})).size());
  must(remove, {.seconds = 120});
}

TEST_F(Leak, ConcurrentCommandsDoNotDisturbEachOther) {
  constexpr int kWorkers = 8;
  std::vector<std::unique_ptr<Background>> workers;
  for (int i = 0; i < kWorkers; ++i)
    workers.push_back(
        host().start({"run", "-d", "--name", "job-" + std::to_string(i), "-p", "80", kProbeImage, "wait"}));
  for (auto& worker : workers) {
    const Outcome outcome = worker->wait(60);
    EXPECT_TRUE(outcome.ok()) << outcome;
  }
  EXPECT_EQ(static_cast<std::size_t>(kWorkers), lines_of(must({"ps", "-q"})).size());
  std::set<std::string> addresses;
  for (int i = 0; i < kWorkers; ++i)
    addresses.insert(host().inspect("job-" + std::to_string(i), "{{.NetworkSettings.IPAddress}}"));
  EXPECT_EQ(static_cast<std::size_t>(kWorkers), addresses.size());
  workers.clear();
  for (int i = 0; i < kWorkers; ++i)
    workers.push_back(host().start({"rm", "-f", "job-" + std::to_string(i)}));
  for (auto& worker : workers) EXPECT_TRUE(worker->wait(60).ok());
}

TEST_F(Leak, OneContainerRestartedManyTimes) {
  must({"create", "--name", "job", "-p", "80", kProbeImage, "wait"});
  for (int i = 0; i < rounds(30); ++i) {
    must({"start", "job"});
    must({"stop", "job"});
  }
}

TEST_F(Leak, ManyExecsLeaveNothingInTheMonitor) {
  start_probe("job", {}, {"wait"});
  pid_t monitor = 0;
  for (const auto& line : engine_processes(host().scope()))
    if (contains(line, "fermata-monito")) monitor = std::atoi(line.c_str());
  ASSERT_NE(0, monitor);
  const auto descriptors = [&] {
    int count = 0;
    if (DIR* directory = ::opendir(("/proc/" + std::to_string(monitor) + "/fd").c_str())) {
      while (::readdir(directory) != nullptr) ++count;
      ::closedir(directory);
    }
    return count;
  };
  must({"exec", "job", "true"});
  const int before = descriptors();
  for (int i = 0; i < rounds(100); ++i) must({"exec", "job", "true"});
  EXPECT_TRUE(eventually([&] { return descriptors() <= before; })) << before << " -> " << descriptors();
  const std::string status =
      slurp("/proc/" + std::to_string(monitor) + "/task/" + std::to_string(monitor) + "/children");
  EXPECT_EQ(1, std::count(status.begin(), status.end(), ' ')) << "children: " << status;
}

TEST_F(Leak, FailedStartsLeaveNothing) {
  for (int i = 0; i < rounds(20); ++i) {
    EXPECT_EQ(127, fermata({"run", "--rm", "-p", "80", "-v", "/var/data", kBase, "no-such-program"}).code);
    EXPECT_EQ(125, fermata({"run", "--rm", "-p", "80", "-u", "stranger", kBase, "true"}).code);
  }
}

}  // namespace
}  // namespace fermata::e2e
