// Commands at the same time on the same things: one of them wins, none breaks.
#include <csignal>
#include <memory>
#include <vector>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Race : public EndToEnd {
 protected:
  static constexpr int kWorkers = 6;
  // Starts all, waits for all.
  static std::vector<Outcome> at_once(const std::vector<Arguments>& commands) {
    std::vector<std::unique_ptr<Background>> running;
    for (const auto& command : commands) running.push_back(host().start(command));
    std::vector<Outcome> outcomes;
    for (auto& program : running) outcomes.push_back(program->wait(60));
    return outcomes;
  }
  static int successes(const std::vector<Outcome>& outcomes) {
    int count = 0;
    for (const Outcome& outcome : outcomes) {
      EXPECT_FALSE(outcome.timed_out) << outcome;
      count += outcome.code == 0 ? 1 : 0;
    }
    return count;
  }
};

TEST_F(Race, OneOfManyGetsTheName) {
  for (int round = 0; round < rounds(5); ++round) {
    const auto outcomes =
        at_once(std::vector<Arguments>(kWorkers, {"run", "-d", "--name", "one", kProbeImage, "wait"}));
    EXPECT_EQ(1, successes(outcomes));
    for (const Outcome& outcome : outcomes) {
      if (outcome.code != 0) {
        EXPECT_THAT(outcome.err, HasSubstr("in use")) << outcome;
      }
    }
    must({"rm", "-f", "one"});
  }
}

TEST_F(Race, OneOfManyGetsThePort) {
  const std::string port = std::to_string(free_port()) + ":80";
  std::vector<Arguments> commands;
  for (int i = 0; i < kWorkers; ++i)
    commands.push_back({"run", "-d", "--name", "web-" + std::to_string(i), "-p", port, kProbeImage, "wait"});
  const auto outcomes = at_once(commands);
  EXPECT_EQ(1, successes(outcomes));
  for (const Outcome& outcome : outcomes) {
    if (outcome.code != 0) {
      EXPECT_THAT(outcome.err, HasSubstr("in use")) << outcome;
    }
  }
  EXPECT_EQ(1U, lines_of(must({"ps", "-aq"})).size());
}

TEST_F(Race, ManyStartsOfOneContainer) {
  must({"create", "--name", "job", kProbeImage, "wait"});
  for (int round = 0; round < rounds(5); ++round) {
    for (const Outcome& outcome : at_once(std::vector<Arguments>(kWorkers, {"start", "job"})))
      EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_TRUE(host().is_running("job"));
    for (const Outcome& outcome : at_once(std::vector<Arguments>(kWorkers, {"stop", "job"})))
      EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_FALSE(host().is_running("job"));
  }
}

TEST_F(Race, ManyRemovalsOfOneContainer) {
  start_probe("job", {}, {"wait"});
  EXPECT_LE(1, successes(at_once(std::vector<Arguments>(kWorkers, {"rm", "-f", "job"}))));
  EXPECT_EQ("", must({"ps", "-aq"}));
}

TEST_F(Race, StartsAndStopsAgainstEachOther) {
  must({"create", "--name", "job", "-p", "80", kProbeImage, "wait"});
  for (int round = 0; round < rounds(8); ++round) {
    for (const Outcome& outcome :
         at_once({{"start", "job"}, {"stop", "job"}, {"start", "job"}, {"kill", "job"}, {"ps", "-a"}}))
      EXPECT_FALSE(outcome.timed_out) << outcome;
  }
  must({"start", "job"});
  EXPECT_TRUE(host().is_running("job"));
}

TEST_F(Race, MembersStartTogether) {
  must({"run", "-d", "--name", "pause", kPause});
  std::vector<Arguments> commands;
  for (int i = 0; i < kWorkers; ++i)
    commands.push_back({"run", "-d", "--name", "member-" + std::to_string(i), "--net=container:pause",
                        "--ipc=container:pause", "--pid=container:pause", kProbeImage, "wait"});
  EXPECT_EQ(kWorkers, successes(at_once(commands)));
  EXPECT_EQ(kWorkers + 1U, lines_of(must({"ps", "-q"})).size());
}

