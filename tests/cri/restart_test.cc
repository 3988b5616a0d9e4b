// The daemon ends, by request or by SIGKILL, and starts again: pods go on as if nothing had been.
#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::ElementsAre;

class Restart : public CriTest, public testing::WithParamInterface<bool> {
 protected:
  static void end() {
    if (GetParam())
      daemon().kill();
    else
      EXPECT_EQ(0, daemon().stop()) << daemon().log();
  }
};

TEST_P(Restart, ContainersGoOn) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sh", "-c", "i=0; while sleep 0.05; do echo $i; i=$((i+1)); done"});
  const std::string address = pod_status(pod).network().ip();
  const v1::ContainerStatus before = status(id);
  ASSERT_TRUE(eventually([] { return logged().size() > 3; }));
  end();
  const std::size_t lines = logged().size();
  daemon().start();
  EXPECT_EQ(v1::SANDBOX_READY, pod_status(pod).state());
  EXPECT_EQ(address, pod_status(pod).network().ip());
  const v1::ContainerStatus after = status(id);
  EXPECT_EQ(v1::CONTAINER_RUNNING, after.state());
  EXPECT_EQ(before.started_at(), after.started_at());
  EXPECT_EQ("0", inside(id, {"id", "-u"}));
  EXPECT_TRUE(eventually([&] { return logged().size() > lines + 3; })) << "its output is still written";
  EXPECT_OK(stop(id));
  // No line lost, none twice.
  std::size_t number = 0;
  for (const std::string& line : logged()) EXPECT_EQ("stdout F " + std::to_string(number++), line);
}

TEST_P(Restart, AnEndInBetweenIsKnown) {
  const std::string id = run(run_pod(), {"sh", "-c", "while ! test -e /tmp/go; do sleep 0.05; done; exit 9"});
  inside(id, {"sh", "-c", "(sleep 1; touch /tmp/go) >/dev/null 2>&1 </dev/null &"});
  end();
  e2e::run_program({"sleep", std::to_string(e2e::scaled(2).count())});
  daemon().start();
  const v1::ContainerStatus at = wait_exited(id);
  EXPECT_EQ(9, at.exit_code());
  EXPECT_EQ("Error", at.reason());
}

TEST_P(Restart, WhatHasEndedIsRemembered) {
  const std::string pod = run_pod();
  const std::string created = create(pod, container_config({"true"}, "created"));
  const std::string exited = run(pod, container_config({"sh", "-c", "exit 5"}, "exited"));
  const v1::ContainerStatus before = wait_exited(exited);
  end();
  daemon().start();
  EXPECT_EQ(v1::CONTAINER_CREATED, status(created).state());
  const v1::ContainerStatus after = status(exited);
  EXPECT_EQ(5, after.exit_code());
  EXPECT_EQ(before.finished_at(), after.finished_at());
  EXPECT_OK(start(created));
}

INSTANTIATE_TEST_SUITE_P(Ends, Restart, testing::Values(false, true),
                         [](const auto& each) { return each.param ? "Killed" : "Asked"; });

}  // namespace
}  // namespace fermata::cri_test
