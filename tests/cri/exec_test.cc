// ExecSync: what a probe of a kubelet runs in a container.
#include <future>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSoon =
    20'000'000'000;  // a timeout of a second has been kept; in an emulated machine, too

class ExecSync : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (IsSkipped()) return;
    pod_ = run_pod();
    id_ = run(pod_, {"sleep", "1000"});
  }
  const std::string& id() const { return id_; }
  const std::string& pod() const { return pod_; }
  Reply<v1::ExecSyncResponse> shell(const std::string& script, int seconds = 20) const {
    return exec(id_, {"sh", "-c", script}, seconds);
  }
  // Processes of the container whose command line is `words`.
  bool runs(const std::string& words) const {
    return shell("ps -o args").ok() && contains_line(shell("ps -o args")->stdout(), words);
  }

 private:
  static bool contains_line(const std::string& text, const std::string& wanted) {
    for (const std::string& line : e2e::lines_of(text))
      if (line == wanted) return true;
    return false;
  }

  std::string pod_, id_;
};

TEST_F(ExecSync, TellsOutputErrorsAndExitCode) {
  const auto reply = shell("echo out; echo err >&2; exit 5");
  ASSERT_OK(reply);
  EXPECT_EQ("out\n", reply->stdout());
  EXPECT_EQ("err\n", reply->stderr());
  EXPECT_EQ(5, reply->exit_code());
}

TEST_F(ExecSync, HasTheContainersSurroundings) {
  v1::ContainerConfig config = container_config({"sleep", "1000"}, "other");
  config.set_working_dir("/var");
  v1::KeyValue& variable = *config.add_envs();
  variable.set_key("COLOUR");
  variable.set_value("blue");
  config.mutable_linux()->mutable_security_context()->mutable_run_as_user()->set_value(1000);
  EXPECT_EQ("blue /var 1000", inside(run(pod(), config), {"sh", "-c", "echo $COLOUR $(pwd) $(id -u)"}));
}

TEST_F(ExecSync, BringsLongOutputWhole) {
  constexpr std::size_t kSize = 3 << 20;
  const auto reply = shell("head -c " + std::to_string(kSize) + " /dev/zero");
  ASSERT_OK(reply);
  EXPECT_EQ(kSize, reply->stdout().size());
}

TEST_F(ExecSync, IsEndedAtItsTimeout) {
  const std::int64_t before = now();
  const auto reply = exec(id(), {"sleep", "4321"}, 1);
  EXPECT_EQ(grpc::DEADLINE_EXCEEDED, reply.code()) << reply;
  EXPECT_LT(now() - before, kSoon);
  EXPECT_TRUE(eventually([&] { return !runs("sleep 4321"); }));
}

TEST_F(ExecSync, TakesItsChildrenWithItAtItsTimeout) {
  if (is_containerd()) GTEST_SKIP() << "containerd waits for children that hold the output open";
  const std::int64_t before = now();
  const auto reply = shell("sleep 4321 & setsid sleep 4322 & sleep 4323", 1);
  EXPECT_EQ(grpc::DEADLINE_EXCEEDED, reply.code()) << reply;
  EXPECT_LT(now() - before, kSoon);
  for (const char* child : {"sleep 4321", "sleep 4322", "sleep 4323"}) EXPECT_FALSE(runs(child)) << child;
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id()).state());
}

TEST_F(ExecSync, WithoutATimeoutRunsToItsEnd) {
  const auto reply = shell("sleep 1; echo done", 0);
  ASSERT_OK(reply);
  EXPECT_EQ("done\n", reply->stdout());
}

TEST_F(ExecSync, NamesAProgramThatIsMissing) {
  const auto reply = exec(id(), {"/no/such/program"});
  EXPECT_FALSE(reply.ok() && reply->exit_code() == 0);
  EXPECT_THAT(reply.error() + reply->stderr(), HasSubstr("/no/such/program"));
}

TEST_F(ExecSync, IsRefusedOnceTheContainerHasEnded) {
  EXPECT_OK(stop(id()));
  EXPECT_FALSE(shell("true").ok());
}

TEST_F(ExecSync, IsRefusedBeforeTheContainerHasStarted) {
  EXPECT_FALSE(exec(create(pod(), container_config({"true"}, "other")), {"true"}).ok());
}

TEST_F(ExecSync, ManyAtOnce) {
  std::vector<std::future<Reply<v1::ExecSyncResponse>>> replies;
  for (int i = 0; i < 16; ++i)
    replies.push_back(
        std::async(std::launch::async, [this, i] { return shell("echo " + std::to_string(i)); }));
  for (int i = 0; i < 16; ++i) {
    const auto reply = replies[i].get();
    EXPECT_OK(reply);
    EXPECT_EQ(std::to_string(i) + "\n", reply->stdout());
  }
}

TEST_F(ExecSync, LeavesNoZombie) {
  EXPECT_OK(shell("sleep 0.01 & exit 0"));
  EXPECT_TRUE(eventually([&] { return !runs("[sleep]"); }));
}

}  // namespace
}  // namespace fermata::cri_test
