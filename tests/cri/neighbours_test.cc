// fermatad beside the command line on one store, and on a node with many pods.
#include <chrono>

#include "cri/fixture.h"
#include "e2e/support/archives.h"
#include "e2e/support/host.h"

namespace fermata::cri_test {
namespace {

using e2e::Outcome;
using testing::HasSubstr;
using testing::Not;

class Neighbours : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (is_containerd()) GTEST_SKIP() << "about fermatad alone";
  }
  // The command line on the daemon's store.
  static Outcome fermata(const Arguments& arguments) {
    Arguments all{e2e::kFermata, "--root", scratch("d/root"), "--run-root", scratch("d/run")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return e2e::run_program(all, {.seconds = 60});
  }
};

TEST_F(Neighbours, SeeTheirOwnAlone) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sleep", "1000"});
  ASSERT_EQ(0, fermata({"import", scratch("base.tar"), "by-hand"}).code);
  const Outcome made = fermata({"run", "-d", "--name", "by-hand", "by-hand", "/bin/sleep", "1000"});
  ASSERT_EQ(0, made.code) << made;
  EXPECT_EQ(std::set<std::string>{id}, ids_of(containers()));
  EXPECT_EQ(std::set<std::string>{pod}, ids_of(pods()));
  EXPECT_EQ(made.line() + "\n", fermata({"ps", "-aq", "--no-trunc"}).out);
  const std::string name = "k8s_main_pod_tests_pod-uid_0", infra = "k8s_POD_pod_tests_pod-uid_0";
  EXPECT_THAT(fermata({"ps", "--owner", "cri"}).out, HasSubstr(name));
  EXPECT_THAT(fermata({"ps", "--owner", "cri"}).out, Not(HasSubstr(infra)));
  EXPECT_THAT(fermata({"ps", "--owner", "cri", "--infra"}).out, HasSubstr(infra));
  const std::string all = fermata({"ps", "--owner", "all"}).out;
  EXPECT_THAT(all, HasSubstr(name));
  EXPECT_THAT(all, HasSubstr("by-hand"));
  EXPECT_NE(0, fermata({"stop", id}).code);
  EXPECT_EQ(0, fermata({"rm", "-f", "by-hand"}).code);
  EXPECT_EQ(0, fermata({"rmi", "by-hand"}).code);
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
}

// How images come to a node without a network.
TEST_F(Neighbours, LoadImagesForKubernetes) {
  const std::string name = "docker.io/library/other:1";
  const auto seen = [&] {
    v1::ImageStatusRequest request;
    request.mutable_image()->set_image("other:1");
    const auto reply = client().call(&ImageStore::ImageStatus, request);
    EXPECT_OK(reply);
    return std::vector<std::string>(reply->image().repo_tags().begin(), reply->image().repo_tags().end());
  };
  EXPECT_EQ(0, fermata({"load", "-i", scratch("archive.tar")}).code);
  EXPECT_THAT(seen(), testing::IsEmpty()) << "it is the command line's";
  const Outcome loaded = fermata({"load", "--owner", "cri", "-i", scratch("archive.tar")});
  EXPECT_EQ("Loaded image: other:1\n", loaded.out) << loaded;
  EXPECT_THAT(seen(), testing::ElementsAre(name));
  v1::ContainerConfig config = container_config({});
  config.mutable_image()->set_image("other:1");
  EXPECT_EQ(8, wait_exited(run(run_pod(), config)).exit_code());
  EXPECT_EQ(1, fermata({"rmi", "--owner", "cri", "other:1"}).code) << "a container uses it";

  EXPECT_EQ(0, fermata({"rmi", "-f", "other:1"}).code);
  EXPECT_THAT(fermata({"images"}).out, Not(HasSubstr("other")));
  EXPECT_THAT(fermata({"images", "--owner", "cri"}).out, HasSubstr("other"));
  const std::string id = fermata({"images", "--owner", "cri", "-q", "other"}).line();
  EXPECT_EQ(0, fermata({"tag", "--owner", "cri", id, "registry.example/other:2"}).code);
  EXPECT_THAT(seen(), testing::UnorderedElementsAre(name, "registry.example/other:2"));
  for (const v1::PodSandbox& pod : pods()) remove_pod(pod.id());
  EXPECT_EQ(0, fermata({"rmi", "--owner", "cri", "other:1", "registry.example/other:2"}).code);
  EXPECT_THAT(seen(), testing::IsEmpty());
  const Outcome wrong = fermata({"images", "--owner", "all"});
  EXPECT_EQ(1, wrong.code);
  EXPECT_THAT(wrong.err, HasSubstr("invalid argument \"all\" for \"--owner\" flag: known are cli and cri"));
}

TEST_F(Neighbours, DoNotKeepADaemonFromStarting) {
  constexpr int kPods = 100;
  constexpr double kSeconds = 3;
  for (int i = 0; i < kPods; ++i) run_pod(pod_config("many-" + std::to_string(i)));
  daemon().kill();
  const auto start = std::chrono::steady_clock::now();
  daemon().start();
  EXPECT_LT(std::chrono::steady_clock::now() - start, e2e::scaled(kSeconds));
  const auto there = pods();
  EXPECT_EQ(kPods, static_cast<int>(there.size()));
  for (const v1::PodSandbox& pod : there) EXPECT_EQ(v1::SANDBOX_READY, pod.state()) << pod.metadata().name();
}

}  // namespace
}  // namespace fermata::cri_test
