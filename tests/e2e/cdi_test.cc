// CDI devices: what a specification's edits do to a container, and what is said of those that are nowhere.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

using testing::StartsWith;
using json = nlohmann::json;

class Cdi : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    std::filesystem::remove_all(scratch("cdi"));
    for (const char* name : {"cdi/etc", "cdi/run", "cdi/data"})
      std::filesystem::create_directories(scratch(name));
    spill(scratch("cdi/data/file"), "of the driver\n");
  }

  // A shell command of the host's as a hook.
  static json hook(const std::string& name, const std::string& script) {
    return {{"hookName", name},
            {"path", "/bin/sh"},
            {"args", {"sh", "-c", script}},
            {"env", {"PATH=/bin:/usr/bin", "DATA=" + scratch("cdi/data")}},
            {"timeout", 20}};
  }
  static void specify(const std::string& file, json edits, const std::string& device = "card") {
    const json document = {
        {"cdiVersion", "1.0.0"},
        {"kind", "acme.com/test"},
        {"containerEdits", {{"env", {"ACME=everywhere"}}}},
        {"devices", json::array({{{"name", device}, {"containerEdits", std::move(edits)}}})}};
    spill(scratch("cdi/" + file), document.dump(2));
  }
  static Outcome run(Arguments flags, const Arguments& command) {
    Arguments all = {"--cdi-spec-dir", scratch("cdi/etc"), "--cdi-spec-dir", scratch("cdi/run"), "run"};
    flags.insert(flags.end(), {"--device", "acme.com/test=card", kBase});
    all.insert(all.end(), flags.begin(), flags.end());
    all.insert(all.end(), command.begin(), command.end());
    return fermata(all);
  }
  static Outcome shell(const std::string& script) { return run({"--rm"}, {"sh", "-c", script}); }
  static std::string data(const std::string& name) { return slurp(scratch("cdi/data/" + name)); }
};

TEST_F(Cdi, EnvironmentMountsAndGroupsAreThere) {
  specify("etc/a.json", {{"env", {"CARD=1"}},
                         {"additionalGids", {4711}},
                         {"mounts", json::array({{{"hostPath", scratch("cdi/data")},
                                                  {"containerPath", "/opt/acme"},
                                                  {"options", {"ro", "nosuid", "bind"}}},
                                                 {{"hostPath", "tmpfs"},
                                                  {"containerPath", "/scratch"},
                                                  {"type", "tmpfs"},
                                                  {"options", {"mode=0700"}}}})}});
  const Outcome outcome = shell(
      "echo $ACME $CARD; id -G; cat /opt/acme/file; touch /opt/acme/x 2>/dev/null || echo read-only; "
      "grep ' /opt/acme ' /proc/self/mounts | grep -q nosuid && echo nosuid; touch /scratch/x && ls "
      "/scratch");
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.out, StartsWith("everywhere 1\n0 "));
  EXPECT_THAT(outcome.out, HasSubstr("4711\nof the driver\nread-only\nnosuid\nx\n"));
}

TEST_F(Cdi, YamlIsReadAndALaterDirectoryWins) {
  specify("etc/a.json", {{"env", {"FROM=etc"}}});
  spill(scratch("cdi/run/b.yaml"),
        "cdiVersion: 1.0.0\nkind: acme.com/test\ndevices:\n- name: card\n  containerEdits: {env: "
        "[FROM=run]}\n");
  EXPECT_EQ("run\n", shell("echo $FROM$ACME").out);
}

TEST_F(Cdi, DeviceNodesAreMadeAndAllowed) {
  specify("etc/a.json",
          {{"deviceNodes",
            json::array({{{"path", "/dev/acme0"}, {"hostPath", "/dev/zero"}, {"fileMode", 0640}, {"gid", 7}},
                         {{"path", "/dev/full"}, {"type", "c"}, {"major", 1}, {"minor", 3}},
                         {{"path", "/dev/mute"}, {"hostPath", "/dev/fuse"}, {"permissions", "none"}}})}});
  const Outcome outcome = shell(
      "head -c 3 /dev/acme0 | wc -c; stat -c '%a %g %t %T' /dev/acme0; echo x > /dev/full && echo written; "
      "cat /dev/mute 2>&1");
  EXPECT_THAT(outcome.out, StartsWith("3\n640 7 1 5\nwritten\n"));
  EXPECT_THAT(outcome.out, HasSubstr("Operation not permitted"));
}

