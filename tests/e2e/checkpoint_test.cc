// Containers into files and back, where CRIU knows the kernel.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "e2e/support/oci.h"

namespace fermata::e2e {
namespace {

class Checkpoint : public OciTest {
 protected:
  void SetUp() override {
    OciTest::SetUp();
    if (IsSkipped()) return;
    const Outcome check = run_program({"criu", "check"});
    if (!check.ok()) GTEST_SKIP() << "criu check: " << (check.err.empty() ? check.out : check.err);
  }

  // Counts in the file `count` of its root, five times a second.
  json counter() const {
    return config({"sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; usleep 200000; done"});
  }
  int counted() const { return std::atoi(slurp(path("rootfs/count")).c_str()); }
  bool counts_on() const {
    const int before = counted();
    return eventually([&] { return counted() > before; });
  }
  std::string images() const { return path("images"); }
  Outcome checkpoint(const Arguments& flags) const {
    Arguments arguments = {"checkpoint", "--image-path", images()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return oci(arguments, {.seconds = 60});
  }
  Outcome restore(const std::string& bundle, const Arguments& flags) const {
    Arguments arguments = {"restore", "--detach", "--image-path", images(), "--bundle", bundle};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return detached(arguments);
  }
};

TEST_F(Checkpoint, AContainerGoesOnWhereItWas) {
  start("box", counter());
  ASSERT_TRUE(eventually([&] { return counted() >= 3; }));
  const Outcome saved = checkpoint({id("box")});
  ASSERT_TRUE(saved.ok()) << saved;
  EXPECT_EQ("", status("box"));
  const int last = counted();
  const std::string pid_file = path("pid");
  const Outcome restored = restore(bundle("box", counter()), {"--pid-file", pid_file, id("box")});
  ASSERT_TRUE(restored.ok()) << restored;
  EXPECT_EQ("running", status("box"));
  EXPECT_EQ(slurp(pid_file), std::to_string(state("box").value("pid", 0)));
  EXPECT_TRUE(counts_on());
  EXPECT_GT(counted(), last);
  EXPECT_LT(counted(), last + 50) << "it has begun anew or counts too fast";
  // It is a container as any other.
  EXPECT_EQ("1", oci({"exec", id("box"), "sh", "-c", "cut -d' ' -f1 /proc/1/stat"}).line());
  EXPECT_TRUE(oci({"pause", id("box")}).ok());
  EXPECT_TRUE(oci({"resume", id("box")}).ok());
  EXPECT_TRUE(oci({"kill", id("box"), "KILL"}).ok());
  EXPECT_TRUE(becomes("box", "stopped"));
  EXPECT_TRUE(oci({"delete", id("box")}).ok());
}

TEST_F(Checkpoint, OneThatIsLeftRunningGoesOn) {
  start("box", counter());
  ASSERT_TRUE(eventually([&] { return counted() >= 1; }));
  const Outcome saved = checkpoint({"--leave-running", id("box")});
  ASSERT_TRUE(saved.ok()) << saved;
  EXPECT_EQ("running", status("box"));
  EXPECT_TRUE(counts_on());
}

TEST_F(Checkpoint, AnotherContainerMayGoOnWithBindMountsOfItsOwn) {
  spill(path("data"), "first\n");
  json changed = counter();
  changed["mounts"].push_back(
      {{"destination", "/data"}, {"type", "bind"}, {"source", path("data")}, {"options", {"bind", "ro"}}});
  start("one", changed);
  ASSERT_TRUE(eventually([&] { return counted() >= 1; }));
  const Outcome saved = checkpoint({id("one")});
  ASSERT_TRUE(saved.ok()) << saved;
  spill(path("other"), "second\n");
  changed["mounts"].back()["source"] = path("other");
  const Outcome restored = restore(bundle("two", changed), {id("two")});
  ASSERT_TRUE(restored.ok()) << restored;
  EXPECT_TRUE(counts_on());
  EXPECT_EQ("second", oci({"exec", id("two"), "cat", "/data"}).line());
  // In a group of its own, not in that of the first.
  const std::string groups = slurp("/proc/" + std::to_string(state("two").value("pid", 0)) + "/cgroup");
  EXPECT_TRUE(contains(groups, "/fermata-oci-" + id("two") + "\n")) << groups;
  EXPECT_FALSE(contains(groups, id("one"))) << groups;
}

TEST_F(Checkpoint, TheTerminalHasANewMaster) {
  json changed = config({"sh", "-c", "while read line; do echo got $line; done"});
  changed["process"]["terminal"] = true;
  const std::string directory = bundle("tty", changed);
  const ConsoleSocket before(path("before"));
  ASSERT_TRUE(detached({"create", "-b", directory, "--console-socket", before.path(), id("tty")}).ok());
  UniqueFd master = before.receive();
  ASSERT_TRUE(master.valid());
  must({"start", id("tty")});
  ASSERT_EQ(4, ::write(master.get(), "one\n", 4));
  EXPECT_TRUE(contains(read_terminal(master.get(), "got one"), "got one"));
  const Outcome saved = checkpoint({id("tty")});
  ASSERT_TRUE(saved.ok()) << saved;
  const ConsoleSocket after(path("after"));
  const Outcome restored = restore(directory, {"--console-socket", after.path(), id("tty")});
  ASSERT_TRUE(restored.ok()) << restored;
  master = after.receive();
  ASSERT_TRUE(master.valid());
  ASSERT_EQ(4, ::write(master.get(), "two\n", 4));
  EXPECT_TRUE(contains(read_terminal(master.get(), "got two"), "got two"));
}

TEST_F(Checkpoint, ARestoreThatStandsByTellsTheExitCode) {
  start("box",
        config({"sh", "-c", "echo up; while [ ! -e /go ]; do usleep 100000; done; echo done; exit 3"}));
  ASSERT_TRUE(eventually([&] { return contains(output(), "up"); }));
  const Outcome saved = checkpoint({id("box")});
  ASSERT_TRUE(saved.ok()) << saved;
  spill(path("rootfs/go"), "");
  // To the same file as before.
  Arguments shell = {"sh", "-c", "out=$0; exec \"$@\" </dev/null >>\"$out\" 2>&1", path("output")};
  const Arguments words =
      command({"restore", "--image-path", images(), "--bundle", path("bundle-box"), id("box")});
  shell.insert(shell.end(), words.begin(), words.end());
  const Outcome stood = run_program(shell, {.seconds = 60});
  EXPECT_EQ(3, stood.code) << stood << output();
  EXPECT_TRUE(contains(output(), "done")) << output();
  EXPECT_EQ("", status("box"));
}

TEST_F(Checkpoint, AJoinedNetworkIsTheSameAgain) {
  const std::string space = path("net");
  spill(space, "");
  ASSERT_TRUE(run_program({"unshare", "--net=" + space, "true"}).ok());
  json changed = counter();
  for (json& one : changed["linux"]["namespaces"])
    if (one["type"] == "network") one["path"] = space;
  start("box", changed);
  ASSERT_TRUE(eventually([&] { return counted() >= 1; }));
  const Outcome saved = checkpoint({id("box")});
  EXPECT_TRUE(saved.ok()) << saved;
  const Outcome restored = restore(path("bundle-box"), {id("box")});
  EXPECT_TRUE(restored.ok()) << restored;
  struct stat pinned = {}, joined = {};
  EXPECT_EQ(0, ::stat(space.c_str(), &pinned));
  const std::string own = "/proc/" + std::to_string(state("box").value("pid", 0)) + "/ns/net";
  EXPECT_EQ(0, ::stat(own.c_str(), &joined));
  EXPECT_EQ(pinned.st_ino, joined.st_ino);
  EXPECT_TRUE(oci({"delete", "-f", id("box")}).ok());
  EXPECT_EQ(0, ::umount(space.c_str()));
}

TEST_F(Checkpoint, APausedContainerAndOneInStepsGoOnToo) {
  start("box", counter());
  ASSERT_TRUE(eventually([&] { return counted() >= 1; }));
  const Outcome first = oci({"checkpoint", "--pre-dump", "--image-path", path("images/first"), id("box")});
  EXPECT_TRUE(first.ok()) << first;
  EXPECT_EQ("running", status("box"));
  must({"pause", id("box")});
  const Outcome saved =
      oci({"checkpoint", "--image-path", path("images/second"), "--parent-path", "../first", id("box")});
  ASSERT_TRUE(saved.ok()) << saved;
  const Outcome restored =
      detached({"restore", "-d", "--image-path", path("images/second"), "-b", path("bundle-box"), id("box")});
  ASSERT_TRUE(restored.ok()) << restored;
  EXPECT_TRUE(counts_on());
}

TEST_F(Checkpoint, ARestoreThatFailsLeavesNothing) {
  std::filesystem::create_directories(images());
  spill(images() + "/descriptors.json", R"(["","",""])");
  const Outcome restored = restore(bundle("box", counter()), {id("box")});
  EXPECT_FALSE(restored.ok());
  EXPECT_TRUE(contains(restored.err, "criu: ")) << restored;
  EXPECT_EQ("", status("box"));
  EXPECT_FALSE(std::filesystem::exists(path("state/" + id("box"))));
}

// These ask nothing of CRIU.
class CheckpointRefusals : public OciTest {};

TEST_F(CheckpointRefusals, AreByName) {
  create("box", config({"sleep", "60"}));
  const std::pair<Arguments, const char*> cases[] = {
      {{"checkpoint", id("box")}, "cannot be checkpointed in created state"},
      {{"checkpoint", "--lazy-pages", id("box")}, "--lazy-pages: "},
      {{"checkpoint", "--page-server", "host:1", id("box")}, "--page-server: "},
      {{"checkpoint", "--parent-path", "/abs", id("box")}, "--parent-path /abs: must be relative"},
      {{"checkpoint", "--empty-ns", "pid", id("box")}, "--empty-ns pid: "},
      {{"checkpoint", "nobody"}, "does not exist"},
      {{"restore", "-b", path("bundle-box"), id("box")}, "already exists"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = oci(arguments);
    EXPECT_EQ(1, outcome.code) << outcome;
    EXPECT_TRUE(contains(outcome.err, message)) << outcome;
  }
}

TEST_F(CheckpointRefusals, NameWhatIsMissing) {
  start("box", config({"sleep", "60"}));
  const Outcome outcome = oci({"checkpoint", id("box")}, {.env = {{"PATH", "/nowhere"}}});
  EXPECT_EQ(1, outcome.code);
  EXPECT_TRUE(contains(outcome.err, "criu is not installed (Debian: criu)")) << outcome;
  EXPECT_EQ("running", status("box"));
}

}  // namespace
}  // namespace fermata::e2e
