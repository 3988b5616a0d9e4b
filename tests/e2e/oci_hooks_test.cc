// Hooks of fermata-oci: when each of the six kinds runs, where, what it is told, and what its failure does.
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "e2e/support/oci.h"

namespace fermata::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kKinds[] = {"prestart",       "createRuntime", "createContainer",
                                  "startContainer", "poststart",     "poststop"};

class OciHooks : public OciTest {
 protected:
  void SetUp() override {
    OciTest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(path("hooks"));
  }

  // A shell command as a hook; `directory` is where it finds hooks/.
  static json hook(const std::string& script, const std::string& directory) {
    return {{"path", "/bin/sh"},
            {"args", {"sh", "-c", script}},
            {"env", {"PATH=/bin:/usr/bin", "HOOKS=" + directory}}};
  }
  // The container has the test's hooks/ at /hooks: what startContainer runs is the container's.
  json with_mount(const Arguments& command) const {
    json result = config(command);
    result["mounts"].push_back(
        {{"destination", "/hooks"}, {"type", "bind"}, {"source", path("hooks")}, {"options", {"rbind"}}});
    return result;
  }
  std::string directory_for(const std::string& kind) const {
    return kind == "startContainer" ? "/hooks" : path("hooks");
  }
  // One hook of each kind that notes its turn and its state.
  json with_all(const Arguments& command) const {
    json result = with_mount(command);
    for (const std::string kind : kKinds)
      result["hooks"][kind] = {
          hook("cat > $HOOKS/" + kind + "; echo " + kind + " >> $HOOKS/order", directory_for(kind))};
    return result;
  }
  json told(const std::string& kind) const {
    return json::parse(slurp(path("hooks/" + kind)), nullptr, false);
  }
  std::string order() const { return slurp(path("hooks/order")); }
};

TEST_F(OciHooks, RunInTheirOrder) {
  json all = with_all({"sh", "-c", "echo program >> /hooks/order; sleep 1000"});
  all["annotations"] = {{"some", "thing"}};
  create("h", all);
  const std::string created = "prestart\ncreateRuntime\ncreateContainer\n";
  EXPECT_EQ(created, order());
  const int pid = state("h")["pid"];
  must({"start", id("h")});
  ASSERT_TRUE(eventually([&] { return contains(order(), "program\n") && contains(order(), "poststart\n"); }));
  EXPECT_TRUE(order().starts_with(created + "startContainer\n")) << order();
  must({"delete", "--force", id("h")});
  EXPECT_TRUE(order().ends_with("poststop\n")) << order();
  for (const std::string kind : kKinds) {
    const json state = told(kind);
    EXPECT_EQ(id("h"), state["id"]) << kind;
    EXPECT_EQ(path("bundle-h"), state["bundle"]) << kind;
    EXPECT_EQ("thing", state["annotations"]["some"]) << kind;
    EXPECT_FALSE(state["ociVersion"].get<std::string>().empty()) << kind;
    EXPECT_EQ(kind == "poststop" ? 0 : pid, state["pid"]) << kind;
  }
  EXPECT_EQ("creating", told("prestart")["status"]);
  EXPECT_EQ("creating", told("createRuntime")["status"]);
  EXPECT_EQ("creating", told("createContainer")["status"]);
  EXPECT_EQ("created", told("startContainer")["status"]);
  EXPECT_EQ("running", told("poststart")["status"]);
  EXPECT_EQ("stopped", told("poststop")["status"]);
}

TEST_F(OciHooks, RunInTheirNamespaces) {
  json all = with_mount({"sleep", "1000"});
  for (const std::string kind : {"createRuntime", "createContainer", "startContainer"})
    all["hooks"][kind] = {hook("readlink /proc/self/ns/mnt > $HOOKS/" + kind + "; ls -d " +
                                   path("rootfs/proc/self") + " > $HOOKS/" + kind + ".proc 2>&1; true",
                               directory_for(kind))};
  start("n", all);
  const std::string pid = std::to_string(state("n")["pid"].get<int>());
  const auto mount_namespace = [](const std::string& of) {
    return std::filesystem::read_symlink("/proc/" + of + "/ns/mnt").string() + "\n";
  };
  EXPECT_EQ(mount_namespace("self"), slurp(path("hooks/createRuntime")));
  EXPECT_EQ(mount_namespace(pid), slurp(path("hooks/createContainer")));
  EXPECT_EQ(mount_namespace(pid), slurp(path("hooks/startContainer")));
  // The container's files lie where the state says, before its root is entered.
  EXPECT_EQ(path("rootfs/proc/self") + "\n", slurp(path("hooks/createContainer.proc")));
  EXPECT_THAT(slurp(path("hooks/createRuntime.proc")), HasSubstr("No such file"));
}

