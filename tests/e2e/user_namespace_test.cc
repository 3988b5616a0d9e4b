// Pods in user namespaces: who is who inside and on disk, and that nothing else is missing there.
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kFirst = 300000;  // of the host's ids
const Arguments kMapped = {"--uidmap", "0:300000:65536", "--gidmap", "0:400000:65536"};
constexpr auto kTerminal = Background::Streams::terminal;

Arguments mapped(const Arguments& more) {
  Arguments arguments = kMapped;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

uid_t owner(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(0, ::lstat(path.c_str(), &info)) << path;
  return info.st_uid;
}
gid_t group(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(0, ::lstat(path.c_str(), &info)) << path;
  return info.st_gid;
}

class UserNamespaces : public EndToEnd {
 protected:
  // Overlay mounts cannot be idmapped, nor those of tmpfs before Linux 6.3, and the virtual machine has
  // nothing else: there the engine works in an ext4 of its own. It goes with the mount namespace of the
  // test's host.
  static void SetUpTestSuite() {
    struct statfs info {};
    ASSERT_EQ(0, ::statfs("/tmp", &info));
    const bool may_map = info.f_type != OVERLAYFS_SUPER_MAGIC && info.f_type != TMPFS_MAGIC;
    if (::geteuid() != 0 || may_map) return;
    const std::string image = "/var/tmp/fe2e-mapped.img";
    ASSERT_TRUE(run_program({"truncate", "-s", "256M", image}).ok());
    ASSERT_TRUE(run_program({"/usr/sbin/mkfs.ext4", "-q", image}).ok());
    ASSERT_TRUE(run_program({"mount", "-o", "loop", image, "/tmp"}).ok());
    fs::permissions("/tmp", fs::perms(01777));
    fs::remove(image);
  }
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    directory_ = scratch("mapped");
    fs::create_directories(directory_);
  }
  void TearDown() override {
    EndToEnd::TearDown();
    fs::remove_all(directory_);
  }
  static void run_shell(const std::string& name, const Arguments& flags, const std::string& script) {
    Arguments arguments = {"run", "-d", "--name", name};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(), {kBase, "sh", "-c", script});
    must(arguments);
  }
  std::string directory_;
};

TEST_F(UserNamespaces, AreOffered) { EXPECT_EQ("true", must({"info", "--format", "{{.UserNamespaces}}"})); }

