// Log files of containers, in the format that a kubelet reads: "TIME STREAM TAG TEXT".
#include <filesystem>
#include <numeric>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::UnorderedElementsAre;

class Logs : public CriTest {
 protected:
  static Reply<v1::ReopenContainerLogResponse> reopen(const std::string& id) {
    v1::ReopenContainerLogRequest request;
    request.set_container_id(id);
    return client().call(&Runtime::ReopenContainerLog, request);
  }
};

// A time has up to nine digits of its second: containerd leaves out zeros at their end, and a kubelet reads
// both.
TEST_F(Logs, HaveTimeStreamAndTag) {
  wait_exited(run(run_pod(), {"sh", "-c", "echo one; echo two >&2"}));
  EXPECT_TRUE(eventually([] { return logged().size() == 2; }));
  EXPECT_THAT(logged(), UnorderedElementsAre("stdout F one", "stderr F two"));
  for (const std::string& line : log_lines())
    EXPECT_THAT(
        line,
        MatchesRegex(
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}) "
            "std(out|err) F (one|two)"));
}

TEST_F(Logs, AreWholeWhenTheContainerHasEnded) {
  wait_exited(run(run_pod(), {"seq", "5000"}));
  EXPECT_EQ(5000U, logged().size());
  EXPECT_EQ("stdout F 5000", logged().back());
}

TEST_F(Logs, CutLongLinesAndSayWhichPartsBelongTogether) {
  wait_exited(run(run_pod(), {"sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo next"}));
  std::string joined;
  const std::vector<std::string> lines = logged();
  ASSERT_GT(lines.size(), 2U);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    const bool last = i + 2 == lines.size();
    EXPECT_EQ(last ? "stdout F " : "stdout P ", lines[i].substr(0, 9)) << i;
    joined += lines[i].substr(9);
  }
  EXPECT_EQ(std::string(40000, 'x'), joined);
  EXPECT_EQ("stdout F next", lines.back());
}

TEST_F(Logs, KeepALineWithoutItsEnd) {
  wait_exited(run(run_pod(), {"printf", "one\\ntwo"}));
  EXPECT_TRUE(eventually([] { return logged().size() == 2; }));
  EXPECT_THAT(logged(), ElementsAre("stdout F one", MatchesRegex("stdout [FP] two")));
}

TEST_F(Logs, GoOnInANewFileAfterARotation) {
  const std::string id = run(run_pod(), {"sh", "-c", "i=0; while sleep 0.01; do echo $i; i=$((i+1)); done"});
  ASSERT_TRUE(eventually([] { return logged().size() > 10; }));
  const std::string path = scratch("logs/pod/main.log"), rotated = path + ".1";
  std::filesystem::rename(path, rotated);
  ASSERT_OK(reopen(id));
  EXPECT_TRUE(std::filesystem::exists(path)) << "when the call returns";
  ASSERT_TRUE(eventually([] { return logged().size() > 10; }));
  EXPECT_OK(stop(id));
  // No line lost, none twice, none cut.
  std::vector<std::string> expected, seen;
  for (const std::string& file : {rotated, path})
    for (const std::string& line : e2e::lines_of(e2e::slurp(file)))
      seen.push_back(line.substr(line.find(' ') + 1));
  for (std::size_t i = 0; i < seen.size(); ++i) expected.push_back("stdout F " + std::to_string(i));
  EXPECT_EQ(expected, seen);
}

TEST_F(Logs, OfAnEndedContainerAreNotReopened) {
  const std::string id = run(run_pod(), {"true"});
  wait_exited(id);
  EXPECT_FALSE(reopen(id).ok());
}

TEST_F(Logs, StayAfterTheContainer) {
  const std::string id = run(run_pod(), {"echo", "kept"});
  wait_exited(id);
  EXPECT_OK(remove(id));
  EXPECT_THAT(logged(), ElementsAre("stdout F kept"));
}

TEST_F(Logs, AreNotWrittenWithoutAPath) {
  v1::PodSandboxConfig pod = pod_config();
  v1::ContainerConfig config = container_config({"echo", "unheard"});
  config.clear_log_path();
  const std::string id = run(run_pod(pod), config);
  EXPECT_EQ(0, wait_exited(id).exit_code());
  EXPECT_TRUE(std::filesystem::is_empty(pod.log_directory()));
}

TEST_F(Logs, MayGoToADirectoryOfTheirOwn) {
  v1::ContainerConfig config = container_config({"echo", "deeper"});
  config.set_log_path("main/0.log");
  v1::PodSandboxConfig pod = pod_config();
  const std::string id = run_pod(pod);
  std::filesystem::create_directories(pod.log_directory() + "/main");  // kubelet makes it
  wait_exited(run(id, config));
  EXPECT_THAT(logged("main/0"), ElementsAre("stdout F deeper"));
}

}  // namespace
}  // namespace fermata::cri_test
