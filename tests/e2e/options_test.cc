// The flags of `run` that no other program covers.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

using Options = EndToEnd;

std::string host_namespace(const std::string& kind) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/ns/" + kind, error).string();
}

TEST_F(Options, NamespacesOfTheHost) {
  start_probe("job", {"--net=host", "--ipc=host", "--pid=host", "--uts=host"}, {"wait"});
  const auto seen = host().namespaces_of("job");
  for (const char* kind : {"net", "ipc", "pid", "uts"})
    EXPECT_EQ(host_namespace(kind), seen.at(kind)) << kind;
  EXPECT_NE(host_namespace("mnt"), seen.at("mnt"));
}

TEST_F(Options, NamespacesOfItsOwn) {
  start_probe("job", {}, {"wait"});
  const auto seen = host().namespaces_of("job");
  for (const char* kind : {"net", "ipc", "pid", "uts", "mnt"})
    EXPECT_NE(host_namespace(kind), seen.at(kind)) << kind;
  EXPECT_EQ(host_namespace("user"), seen.at("user"));
}

TEST_F(Options, NoIpcMeansNoSharedMemory) {
  EXPECT_THAT(in_container({"--ipc=none"}, {"cat", "/proc/mounts"}).out, Not(HasSubstr(" /dev/shm ")));
}

TEST_F(Options, TheKillsOfAHostPidContainerStayInItsGroup) {
  start_probe("job", {"--pid=host"}, {"orphans", "20"});
  EXPECT_EQ("0", must({"wait", "job"}));
  start_probe("group", {"--pid=host", "--entrypoint", "sh"},
              {"-c", "sleep 1000 & sleep 1000 & trap '' TERM; wait"});
  must({"rm", "-f", "group"});
  EXPECT_TRUE(eventually([] {
    for (const auto& line : engine_processes(host().scope()))
      if (contains(line, "sleep 1000")) return false;
    return true;
  }));
}

TEST_F(Options, TheCidFileIsWrittenOnce) {
  const std::string path = scratch("cid");
  ::unlink(path.c_str());
  const std::string id = must({"run", "-d", "--cidfile", path, kProbeImage, "wait"});
  EXPECT_EQ(id, slurp(path));
  EXPECT_EQ(125, fermata({"run", "-d", "--cidfile", path, kProbeImage, "wait"}).code);
  EXPECT_EQ(id, slurp(path));
}

