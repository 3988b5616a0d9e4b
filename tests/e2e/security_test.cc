// What a container may do, and what it must not see.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

// chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot,
// mknod, audit_write, setfcap: docker's fourteen.
constexpr const char* kDefaultCapabilities = "00000000a80425fb";

class Security : public EndToEnd {
 protected:
  // A line of the probe's `status`: field("CapEff", flags).
  static std::string field(const std::string& name, const Arguments& flags = {}) {
    const Outcome outcome = in_container(flags, {"probe", "status"});
    EXPECT_TRUE(outcome.ok()) << outcome;
    for (const auto& line : lines_of(outcome.out))
      if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return "";
  }
  static std::string attempt(const std::string& call, const Arguments& flags = {}) {
    return in_container(flags, {"probe", "try", call}).line();
  }
};

TEST_F(Security, CapabilitiesAreDockersFourteen) {
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) EXPECT_EQ(kDefaultCapabilities, field(set)) << set;
  EXPECT_EQ("0000000000000000", field("CapInh"));
  EXPECT_EQ("0000000000000000", field("CapAmb"));
}

TEST_F(Security, AnOrdinaryUserHasNone) {
  EXPECT_EQ("0000000000000000", field("CapEff", {"-u", "1000"}));
  EXPECT_EQ("0000000000000000", field("CapPrm", {"-u", "1000"}));
  EXPECT_EQ(kDefaultCapabilities, field("CapBnd", {"-u", "1000"}));
}

TEST_F(Security, CapabilitiesCanBeAddedAndDropped) {
  EXPECT_EQ("00000000a80435fb", field("CapEff", {"--cap-add", "NET_ADMIN"}));
  EXPECT_EQ("00000000a80435fb", field("CapEff", {"--cap-add", "cap_net_admin"}));
  EXPECT_EQ("00000000a80425fa", field("CapEff", {"--cap-drop", "CHOWN"}));
  EXPECT_EQ("0000000000000000", field("CapEff", {"--cap-drop", "ALL"}));
  EXPECT_EQ("0000000000000001", field("CapEff", {"--cap-drop", "ALL", "--cap-add", "CHOWN"}));
  const Outcome outcome = in_container({"--cap-add", "FLYING"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("FLYING"));
}

TEST_F(Security, SystemCallsAreFiltered) {
  EXPECT_EQ("2", field("Seccomp"));
  EXPECT_EQ("EPERM", attempt("bpf"));
  EXPECT_EQ("EPERM", attempt("kexec"));
  EXPECT_EQ("EPERM", attempt("reboot"));
  EXPECT_EQ("EPERM", attempt("mount"));
  EXPECT_EQ("EPERM", attempt("settime"));
  EXPECT_EQ("EPERM", attempt("sethostname"));
  EXPECT_EQ("ok", attempt("chown"));
}

TEST_F(Security, TheFilterCanBeLeftOut) {
  EXPECT_EQ("0", field("Seccomp", {"--security-opt", "seccomp=unconfined"}));
  EXPECT_EQ("EINVAL", attempt("reboot", {"--security-opt", "seccomp=unconfined", "--cap-add", "SYS_BOOT"}));
}

TEST_F(Security, AFilterOfTheUsersOwn) {
  spill(
      scratch("profile.json"),
      R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["fchown"], "action": "SCMP_ACT_ERRNO"}]})");
  EXPECT_EQ("EPERM", attempt("chown", {"--security-opt", "seccomp=" + scratch("profile.json")}));
  spill(scratch("profile.json"), "{broken");
  const Outcome outcome = in_container({"--security-opt", "seccomp=" + scratch("profile.json")}, {"true"});
  EXPECT_EQ(125, outcome.code);
}

TEST_F(Security, NoNewPrivilegesOnRequest) {
  EXPECT_EQ("0", field("NoNewPrivs"));
  EXPECT_EQ("1", field("NoNewPrivs", {"--security-opt", "no-new-privileges"}));
  EXPECT_EQ("1", field("NoNewPrivs", {"--security-opt", "no-new-privileges=true"}));
}

TEST_F(Security, PrivilegedHasEverythingTheHostHas) {
  EXPECT_EQ("0", field("Seccomp", {"--privileged"}));
  EXPECT_EQ("ok", attempt("mount", {"--privileged"}));
  const std::string list = in_container({"--privileged"}, {"ls", "/dev"}).out;
  EXPECT_THAT(list, HasSubstr("kmsg"));
  EXPECT_EQ(
      "ok",
      in_container({"--privileged"}, {"sh", "-c", "[ -w /proc/sys/kernel/domainname ] && echo ok"}).line());
}