TEST_F(Cdi, HooksRunInTheirOrderAndPlaces) {
  json edits = {{"mounts", json::array({{{"hostPath", scratch("cdi/data")}, {"containerPath", "/data"}}})},
                {"hooks", json::array()}};
  for (const char* name : {"prestart", "createRuntime", "createContainer", "poststart", "poststop"})
    edits["hooks"].push_back(
        hook(name, std::string("cat > $DATA/") + name + "; echo " + name + " >> $DATA/order"));
  // As a vendor's: by the bundle's config.json it finds the root, and leaves something there.
  edits["hooks"].push_back(
      hook("createContainer",
           "b=$(sed -n 's/.*\"bundle\": \"\\(.*\\)\",/\\1/p'); "
           "r=$(grep -A1 '\"root\"' $b/config.json | sed -n 's/.*\"path\": \"\\(.*\\)\",/\\1/p'); "
           "echo made > $r/etc/made-by-hook; hostname > $DATA/hostname"));
  edits["hooks"].push_back(
      {{"hookName", "startContainer"},
       {"path", "/bin/sh"},
       {"args", {"sh", "-c", "cat > /data/startContainer; echo startContainer >> /data/order"}},
       {"env", {"PATH=/bin"}}});
  specify("etc/a.json", edits);
  const Outcome outcome = run({"--name", "hooked", "--hostname", "inside"},
                              {"sh", "-c", "echo program >> /data/order; cat /etc/made-by-hook"});
  EXPECT_EQ("made\n", outcome.out) << outcome;
  EXPECT_EQ("inside\n", data("hostname"));
  must({"rm", "hooked"});
  // The poststart hook runs beside the program.
  std::string order = data("order");
  const std::string poststart = "poststart\n";
  ASSERT_THAT(order, HasSubstr(poststart));
  order.erase(order.find(poststart), poststart.size());
  EXPECT_EQ("prestart\ncreateRuntime\ncreateContainer\nstartContainer\nprogram\npoststop\n", order);
  const auto status = [](const std::string& name) {
    return json::parse(data(name), nullptr, false).value("status", "");
  };
  EXPECT_EQ("creating", status("createContainer"));
  EXPECT_EQ("created", status("startContainer"));
  EXPECT_EQ("running", status("poststart"));
  EXPECT_EQ("stopped", status("poststop"));
}

TEST_F(Cdi, EachStartHasItsHooks) {
  specify("etc/a.json", {{"hooks", json::array({hook("createContainer", "echo begin >> $DATA/order"),
                                                hook("poststop", "echo end >> $DATA/order")})}});
  run({"--name", "twice"}, {"true"});
  must({"start", "-a", "twice"});
  must({"rm", "twice"});
  EXPECT_EQ("begin\nend\nbegin\nend\n", data("order"));
}

TEST_F(Cdi, AHookThatFailsEndsTheStart) {
  specify("etc/a.json", {{"hooks", json::array({hook("createContainer", "echo no card here >&2; exit 3"),
                                                hook("poststop", "echo end > $DATA/end")})}});
  const Outcome outcome = run({"--name", "failed"}, {"sh", "-c", "echo ran"});
  EXPECT_EQ(125, outcome.code) << outcome;
  EXPECT_EQ("", outcome.out);
  EXPECT_THAT(outcome.err, HasSubstr("createContainer hook #0 '/bin/sh': exit status 3: no card here"));
  EXPECT_EQ("end\n", data("end"));
}

TEST_F(Cdi, WhatIsNowhereIsNamed) {
  const Outcome outcome = shell("true");
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("unresolvable CDI devices acme.com/test=card: no specification in "));
  spill(scratch("cdi/etc/bad.yaml"), "cdiVersion: 1.0.0\nkind: acme.com/test\ndevice: []\n");
  EXPECT_THAT(shell("true").err, HasSubstr("/cdi/etc/bad.yaml': device: unknown field"));
  specify("etc/a.json", {{"deviceNodes", json::array({{{"path", "/dev/nonexistent-card"}}})}});
  EXPECT_THAT(shell("true").err,
              HasSubstr("CDI device \"/dev/nonexistent-card\": '/dev/nonexistent-card': no such file"));
}

}  // namespace
}  // namespace fermata::e2e
