// Standard streams: pipes, terminals, attaching, logs.
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

using Stdio = EndToEnd;
constexpr auto kTerminal = Background::Streams::terminal;

std::string binary_pattern(std::size_t size) {
  std::string result(size, '\0');
  unsigned state = 12345;
  for (char& byte : result) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return result;
}

TEST_F(Stdio, TenMegabytesOfBinaryGoThroughIntact) {
  const std::string data = binary_pattern(10 << 20);
  const Outcome outcome = fermata({"run", "--rm", "-i", kProbeImage, "copy"}, {.input = data, .seconds = 60});
  EXPECT_EQ(0, outcome.code);
  EXPECT_EQ(data.size(), outcome.out.size());
  EXPECT_TRUE(data == outcome.out) << "the bytes differ";
  EXPECT_EQ("copied 10485760\n", outcome.err);
}

TEST_F(Stdio, TenMegabytesGoThroughExec) {
  start_probe("job", {}, {"wait"});
  const std::string data = binary_pattern(10 << 20);
  const Outcome outcome = fermata({"exec", "-i", "job", "probe", "copy"}, {.input = data, .seconds = 60});
  EXPECT_EQ(0, outcome.code);
  EXPECT_TRUE(data == outcome.out) << "the bytes differ";
}

TEST_F(Stdio, WithoutInteractiveStdinIsEmpty) {
  const Outcome outcome = fermata({"run", "--rm", kBase, "cat"}, {.input = "not for you"});
  EXPECT_EQ(0, outcome.code);
  EXPECT_EQ("", outcome.out);
}

TEST_F(Stdio, TheEndOfStdinArrivesWhileOutputGoesOn) {
  const Outcome outcome =
      fermata({"run", "--rm", "-i", kBase, "sh", "-c", "cat; echo after the end; sleep 0.2; echo last"},
              {.input = "first\n"});
  EXPECT_EQ("first\nafter the end\nlast\n", outcome.out);
}

TEST_F(Stdio, AReaderThatStopsEarlyEndsTheCommand) {
  Arguments shell{"sh", "-c", "\"$@\" | head -c 1000 | wc -c", "sh"};
  for (const auto& word : host().command({"run", "--rm", kProbeImage, "pattern", "50000000"}))
    shell.push_back(word);
  const Outcome outcome = run_program(shell);
  EXPECT_EQ("1000", outcome.line());
}

TEST_F(Stdio, ATerminalIsOneForAllThreeStreams) {
  auto running = host().start({"run", "--rm", "-it", kProbeImage, "terminal"}, kTerminal);
  const Outcome outcome = running->wait();
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("tty 1 1 1"));
  EXPECT_THAT(outcome.out, HasSubstr("size 24 80"));
}

TEST_F(Stdio, WithoutTerminalThereIsNone) {
  EXPECT_THAT(must({"run", "--rm", "-i", kProbeImage, "terminal"}), HasSubstr("tty 0 0 0"));
}

TEST_F(Stdio, ATerminalIsRefusedWhereStdinIsNone) {
  const Outcome outcome = fermata({"run", "--rm", "-it", kBase, "true"});
  EXPECT_NE(0, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("TTY"));
}

TEST_F(Stdio, AShellOnATerminalWorks) {
  auto shell = host().start({"run", "--rm", "-it", kBase, "sh"}, kTerminal);
  shell->write("echo $((6*7))-answer\r");
  EXPECT_TRUE(shell->read_until("42-answer")) << shell->out();
  shell->write("\x03");  // ^C interrupts the line, not the client
  shell->write("exit 9\r");
  EXPECT_EQ(9, shell->wait().code);
}

TEST_F(Stdio, ResizingTheClientsTerminalResizesTheContainers) {
  auto running = host().start({"run", "--rm", "-it", kProbeImage, "watch-terminal"}, kTerminal);
  ASSERT_TRUE(running->read_until("ready")) << running->out();
  running->resize(40, 132);
  running->signal(SIGWINCH);
  EXPECT_TRUE(running->read_until("size 40 132")) << running->out();
  running->signal(SIGTERM);
  running->wait();
}