TEST_F(Race, MembersComeWhileThePodEnds) {
  for (int round = 0; round < rounds(5); ++round) {
    must({"run", "-d", "--name", "pause", kPause});
    const auto outcomes = at_once({{"stop", "pause"},
                                   {"run", "-d", "--name", "late", "--net=container:pause",
                                    "--pid=container:pause", kProbeImage, "wait"}});
    EXPECT_EQ(0, outcomes[0].code) << outcomes[0];
    // Refused, ended with the pod, or the pod was started again for it: never left running without its pause.
    EXPECT_TRUE(eventually([] {
      const std::string names = must({"ps", "--format", "{{.Names}}"});
      return names.empty() || (contains(names, "late") && contains(names, "pause"));
    })) << must({"ps"})
        << outcomes[1];
    fermata({"rm", "-f", "late", "pause"});
  }
}

TEST_F(Race, ARemovalWhileThePodStops) {
  for (int round = 0; round < rounds(5); ++round) {
    must({"run", "-d", "--name", "pause", kPause});
    start_probe("app", {"--rm", "--net=container:pause", "--pid=container:pause"}, {"ignore"});
    ASSERT_TRUE(logs_show("app", "ready"));
    const auto outcomes =
        at_once({{"stop", "-t", "1", "pause"}, {"rm", "-f", "app"}, {"rm", "-f", "pause"}, {"ps", "-a"}});
    for (const Outcome& outcome : outcomes) EXPECT_FALSE(outcome.timed_out) << outcome;
    fermata({"rm", "-f", "pause"});
    EXPECT_EQ("", must({"ps", "-aq"}));
  }
}

TEST_F(Race, RestartsOfOneContainerThatIsRemovedOnExit) {
  start_probe("job", {"--rm"}, {"wait"});
  for (int round = 0; round < rounds(5); ++round) {
    for (const Outcome& outcome : at_once(std::vector<Arguments>(3, {"restart", "-t", "1", "job"})))
      EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_TRUE(host().is_running("job"));
  }
}

TEST_F(Race, ManyExecsAtOnce) {
  start_probe("job", {}, {"wait"});
  std::vector<Arguments> commands;
  for (int i = 0; i < 12; ++i)
    commands.push_back({"exec", "job", "sh", "-c", "echo number " + std::to_string(i)});
  const auto outcomes = at_once(commands);
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ("number " + std::to_string(i), outcomes[static_cast<std::size_t>(i)].line());
}

TEST_F(Race, ExecWhileTheContainerEnds) {
  for (int round = 0; round < rounds(10); ++round) {
    start_probe("job", {}, {"wait"});
    const auto outcomes = at_once({{"exec", "job", "sleep", "30"}, {"kill", "job"}, {"exec", "job", "true"}});
    EXPECT_EQ(0, outcomes[1].code) << outcomes[1];
    EXPECT_NE(0, outcomes[0].code) << outcomes[0];
    must({"rm", "-f", "job"});
  }
}

TEST_F(Race, BriefContainersGiveAllTheirOutput) {
  for (int round = 0; round < rounds(30); ++round) {
    const Outcome outcome = in_container({}, {"sh", "-c", "echo out; echo err >&2"});
    ASSERT_EQ("out\n", outcome.out) << round;
    ASSERT_EQ("err\n", outcome.err) << round;
    ASSERT_EQ(0, outcome.code);
  }
}

TEST_F(Race, ImportsOfTheSameLayer) {
  std::vector<Arguments> commands;
  for (int i = 0; i < 4; ++i)
    commands.push_back({"import", host().base_tar(), "e2e/race:" + std::to_string(i)});
  EXPECT_EQ(4, successes(at_once(commands)));
  commands.clear();
  for (int i = 0; i < 4; ++i) commands.push_back({"rmi", "e2e/race:" + std::to_string(i)});
  EXPECT_EQ(4, successes(at_once(commands)));
  EXPECT_EQ(3, fermata({"run", "--rm", kProbeImage, "exit", "3"}).code) << "its layer is the same one";
}

}  // namespace
}  // namespace fermata::e2e