TEST_F(UserNamespaces, RootInsideIsAnotherOutside) {
  run_shell("web", mapped({"-h", "inside"}), "echo data > /tmp/file; echo up; exec sleep 1000");
  ASSERT_TRUE(logs_show("web", "up"));
  EXPECT_THAT(inside("web", {"cat", "/proc/self/uid_map"}), MatchesRegex(" +0 +300000 +65536"));
  EXPECT_THAT(inside("web", {"cat", "/proc/self/gid_map"}), MatchesRegex(" +0 +400000 +65536"));
  EXPECT_THAT(slurp("/proc/" + std::to_string(host().pid_of("web")) + "/status"),
              HasSubstr("\nUid:\t300000\t300000\t300000\t300000\n"));
  EXPECT_EQ("inside", inside("web", {"hostname"}));
  // The image's files are root's inside, and nobody's copies: on disk they are as they were.
  EXPECT_EQ("0:0", inside("web", {"stat", "-c", "%u:%g", "/bin/busybox"}));
  const std::string upper = must({"inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "web"});
  EXPECT_EQ(kFirst, owner(upper + "/tmp/file"));
  EXPECT_EQ(400000u, group(upper + "/tmp/file"));
  EXPECT_EQ("private", host().inspect("web", "{{.HostConfig.UsernsMode}}"));
  EXPECT_EQ("[0:300000:65536]", host().inspect("web", "{{.HostConfig.IDMappings.UidMap}}"));
  const auto namespaces = host().namespaces_of("web");
  struct stat own {};
  ASSERT_EQ(0, ::stat("/proc/self/ns/user", &own));
  EXPECT_EQ(namespaces.at("user").find(std::to_string(own.st_ino)), std::string::npos);
}

TEST_F(UserNamespaces, KernelFileSystemsAndDevicesAreThere) {
  const Outcome outcome = in_container(
      mapped({"--ipc=private"}),
      {"sh", "-c",
       "cat /proc/mounts; cat /sys/class/net/lo/mtu; echo x > /dev/null && head -c 2 /dev/zero | wc -c; "
       "touch /dev/shm/file && echo shared; stat -c %u /dev/shm; echo again > /dev/stdout; "
       "echo '10.9.8.7 other' >> /etc/hosts && grep -c other /etc/hosts; grep -c nameserver "
       "/etc/resolv.conf"});
  EXPECT_TRUE(outcome.ok()) << outcome;
  for (const char* text : {" /proc proc ", " /sys sysfs ", " /dev/pts devpts ", " /dev/mqueue mqueue ",
                           " /dev/shm tmpfs ", "65536\n2\nshared\n0\nagain\n1\n"})
    EXPECT_THAT(outcome.out, HasSubstr(text));
}

TEST_F(UserNamespaces, OtherUsersAreMappedToo) {
  const Outcome outcome = in_container(
      mapped({"--user", "1000:1001"}),
      {"sh", "-c", "id -u; id -g; touch /tmp/mine; stat -c %u /tmp/mine; echo out > /dev/stdout"});
  EXPECT_EQ("1000\n1001\n1000\nout\n", outcome.out) << outcome;
  const Outcome refused = fermata({"run", "--rm", "--uidmap", "0:300000:100", "--user", "1000", kBase, "id"});
  EXPECT_THAT(refused.err, HasSubstr("are the user and its groups mapped in the user namespace?"));
}

TEST_F(UserNamespaces, TerminalBelongsToTheContainer) {
  Arguments arguments = {"run", "--rm", "-t"};
  arguments.insert(arguments.end(), kMapped.begin(), kMapped.end());
  arguments.insert(arguments.end(), {kBase, "sh", "-c", "tty; stat -c %u:%g $(tty); echo x > /dev/console"});
  auto session = host().start(arguments, kTerminal);
  EXPECT_EQ(0, session->wait().code);
  EXPECT_THAT(session->out(), testing::ContainsRegex("/dev/pts/0\r+\n0:5\r+\n"));
  run_shell("web", kMapped, "exec sleep 1000");
  auto exec = host().start({"exec", "-t", "web", "sh", "-c", "stat -c %u:%g $(tty)"}, kTerminal);
  EXPECT_EQ(0, exec->wait().code);
  EXPECT_THAT(exec->out(), HasSubstr("0:5\r"));
}

TEST_F(UserNamespaces, VolumesKeepTheOwnersOfTheInside) {
  EXPECT_TRUE(in_container(mapped({"-v", "data:/data"}),
                           {"sh", "-c", "echo x > /data/root; touch /data/user; chown 7:8 /data/user"})
                  .ok());
  const std::string data = host().scope().root + "/volumes/data/_data";
  EXPECT_EQ(0u, owner(data + "/root"));
  EXPECT_EQ(7u, owner(data + "/user"));
  EXPECT_EQ(8u, group(data + "/user"));
  // So that pods of any mapping, or of none, share them.
  EXPECT_EQ("7", in_container({"-v", "data:/data"}, {"stat", "-c", "%u", "/data/user"}).line());
  EXPECT_EQ("7", in_container({"--uidmap", "0:500000:65536", "-v", "data:/data"},
                              {"stat", "-c", "%u", "/data/user"})
                     .line());
  fs::remove_all(host().scope().root + "/volumes/data");
}

TEST_F(UserNamespaces, BindsAreTheHostsUnlessAskedOtherwise) {
  spill(directory_ + "/file", "the host's\n");
  ::chmod((directory_ + "/file").c_str(), 0600);
  const Outcome plain = in_container(mapped({"-v", directory_ + ":/mnt"}),
                                     {"sh", "-c", "stat -c %u /mnt/file; cat /mnt/file; touch /mnt/new"});
  EXPECT_THAT(plain.out, testing::StartsWith("65534\n"));
  EXPECT_THAT(plain.err, HasSubstr("Permission denied"));
  for (const Arguments& flags :
       {Arguments{"-v", directory_ + ":/mnt:idmap"},
        Arguments{"--mount", "type=bind,source=" + directory_ + ",target=/mnt,idmap"}}) {
    const Outcome idmapped =
        in_container(mapped(flags), {"sh", "-c", "stat -c %u /mnt/file; cat /mnt/file; touch /mnt/new"});
    EXPECT_EQ("0\nthe host's\n", idmapped.out) << idmapped;
    EXPECT_EQ(0u, owner(directory_ + "/new"));
    fs::remove(directory_ + "/new");
  }
}

TEST_F(UserNamespaces, CommandsAreExecuted) {
  run_shell("web", kMapped, "exec sleep 1000");
  EXPECT_EQ("0", inside("web", {"id", "-u"}));
  EXPECT_EQ("1000\nagain",
            must({"exec", "--user", "1000", "web", "sh", "-c", "id -u; echo again > /dev/stdout"}));
  EXPECT_EQ(7, fermata({"exec", "web", "sh", "-c", "exit 7"}).code);
  const Outcome late = fermata(
      {"exec", "--timeout", scaled_flag(0.3), "web", "sh", "-c", "sleep 1001 & (sleep 1002 &); sleep 1003"});
  EXPECT_FALSE(late.ok());
  EXPECT_THAT(late.err, HasSubstr("did not end within " + scaled_flag(0.3)));
  EXPECT_THAT(inside("web", {"ps"}), Not(HasSubstr("sleep 100[1-3]")));
  // The supervisor cannot be looked into, whatever the command may do.
  const Outcome look = fermata(
      {"exec", "--privileged", "web", "sh", "-c", "cat /proc/$PPID/comm; id -u; cat /proc/$PPID/environ"});
  EXPECT_THAT(look.out, HasSubstr("fermata-exec\n0\n"));
  EXPECT_THAT(look.err, HasSubstr("Permission denied"));
}

TEST_F(UserNamespaces, NetworkIsItsOwn) {
  const int port = free_port();
  run_shell("web",
            mapped({"-p", std::to_string(port) + ":80", "--sysctl", "net.ipv4.ip_unprivileged_port_start=70",
                    "--sysctl", "kernel.msgmax=5001", "--domainname", "example.org", "-h", "web"}),
            "echo hello > /tmp/index.html; cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
            "/proc/sys/kernel/msgmax /proc/sys/kernel/domainname; exec httpd -f -p 80 -h /tmp");
  EXPECT_TRUE(logs_show("web", "70"));
  EXPECT_TRUE(logs_show("web", "5001"));
  EXPECT_TRUE(logs_show("web", "example.org"));
  EXPECT_EQ("hello\n", http_soon("127.0.0.1", port));
  EXPECT_THAT(inside("web", {"ping", "-c", "1", "127.0.0.1"}), HasSubstr("1 packets received"));
}

TEST_F(UserNamespaces, WhoJoinsThePodSharesIt) {
  must({"run", "-d", "--name", "infra", "--uidmap", "0:300000:65536", kPause});
  Arguments joined = {"--net=container:infra", "--ipc=container:infra", "--pid=container:infra"};
  const Outcome outcome = in_container(
      joined, {"sh", "-c", "cat /proc/self/uid_map; grep Uid /proc/1/status; touch /dev/shm/x; ps"});
  EXPECT_THAT(outcome.out, HasSubstr("0     300000      65536\nUid:\t65535\t65535"));
  EXPECT_THAT(outcome.out, HasSubstr("/pause"));
  EXPECT_TRUE(outcome.ok()) << outcome;
  EXPECT_THAT(in_container({"--net=container:infra"}, {"cat", "/proc/self/uid_map"}).out,
              HasSubstr("300000"));
  joined.insert(joined.end(), kMapped.begin(), kMapped.end());
  EXPECT_THAT(in_container(joined, {"true"}).err, HasSubstr("set it on 'infra'"));
}

TEST_F(UserNamespaces, ComesBackAsItWas) {
  run_shell("web", kMapped, "echo $(cat /tmp/runs) . > /tmp/runs; exec sleep 1000");
  must({"restart", "-t", "0", "web"});
  EXPECT_EQ(". .", inside("web", {"cat", "/tmp/runs"}));
  EXPECT_THAT(inside("web", {"cat", "/proc/self/uid_map"}), HasSubstr("300000"));
  must({"pause", "web"});
  must({"unpause", "web"});
}

TEST_F(UserNamespaces, PrivilegesEndAtItsBorder) {
  const Outcome outcome =
      in_container(mapped({"--privileged", "--device", "/dev/zero:/dev/nothing"}),
                   {"sh", "-c",
                    "mount -t tmpfs tmpfs /tmp && echo mounted; mknod /tmp/null c 1 3 || echo no node; "
                    "head -c 3 /dev/nothing | wc -c; echo 1 > /proc/sys/vm/drop_caches || echo no sysctl"});
  EXPECT_EQ("mounted\nno node\n3\nno sysctl\n", outcome.out) << outcome;
}

TEST_F(UserNamespaces, WhatBelongsToTheHostIsRefused) {
  for (const char* flag : {"--net=host", "--pid=host", "--ipc=host"})
    EXPECT_THAT(in_container(mapped({flag}), {"true"}).err, HasSubstr("conflicting options")) << flag;
  EXPECT_THAT(in_container({"--userns=keep-id"}, {"true"}).err, HasSubstr("there are 'host', 'auto'"));
  EXPECT_THAT(in_container({"--uidmap", "0-1"}, {"true"}).err, HasSubstr("CONTAINER:HOST:SIZE"));
  EXPECT_THAT(in_container({"--uidmap", "1:1:5"}, {"true"}).err, HasSubstr("user 0 must be mapped"));
}

TEST_F(UserNamespaces, AutoChoosesIdsThatNobodyElseHas) {
  // The test's host has mounts of its own.
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    spill(directory_ + "/ids", "somebody:100000:65536\ncontainers:600000:131072\n");
    ASSERT_TRUE(run_program({"mount", "--bind", directory_ + "/ids", file}).ok());
  }
  run_shell("one", {"--userns=auto"}, "exec sleep 1000");
  run_shell("two", {"--userns=auto"}, "exec sleep 1000");
  EXPECT_EQ("[0:600000:65536]", host().inspect("one", "{{.HostConfig.IDMappings.UidMap}}"));
  EXPECT_EQ("[0:665536:65536]", host().inspect("two", "{{.HostConfig.IDMappings.GidMap}}"));
  EXPECT_THAT(in_container({"--userns=auto"}, {"true"}).err, HasSubstr("no 65536 in a row are free"));
  must({"rm", "-f", "one"});
  EXPECT_THAT(in_container({"--userns=auto"}, {"cat", "/proc/self/uid_map"}).out, HasSubstr("600000"));
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) EXPECT_TRUE(run_program({"umount", file}).ok());
  EXPECT_THAT(in_container({"--userns=auto"}, {"true"}).err, HasSubstr("add a line such as"));
}

}  // namespace
}  // namespace fermata::e2e