TEST_F(Stdio, ExecOnATerminal) {
  start_probe("job", {}, {"wait"});
  auto shell = host().start({"exec", "-it", "job", "sh"}, kTerminal);
  shell->write("tty; echo pid-$PPID; exit 3\r");
  const Outcome outcome = shell->wait();
  EXPECT_EQ(3, outcome.code) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/"));
}

TEST_F(Stdio, DetachKeysLeaveTheContainerRunning) {
  auto running = host().start({"run", "-it", "--name", "job", kBase, "sh"}, kTerminal);
  running->write("echo be$((1+1))fore\r");
  ASSERT_TRUE(running->read_until("be2fore")) << running->out();
  running->write("\x10\x11");  // ^P ^Q
  const Outcome detached = running->wait();
  EXPECT_EQ(0, detached.code) << detached;
  EXPECT_TRUE(host().is_running("job"));

  auto again = host().start({"attach", "job"}, kTerminal);
  again->write("echo af$((1+1))ter\r");
  EXPECT_TRUE(again->read_until("af2ter")) << again->out();
  again->write("exit 6\r");
  EXPECT_EQ(6, again->wait().code);
}

TEST_F(Stdio, DetachingFromAttachOrExecIsToldAsAFailure) {
  must({"run", "-dit", "--name", "job", kBase, "sh"});
  for (const Arguments& command : {Arguments{"attach", "job"}, {"exec", "-it", "job", "sh"}}) {
    auto running = host().start(command, kTerminal);
    running->write("echo be$((1+1))fore\r");
    ASSERT_TRUE(running->read_until("be2fore")) << running->out();
    running->write("\x10\x11");
    const Outcome detached = running->wait();
    EXPECT_EQ(1, detached.code) << detached;
    EXPECT_THAT(detached.out, HasSubstr("read escape sequence"));
  }
}

TEST_F(Stdio, WithNothingAttachedOnlyTheExitCodeIsTold) {
  const Outcome outcome = fermata({"run", "--rm", "-a", "stdin", kBase, "sh", "-c", "echo out; exit 5"});
  EXPECT_EQ(5, outcome.code) << outcome;
  EXPECT_EQ("", outcome.out);
}

TEST_F(Stdio, StdinOfACreatedContainerEndsWithItsClients) {
  must({"create", "-i", "--name", "job", kBase, "cat"});
  const Outcome outcome = fermata({"start", "-ai", "job"}, {.input = "x\n"});
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_EQ("x\n", outcome.out);
}

TEST_F(Stdio, StartAttachedJoinsWhatRunsAlready) {
  must({"run", "-d", "--name", "job", kBase, "sh", "-c", "sleep 1; echo late; exit 6"});
  const Outcome outcome = fermata({"start", "-a", "job"});
  EXPECT_EQ(6, outcome.code) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("late"));
}

