// What a caller may hand down without knowing: closed streams, ignored signals, a narrow umask, few
// descriptors.
#include <linux/netlink.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Surroundings : public EndToEnd {
 protected:
  // The command line under a shell that has done `preparation` first.
  static Outcome prepared(const std::string& preparation, const Arguments& arguments,
                          const RunOptions& options = {}) {
    Arguments shell{"sh", "-c", preparation + "; exec \"$@\"", "sh"};
    for (const auto& word : host().command(arguments)) shell.push_back(word);
    return run_program(shell, options);
  }
};

TEST_F(Surroundings, ClosedStandardStreams) {
  const Outcome outcome =
      prepared("exec 0<&- 1>&- 2>&-", {"run", "-d", "--name", "job", kProbeImage, "wait"});
  EXPECT_EQ("", outcome.out);
  ASSERT_TRUE(host().is_running("job"));
  EXPECT_EQ(3U, lines_of(inside("job", {"probe", "descriptors"})).size());
  EXPECT_TRUE(logs_show("job", "ready"));
  EXPECT_EQ(5, prepared("exec 0<&- 1>&- 2>&-", {"exec", "-i", "job", "probe", "exit", "5"}).code);
  EXPECT_EQ(6, prepared("exec 0<&- 2>&-", {"run", "--rm", "-i", kProbeImage, "exit", "6"}).code);
}

TEST_F(Surroundings, IgnoredAndBlockedSignalsStayOutside) {
  for (const Arguments& arguments :
       {Arguments{"run", "--rm", kProbeImage, "status"}, Arguments{"exec", "job", "probe", "status"}}) {
    if (arguments[0] == "exec") {
      ASSERT_TRUE(
          prepared("trap '' HUP INT TERM PIPE USR1", {"run", "-d", "--name", "job", kProbeImage, "wait"})
              .ok());
    }
    const Outcome outcome = prepared("trap '' HUP INT TERM PIPE USR1 QUIT", arguments);
    // SIGPIPE (bit 12) is the probe's own doing.
    EXPECT_THAT(outcome.out, HasSubstr("SigIgn:\t0000000000001000")) << arguments[0];
    EXPECT_THAT(outcome.out, HasSubstr("SigBlk:\t0000000000000000")) << arguments[0];
  }
  must({"stop", "job"});
  EXPECT_EQ("0", host().inspect("job", "{{.State.ExitCode}}")) << "its SIGTERM was ignored";
}

TEST_F(Surroundings, ANarrowUmaskHidesNothingInside) {
  const Outcome outcome =
      prepared("umask 077", {"run", "--rm", "-u", "1000", "-v", scratch("made") + ":/made", kBase, "sh", "-c",
                             "umask; ls / /dev/shm /dev/pts /etc/hosts /made && cat /etc/hosts "
                             "/etc/resolv.conf /etc/hostname > /dev/null && touch /tmp/mine && echo fine"});
  EXPECT_THAT(outcome.out, testing::EndsWith("fine\n")) << outcome;
  EXPECT_THAT(outcome.out, testing::StartsWith("0022\n"));
}

TEST_F(Surroundings, AWideUmaskOpensNothing) {
  ASSERT_TRUE(
      prepared("umask 000", {"run", "-d", "--name", "job", "-v", "/var/data", kProbeImage, "wait"}).ok());
  const Outcome found = run_program({"find", host().scope().root, host().scope().run_root, "-perm", "/022",
                                     "!", "-type", "l", "!", "-path", "*/layers/*", "!", "-type", "c"});
  EXPECT_EQ("", found.out) << "others may write here";
}

TEST_F(Surroundings, ADirectoryThatIsGone) {
  const Outcome outcome = prepared("mkdir " + scratch("gone") + "; cd " + scratch("gone") + "; rmdir ../gone",
                                   {"run", "--rm", kBase, "pwd"});
  EXPECT_EQ("/", outcome.line()) << outcome;
}

TEST_F(Surroundings, AnEmptyEnvironment) {
  Arguments command{"env", "-i"};
  for (const auto& word : host().command({"run", "--rm", kBase, "echo", "fine"})) command.push_back(word);
  EXPECT_EQ("fine", run_program(command).line());
}

TEST_F(Surroundings, FewDescriptors) {
  const Outcome outcome = prepared(
      "ulimit -Sn 40", {"run", "--rm", "-p", "0:80", "-v", "/var/data", kBase, "sh", "-c", "ulimit -Sn"});
  EXPECT_EQ(0, outcome.code) << outcome;
}

TEST_F(Surroundings, AProcessThatNobodyReads) {
  // The client's output is a pipe that is full: other commands and the pod are not held up.
  auto stuck = host().start({"run", "--rm", "--name", "job", kProbeImage, "pattern", "100000000"});
  EXPECT_TRUE(eventually([] { return fermata({"ps", "-q"}).out.size() > 5; }));
  EXPECT_EQ("ok", inside("job", {"echo", "ok"}));
  must({"kill", "job"});
  const Outcome outcome = stuck->wait();
  EXPECT_EQ(137, outcome.code);
}

TEST_F(Surroundings, TheCallersNamespacesAndLimitsDoNotMatterLater) {
  // A pod made by a caller that then went away, with its session and its terminal.
  auto terminal = std::make_unique<Background>(
      host().command({"run", "-d", "--name", "job", kProbeImage, "trap"}), Background::Streams::terminal);
  EXPECT_EQ(0, terminal->wait().code);
  terminal.reset();
  ASSERT_TRUE(logs_show("job", "ready"));
  EXPECT_THAT(fermata({"logs", "job"}).out, Not(HasSubstr("got 1"))) << "the terminal's hangup reached it";
  EXPECT_TRUE(host().is_running("job"));
}

// A kernel that is too old or was built without something: told by name, and nothing is left half made.
TEST_F(Surroundings, AKernelWithoutWhatIsNeededIsTold) {
  const auto without = [](int number, int error, int third) {
    Arguments command{kProbe, "without", std::to_string(number), std::to_string(error),
                      std::to_string(third)};
    for (const auto& word : host().command({"run", "--rm", kBase, "true"})) command.push_back(word);
    return run_program(command);
  };
  for (const int number : {SYS_fsopen, SYS_open_tree, SYS_mount_setattr, SYS_move_mount, SYS_pidfd_open,
                           SYS_clone3, SYS_openat2, SYS_seccomp, SYS_setns}) {
    const Outcome outcome = without(number, ENOSYS, -1);
    EXPECT_EQ(125, outcome.code) << number << ": " << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("this kernel lacks the system call (Linux 5.15 or later is needed)"))
        << number;
  }
  const Outcome outcome = without(SYS_socket, EPROTONOSUPPORT, NETLINK_NETFILTER);
  EXPECT_EQ(125, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("this kernel has no nf_tables"));
  EXPECT_EQ("", must({"ps", "-aq"}));
}

}  // namespace
}  // namespace fermata::e2e