TEST_F(Security, KernelPathsAreMaskedAndReadOnly) {
  for (const char* path : {"/proc/kcore", "/proc/keys", "/proc/timer_list"}) {
    if (!fs::exists(path)) continue;  // not built into this kernel
    EXPECT_EQ("0", in_container({}, {"sh", "-c", std::string("wc -c < ") + path}).line()) << path;
  }
  EXPECT_EQ("", in_container({}, {"sh", "-c", "ls /proc/acpi /sys/firmware 2>/dev/null | grep -v :"}).line());
  for (const char* path : {"/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/profiling"}) {
    const Outcome outcome = in_container({}, {"sh", "-c", std::string("echo x > ") + path});
    EXPECT_NE(0, outcome.code) << path;
    EXPECT_THAT(outcome.err,
                testing::AnyOf(HasSubstr("Read-only"), HasSubstr("ermission"), HasSubstr("nonexistent")));
  }
}

TEST_F(Security, AReadOnlyRootAndTmpfsOverIt) {
  const Outcome outcome =
      in_container({"--read-only", "--tmpfs", "/run/scratch:size=1m,mode=1777"},
                   {"sh", "-c", "echo x > /file; echo y > /run/scratch/file && cat /run/scratch/file"});
  EXPECT_EQ("y", outcome.line()) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("Read-only"));
  EXPECT_NE(0, in_container({"--tmpfs", "/run/scratch:size=1m"},
                            {"dd", "if=/dev/zero", "of=/run/scratch/x", "bs=1M", "count=3"})
                   .code);
}