TEST_F(Options, AnInitOfItsOwnIsRefusedWithTheWayOut) {
  const Outcome outcome = in_container({"--init"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("--pid=container:"));
}

TEST_F(Options, SysctlsOfItsNamespaces) {
  EXPECT_EQ(
      "777",
      in_container({"--sysctl", "net.core.somaxconn=777"}, {"cat", "/proc/sys/net/core/somaxconn"}).line());
  EXPECT_EQ("12345",
            in_container({"--sysctl", "kernel.msgmax=12345"}, {"cat", "/proc/sys/kernel/msgmax"}).line());
  const Outcome outcome = in_container({"--sysctl", "vm.swappiness=1"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("vm.swappiness"));
}

TEST_F(Options, DevicesOfTheHost) {
  ASSERT_EQ(0, ::access("/dev/kmsg", F_OK));
  EXPECT_EQ("ok",
            in_container({"--device", "/dev/kmsg:/dev/other"}, {"sh", "-c", "test -c /dev/other && echo ok"})
                .line());
  const Outcome outcome = in_container({"--device", "/dev/no-such"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("/dev/no-such"));
}

TEST_F(Options, TheWorkingDirectoryIsMade) {
  EXPECT_EQ("/new/place", in_container({"-w", "/new/place"}, {"pwd"}).line());
  EXPECT_EQ("root 755", in_container({"-w", "/new/place"}, {"stat", "-c", "%U %a", "/new/place"}).line());
}

TEST_F(Options, LogsCanBeOff) {
  must({"run", "--name", "quiet", "--log-driver", "none", kBase, "echo", "said"});
  const Outcome outcome = fermata({"logs", "quiet"});
  EXPECT_EQ(1, outcome.code) << outcome;
  EXPECT_NE("", outcome.err);
}

TEST_F(Options, LabelsFromAFile) {
  spill(scratch("labels"), "# comment\na=1\nb=two words\n");
  must({"create", "--name", "job", "--label-file", scratch("labels"), "-l", "a=2", kBase, "true"});
  EXPECT_EQ("2 two words", host().inspect("job", "{{.Config.Labels.a}} {{.Config.Labels.b}}"));
}

TEST_F(Options, AttachOnlyWhatIsAsked) {
  const Outcome outcome =
      fermata({"run", "--rm", "-a", "stderr", kBase, "sh", "-c", "echo out; echo err >&2; exit 4"});
  EXPECT_EQ("", outcome.out);
  EXPECT_EQ("err\n", outcome.err);
  EXPECT_EQ(4, outcome.code);
}

TEST_F(Options, FollowedLogsEndWithTheContainer) {
  start_probe("job", {}, {"trap"});
  auto following = host().start({"logs", "-f", "job"});
  ASSERT_TRUE(following->read_until("ready"));
  must({"stop", "job"});
  const Outcome outcome = following->wait(10);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ("ready\ngot 15\n", outcome.out);
}

TEST_F(Options, TheInspectOfAGroupSeesItsOwnKindAlone) {
  must({"create", "--name", "job", kBase, "true"});
  EXPECT_EQ("/job", must({"container", "inspect", "-f", "{{.Name}}", "job"}));
  EXPECT_EQ(kBase, must({"image", "inspect", "-f", "{{index .RepoTags 0}}", kBase}));
  Outcome outcome = fermata({"container", "inspect", kBase});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("No such container: " + kBase));
  outcome = fermata({"image", "inspect", "job"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("No such image: job"));
}

TEST_F(Options, ContainersAreListedByTimeAndPort) {
  must({"create", "--name", "one", kBase, "true"});
  must({"create", "--name", "two", "-p", "8080:80", kBase, "true"});
  must({"create", "--name", "three", "--expose", "90", kBase, "true"});
  const auto names = [](const std::string& filter) {
    return must({"ps", "-a", "--filter", filter, "--format", "{{.Names}}"});
  };
  EXPECT_EQ("one", names("before=two"));
  EXPECT_EQ("three", names("since=two"));
  EXPECT_EQ("two", names("expose=80"));
  EXPECT_EQ("three", names("expose=85-95/tcp"));
  const Outcome outcome = fermata({"ps", "--filter", "before=nobody"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("No such container: nobody"));
}

TEST_F(Options, SizesOfWhatWasWritten) {
  must({"run", "--name", "job", kBase, "sh", "-c", "head -c 5000 /dev/zero >/written"});
  EXPECT_EQ("5000", must({"inspect", "--size", "-f", "{{.SizeRw}}", "job"}));
  EXPECT_THAT(must({"ps", "-a", "--format", "{{.Size}}"}), MatchesRegex("5kB .virtual .*MB."));
  EXPECT_THAT(must({"ps", "-as"}), HasSubstr("5kB (virtual "));
  EXPECT_THAT(must({"ps", "-a", "--format", "json"}), HasSubstr("\"Size\":\"0B\""));
  EXPECT_THAT(must({"ps", "-a"}), Not(HasSubstr("SIZE")));
  EXPECT_EQ("5000", std::to_string(std::filesystem::file_size(
                        host().inspect("job", "{{.GraphDriver.Data.UpperDir}}") + "/written")));
}

TEST_F(Options, BindsAreShownAsTheyWereWritten) {
  must({"create", "--name", "job", "-v", "/etc:/a:ro,z", "--mount", "type=bind,source=/etc,target=/b", kBase,
        "true"});
  EXPECT_EQ("[/etc:/a:ro,z] /a:ro,z:false /b::true ",
            host().inspect("job",
                           "{{.HostConfig.Binds}} "
                           "{{range .Mounts}}{{.Destination}}:{{.Mode}}:{{.RW}} {{end}}"));
}

TEST_F(Options, TheSandboxKeyIsTheNetworkNamespace) {
  start_probe("job", {}, {"wait"});
  EXPECT_EQ(host().namespaces_of("job").at("net"),
            std::filesystem::read_symlink(host().inspect("job", "{{.NetworkSettings.SandboxKey}}")).string());
}

TEST_F(Options, InfoTellsTheMachine) {
  const std::string info = must({"info"});
  for (const char* part : {"Containers:", "Images:", "Kernel Version:", "Cgroup"})
    EXPECT_THAT(info, HasSubstr(part));
  EXPECT_THAT(must({"version"}), HasSubstr("ersion"));
}

}  // namespace
}  // namespace fermata::e2e