// `run` holds all signals back while it stands by the container.
TEST_F(OciHooks, HaveNoSignalsBlocked) {
  json wanted = with_mount({"true"});
  wanted["hooks"]["prestart"] = {hook("grep ^SigBlk: /proc/self/status > $HOOKS/signals", path("hooks"))};
  EXPECT_TRUE(run("s", wanted).ok());
  EXPECT_EQ("SigBlk:\t0000000000000000\n", slurp(path("hooks/signals")));
}

TEST_F(OciHooks, FailTheCreation) {
  for (const std::string kind : {"prestart", "createRuntime", "createContainer"}) {
    json failing = with_mount({"sleep", "1000"});
    failing["hooks"][kind] = {hook("true", path("hooks")), hook("echo reason >&2; exit 3", path("hooks")),
                              hook("touch $HOOKS/third", path("hooks"))};
    const Outcome outcome = oci({"create", "--bundle", bundle("f", failing), id("f")});
    EXPECT_EQ(1, outcome.code) << kind;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(kind + " hook #1 '/bin/sh'"), HasSubstr("exit status 3"),
                                   HasSubstr("reason")));
    EXPECT_FALSE(std::filesystem::exists(path("hooks/third")));
    EXPECT_EQ(json::object(), state("f")) << kind;
  }
}

TEST_F(OciHooks, FailTheStart) {
  for (const std::string kind : {"startContainer", "poststart"}) {
    json failing = with_mount({"sleep", "1000"});
    failing["hooks"][kind] = {hook("exit 4", directory_for(kind))};
    failing["hooks"]["poststop"] = {hook("touch $HOOKS/stopped", path("hooks"))};
    create("f", failing);
    const Outcome outcome = oci({"start", id("f")});
    EXPECT_EQ(1, outcome.code) << kind;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(kind + " hook #0"), HasSubstr("exit status 4")));
    EXPECT_TRUE(becomes("f", "stopped")) << kind;
    must({"delete", id("f")});
    EXPECT_TRUE(std::filesystem::remove(path("hooks/stopped")));
  }
}

TEST_F(OciHooks, WarnAfterTheEnd) {
  json failing = with_mount({"true"});
  failing["hooks"]["poststop"] = {hook("exit 5", path("hooks")), hook("touch $HOOKS/second", path("hooks"))};
  const Outcome outcome = run("w", failing);
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("warning: poststop hook #0"));
  EXPECT_TRUE(std::filesystem::exists(path("hooks/second")));
}

// The start waits for a process that stands still, and holds the lock for which others wait.
TEST_F(OciHooks, PausedWhileItStarts) {
  json wanted = with_mount({"sleep", "1000"});
  wanted["hooks"]["startContainer"] = {hook("echo > $HOOKS/begun; sleep 1", "/hooks")};
  create("p", wanted);
  Background starting(command({"start", id("p")}), Background::Streams::pipes);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(path("hooks/begun")); }));
  must({"pause", id("p")});
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const Outcome deleted =
      run_program({"timeout", "20", kFermataOci, "--root", path("state"), "delete", "--force", id("p")});
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_NE(0, starting.wait().code);
}

TEST_F(OciHooks, HaveTheirTime) {
  json slow = with_mount({"sleep", "1000"});
  slow["hooks"]["createRuntime"] = {hook("exec sleep 1000", path("hooks"))};
  slow["hooks"]["createRuntime"][0]["timeout"] = 1;
  const Outcome outcome = oci({"create", "--bundle", bundle("s", slow), id("s")});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("createRuntime hook #0 '/bin/sh': no end after 1 s"));
  EXPECT_GE(outcome.took.count(), 1.0);
  EXPECT_LT(outcome.took, scaled(10));
}

TEST_F(OciHooks, AreLookedForBeforeTheyRun) {
  json absent = with_mount({"sleep", "1000"});
  absent["hooks"]["createRuntime"] = {{{"path", path("nosuch")}}};
  EXPECT_THAT(oci({"create", "--bundle", bundle("a", absent), id("a")}).err,
              AllOf(HasSubstr("createRuntime hook #0 '" + path("nosuch")), HasSubstr("no such file")));
}

}  // namespace
}  // namespace fermata::e2e