TEST_F(Security, UsersByNameAndNumber) {
  const Arguments id{"sh", "-c", "id -u; id -g; id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' '"};
  EXPECT_EQ("1000\n1001\n29 44 1001 ", in_container({"-u", "web"}, id).out);
  EXPECT_EQ("1000\n1001\n29 44 1001 ", in_container({"-u", "1000"}, id).out);
  EXPECT_EQ("1000\n29\n29 ", in_container({"-u", "web:audio"}, id).out);
  EXPECT_EQ("4242\n0\n0 ", in_container({"-u", "4242"}, id).out);
  EXPECT_EQ("4242\n4343\n4343 ", in_container({"-u", "4242:4343"}, id).out);
  EXPECT_THAT(in_container({"-u", "web", "--group-add", "777"}, {"id", "-G"}).out, HasSubstr("777"));
  EXPECT_EQ("/home/user", in_container({"-u", "web"}, {"sh", "-c", "echo $HOME"}).line());
  const Outcome outcome = in_container({"-u", "stranger"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("stranger"));
}

TEST_F(Security, NoDescriptorOfTheEnginesIsInherited) {
  // The caller's own extra descriptors, too.
  Arguments shell{"sh", "-c", "exec 7</etc/hostname; exec \"$@\"", "sh"};
  for (const auto& word : host().command({"run", "--rm", kProbeImage, "descriptors"})) shell.push_back(word);
  const Outcome outcome = run_program(shell);
  EXPECT_EQ(3U, lines_of(outcome.out).size()) << outcome;
  start_probe("job", {}, {"wait"});
  EXPECT_EQ(3U, lines_of(inside("job", {"probe", "descriptors"})).size());
  const std::string directory = "/proc/" + std::to_string(host().pid_of("job")) + "/fd";
  EXPECT_EQ(3, std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST_F(Security, PauseHasNothingAndMayDoNothing) {
  must({"run", "-d", "--name", "pause", kPause});
  const std::string process = "/proc/" + std::to_string(host().pid_of("pause"));
  const std::string status = slurp(process + "/status");
  for (const char* line :
       {"Uid:\t65535\t65535\t65535\t65535", "Gid:\t65535\t65535\t65535\t65535", "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"})
    EXPECT_THAT(status, HasSubstr(line));
  EXPECT_EQ("pause\n", run_program({"ls", "-A", process + "/root"}).out);
  EXPECT_THAT(slurp(process + "/mountinfo"), testing::ContainsRegex(" / / ro,"));
  // -998 where that is permitted.
  const bool permitted = run_program({"sh", "-c", "echo -998 > /proc/self/oom_score_adj"}).ok();
  const std::string own = slurp("/proc/self/oom_score_adj");
  EXPECT_EQ(permitted ? "-998\n" : own, slurp(process + "/oom_score_adj"));
}

TEST_F(Security, TheProgramOfPauseCannotBeWritten) {
  must({"run", "-d", "--name", "pause", kPause});
  const std::string before = slurp(programs_directory() + "/pause");
  const Outcome outcome = fermata({"run", "--rm", "--pid=container:pause", "--net=container:pause",
                                   "--privileged", kProbeImage, "open-exe", "/proc/1/exe"});
  EXPECT_THAT(outcome.line(), testing::AnyOf("ETXTBSY", "EPERM", "EROFS", "EACCES")) << outcome;
  EXPECT_TRUE(before == slurp(programs_directory() + "/pause"));
}

TEST_F(Security, RunningAsProcSelfExeGivesNoHostProgram) {
  // CVE-2019-5736: the image's program is a link to /proc/self/exe, so that the engine's own init would run
  // inside.
  for (const char* path : {"/proc/self/exe", "/proc/1/exe"}) {
    const Outcome outcome = fermata({"run", "--rm", "--entrypoint", path, kBase, "x"});
    EXPECT_NE(0, outcome.code);
  }
  start_probe("job", {}, {"wait"});
  fermata({"exec", "job", "/proc/self/exe", "x"});
  EXPECT_TRUE(host().is_running("job"));
}

TEST_F(Security, TheEnginesProcessesAreNotDumpableFromInside) {
  start_probe("job", {"--pid=host"}, {"wait"});
  for (const auto& line : engine_processes(host().scope())) {
    if (!contains(line, "fermata-monitor")) continue;
    const std::string pid = line.substr(0, line.find(' '));
    EXPECT_NE("ok", inside("job", {"sh", "-c",
                                   "cat /proc/" + pid + "/environ >/dev/null 2>&1 && echo ok || echo no"}));
  }
}

TEST_F(Security, LinksInTheImageDoNotLeadOut) {
  // /proc, /dev and mount points that are links to the host's directories must be resolved inside the root.
  const std::string directory = scratch("evil");
  pack_base(directory, scratch("evil-base.tar"));
  fs::remove_all(directory + "/var/data");
  fs::create_symlink(scratch("outside"), directory + "/var/data");
  fs::create_symlink("../../../../../../../../tmp", directory + "/escape");
  fs::create_directories(scratch("outside"));
  ASSERT_TRUE(run_program({"tar", "-C", directory, "-cf", scratch("evil.tar"), "."}).ok());
  must({"import", scratch("evil.tar"), "e2e/evil:1"});
  spill(scratch("secret"), "secret");
  must({"run", "--rm", "-v", scratch("secret") + ":/var/data/file", "-v", scratch("secret") + ":/escape/file",
        "e2e/evil:1", "/bin/true"});
  EXPECT_TRUE(fs::is_empty(scratch("outside")));
  EXPECT_FALSE(fs::exists("/tmp/file"));
  must({"rmi", "e2e/evil:1"});
}

TEST_F(Security, ProcAndDevThatAreLinksAreRefused) {
  const std::string directory = scratch("evil2");
  pack_base(directory, scratch("evil2-base.tar"));
  fs::remove_all(directory + "/proc");
  fs::create_directories(scratch("outside2"));
  fs::create_symlink(scratch("outside2"), directory + "/proc");
  ASSERT_TRUE(run_program({"tar", "-C", directory, "-cf", scratch("evil2.tar"), "."}).ok());
  must({"import", scratch("evil2.tar"), "e2e/evil:2"});
  const Outcome outcome = fermata({"run", "--rm", "e2e/evil:2", "/bin/sh", "-c", "mount"});
  EXPECT_TRUE(fs::is_empty(scratch("outside2")));
  EXPECT_TRUE(outcome.code != 0 || contains(outcome.out, "proc on ")) << outcome;
  must({"rmi", "e2e/evil:2"});
}

TEST_F(Security, UserWritableHostFilesStayOutOfReach) {
  const std::string root = host().scope().root;
  struct stat status {};
  ASSERT_EQ(0, ::stat(root.c_str(), &status));
  EXPECT_EQ(0U, status.st_mode & 0022U) << "others can write to " << root;
  ASSERT_EQ(0, ::stat(host().scope().run_root.c_str(), &status));
  EXPECT_EQ(0U, status.st_mode & 0022U);
}

TEST_F(Security, DevicesAreThoseOfDocker) {
  const std::string list = in_container({}, {"ls", "/dev"}).out;
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue",
                           "fd", "stdin", "stdout", "stderr"})
    EXPECT_THAT(list, HasSubstr(name));
  EXPECT_THAT(list, Not(HasSubstr("vda")));
  EXPECT_THAT(list, Not(HasSubstr("kmsg")));
  const Outcome made = in_container({}, {"sh", "-c", "mknod /tmp/b b 1 0 && cat /tmp/b"});
  EXPECT_NE(0, made.code) << "a device of its own making must not open";
}

}  // namespace
}  // namespace fermata::e2e