TEST_F(Stdio, TheThirdRequestToEndLeavesADeafContainer) {
  auto running =
      host().start({"run", "--name", "job", kBase, "sh", "-c", "trap '' INT TERM; echo ready; sleep 1000"});
  ASSERT_TRUE(running->read_until("ready"));
  for (int i = 0; i < 3; ++i) {
    running->signal(SIGTERM);  // a parent in the background may have had SIGINT ignored
    ::usleep(50'000);
  }
  const Outcome outcome = running->wait();
  EXPECT_EQ(1, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("got 3 SIGTERM/SIGINTs, forcefully exiting"));
  EXPECT_TRUE(host().is_running("job"));
}

TEST_F(Stdio, TheClientsTerminalIsRestored) {
  auto shell = std::make_unique<Background>(Arguments{"sh"}, kTerminal);
  std::string command;
  for (const auto& word : host().command({"run", "--rm", "-it", kBase, "true"})) command += word + " ";
  shell->write("stty -a > " + scratch("before") + "; " + command + "; stty -a > " + scratch("after") +
               "; exit\r");
  shell->wait();
  EXPECT_FALSE(slurp(scratch("before")).empty());
  EXPECT_EQ(slurp(scratch("before")), slurp(scratch("after")));
}

TEST_F(Stdio, TwoClientsSeeTheSameOutput) {
  must({"run", "-d", "-i", "--name", "job", kProbeImage, "copy"});
  auto one = host().start({"attach", "job"});
  auto two = host().start({"attach", "--no-stdin", "job"});
  // Until both are attached a line may pass one of them by.
  EXPECT_TRUE(eventually([&] {
    one->write("tick\n");
    return one->read_until("tick", 0.1) && two->read_until("tick", 0.1);
  }));
}

TEST_F(Stdio, OutputWithoutANewlineIsKeptAsItWas) {
  must({"run", "--name", "partial", kBase, "sh", "-c", "printf abc; sleep 0.1; printf def"});
  EXPECT_EQ("abcdef", fermata({"logs", "partial"}).out);
}

TEST_F(Stdio, VeryLongLinesAreKept) {
  const std::string direct =
      must({"run", "--name", "long", kBase, "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x"});
  EXPECT_EQ(100000U, direct.size());
  EXPECT_EQ(direct, fermata({"logs", "long"}).out);
}

TEST_F(Stdio, BinaryOutputIsLoggedByteByByte) {
  const Outcome direct = fermata({"run", "--name", "binary", kProbeImage, "pattern", "300000"});
  EXPECT_EQ(300000U, direct.out.size());
  EXPECT_TRUE(direct.out == fermata({"logs", "binary"}).out);
}

TEST_F(Stdio, AReaderThatIsLateMissesNothing) {
  // The process has ended, and its pod with it, long before its output is read: the monitor used to go with
  // the rest.
  auto running = host().start({"run", "--rm", kProbeImage, "pattern", "700000"});
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const Outcome outcome = running->wait();
  EXPECT_EQ(0, outcome.code) << outcome.err;
  EXPECT_EQ(700000U, outcome.out.size());
}

TEST_F(Stdio, LogsRotateAndTheNewestStays) {
  must({"run", "--name", "chatty", "--log-opt", "max-size=64k", "--log-opt", "max-file=2", kBase, "sh", "-c",
        "i=0; while [ $i -lt 6000 ]; do echo line number $i of many; i=$((i+1)); done"},
       {.seconds = 60});
  const std::string path = host().inspect("chatty", "{{.LogPath}}");
  struct stat status {};
  ASSERT_EQ(0, ::stat(path.c_str(), &status)) << path;
  EXPECT_LT(status.st_size, 80 * 1024);
  EXPECT_EQ(0, ::stat((path + ".1").c_str(), &status));
  EXPECT_NE(0, ::stat((path + ".2").c_str(), &status));
  const auto lines = lines_of(fermata({"logs", "chatty"}).out);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ("line number 5999 of many", lines.back());
  EXPECT_EQ("line number 5990 of many\n", fermata({"logs", "--tail", "10", "chatty"}).out.substr(0, 25));
}

TEST_F(Stdio, AFullLogReaderDoesNotStopTheContainer) {
  // `logs -f` that nobody reads must not block the writer.
  must({"run", "-d", "--name", "job", kBase, "sh", "-c", "yes | head -c 3000000; touch /tmp/done; sleep 60"});
  auto stuck = host().start({"logs", "-f", "job"});
  EXPECT_TRUE(eventually([] { return fermata({"exec", "job", "ls", "/tmp/done"}).ok(); }, 20));
}

TEST_F(Stdio, StartAttachedShowsTheFirstBytes) {
  for (int i = 0; i < 10; ++i) {
    must({"create", "--name", "quick", kBase, "echo", "first bytes"});
    EXPECT_EQ("first bytes", must({"start", "-a", "quick"}));
    must({"rm", "quick"});
  }
}

}  // namespace
}  // namespace fermata::e2e
