// fermata-monitor by itself, with a stand-in for fermata-init.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "kernel/support/stand_in_init.h"
#include "kernel/support/test_monitor.h"

namespace fermata::test {
namespace {

using pod::StreamSelection;
using Lines = std::vector<std::string>;

constexpr StreamSelection kAll{.stdin_ = true, .stdout_ = true, .stderr_ = true};
constexpr StreamSelection kOutput{.stdout_ = true, .stderr_ = true};

ino_t inode(int fd) {
  struct stat info = {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return info.st_ino;
}
ino_t inode(const char* path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path, &info), 0);
  return info.st_ino;
}
std::string process_file(int pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}
std::uint64_t pss_kb(int pid) {
  const std::string text = read_file(process_file(pid, "smaps_rollup")).value_or("");
  const auto at = text.find("\nPss:");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 5, nullptr, 10);
}

TEST_F(MonitorTest, HasACharacterOfItsOwn) {
  auto client = connect();
  EXPECT_EQ(client.hello().value(), monitor::kProtocolVersion);
  EXPECT_EQ(trim(read_file(process_file(monitor_pid_, "comm")).value()), "fermata-monitor");
  const std::string status = read_file(process_file(monitor_pid_, "status")).value();
  EXPECT_EQ(status.find("\nPPid:\t" + std::to_string(::getpid()) + "\n"), std::string::npos);
  EXPECT_NE(status.find("\nThreads:\t1\n"), std::string::npos);
  EXPECT_EQ(std::filesystem::read_symlink(process_file(monitor_pid_, "cwd")), "/");
  int sockets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(process_file(monitor_pid_, "fd")))
    sockets += std::stoi(entry.path().filename()) > 2 ? 1 : 0;
  EXPECT_LE(sockets, 5);  // listener, epoll, signalfd, clients
}

TEST_F(MonitorTest, NamespacesAreItsOwnAndTheHostSeesNoMount) {
  const std::string before = read_file("/proc/self/mountinfo").value();
  auto client = connect();
  const auto made = client.setup(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, 1 << 20, "pod-name");
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(read_file("/proc/self/mountinfo").value(), before);
  EXPECT_EQ(read_file(process_file(monitor_pid_, "mountinfo")).value(), before);
  EXPECT_NE(inode(made->net.get()), inode("/proc/self/ns/net"));
  EXPECT_NE(inode(made->ipc.get()), inode("/proc/self/ns/ipc"));
  EXPECT_NE(inode(made->uts.get()), inode("/proc/self/ns/uts"));
  EXPECT_NE(inode(made->mount.get()), inode("/proc/self/ns/mnt"));
  EXPECT_EQ(inode(process_file(monitor_pid_, "ns/mnt").c_str()), inode("/proc/self/ns/mnt"));
  const auto again = client.namespaces();
  ASSERT_TRUE(again);
  EXPECT_EQ(inode(again->mount.get()), inode(made->mount.get()));
  EXPECT_TRUE(client.setup(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, 1 << 20, "pod-name"));
  EXPECT_FALSE(client.setup(CLONE_NEWNET, 1 << 20, ""));

  const pid_t child = ::fork();
  if (child == 0) {
    char name[64] = {};
    struct stat shm = {};
    const bool inside =
        ::setns(made->uts.get(), CLONE_NEWUTS) == 0 && ::setns(made->mount.get(), CLONE_NEWNS) == 0;
    const bool named = ::gethostname(name, sizeof name) == 0 && std::strcmp(name, "pod-name") == 0;
    const bool shared = ::stat("/shm", &shm) == 0 && (shm.st_mode & 07777) == 01777;
    ::_exit(!inside ? 1 : !named ? 2 : !shared ? 3 : ::access("/proc", F_OK) == 0 ? 4 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(MonitorTest, AWaitForAProcessThatDoesNotEndHasALimit) {
  launch("endless", "exec sleep 1000");
  auto client = connect();
  const auto ended = client.wait_killed("endless", std::chrono::milliseconds(50));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind(), ErrorKind::unavailable);
  EXPECT_FALSE(client.list());  // the late answer must not be taken for this one's
  auto again = connect();
  ASSERT_TRUE(again.signal("endless", SIGKILL));
  EXPECT_EQ(again.wait_killed("endless").value().exit_code, 128 + SIGKILL);
  EXPECT_TRUE(again.list());
}

TEST_F(MonitorTest, ExitCodesAndSignals) {
  const auto reply = launch("code", "exit 7");
  EXPECT_EQ(reply.error, 0);
  EXPECT_GT(reply.pid, 0);
  const auto ended = wait("code");
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_EQ(ended.pid, 0);
  EXPECT_LE(ended.started, ended.finished);
  const std::string file = read_file(directory("code") + "/exit").value();
  EXPECT_EQ(file, "7 0 " + std::to_string(ended.started) + " " + std::to_string(ended.finished) + "\n");

  launch("killed", "exec sleep 1000");
  auto client = connect();
  EXPECT_EQ(client.list().value().size(), 2u);
  ASSERT_TRUE(client.signal("killed", SIGTERM));
  EXPECT_EQ(client.wait("killed").value().exit_code, 128 + SIGTERM);
  EXPECT_EQ(client.signal("killed", SIGTERM).error().error_number(), ESRCH);
  EXPECT_EQ(client.wait("nobody").error().error_number(), ESRCH);
  EXPECT_TRUE(client.forget("killed"));
  EXPECT_TRUE(client.forget("killed"));
  EXPECT_EQ(client.list().value().size(), 1u);
}

TEST_F(MonitorTest, FailedLaunchesNameTheirStep) {
  auto failed = launch("x", "#fail 17 2\n");
  EXPECT_EQ(failed.error, ENOENT);
  EXPECT_EQ(failed.op_index, 17u);
  EXPECT_EQ(failed.stage, monitor::Stage::init);
  EXPECT_FALSE(std::filesystem::exists(directory("x") + "/exit"));
  // The name is free at once.
  EXPECT_EQ(launch("x", "#die\n").error, ECHILD);
  EXPECT_EQ(launch("x", "exit 0").error, 0);
  EXPECT_EQ(launch("x", "exit 0").error, EEXIST);
  auto wanted = request("y", "exit 0");
  wanted.slots = {0};
  wanted.plan = "#slots\nexit 3";
  EXPECT_EQ(connect().launch(wanted, {})->reply.error, 0);
  EXPECT_EQ(wait("y").exit_code, 3);
  wanted.id = wanted.container = "z";
  const UniqueFd null = open_file("/dev/null", O_RDONLY).value();
  wanted.init_program = null.get();
  const auto reply = connect().launch(wanted, {})->reply;
  EXPECT_EQ(reply.error, EACCES);
  EXPECT_EQ(reply.stage, monitor::Stage::init);
}

TEST_F(MonitorTest, LogsBothStreams) {
  launch("c", "echo out; echo err >&2; sleep 0.05; printf 'no newline'");
  wait("c");
  EXPECT_EQ(log("c").size(), 3u);
  EXPECT_EQ(log("c").back(), "stdout P no newline");
}

TEST_F(MonitorTest, RotatedLogsAreWhole) {
  auto wanted = request("c", "i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; i=$((i+1)); done");
  wanted.log_size = 20000;
  wanted.log_files = 40;
  ASSERT_EQ(connect().launch(wanted, {})->reply.error, 0);
  wait("c");
  Lines all;
  for (int i = 39; i >= 0; --i)
    for (auto& line : log("c", i == 0 ? "log" : "log." + std::to_string(i))) all.push_back(line);
  ASSERT_EQ(all.size(), 5000u);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], "stdout F line " + std::to_string(i));
}

TEST_F(MonitorTest, AnOrphanDoesNotHoldTheEnd) {
  launch("c", "sleep 1000 & echo $! ; exit 5");
  EXPECT_EQ(wait("c").exit_code, 5);
  const auto lines = log("c");
  ASSERT_EQ(lines.size(), 1u);
  ::kill(std::stoi(lines[0].substr(9)), SIGKILL);
}

TEST_F(MonitorTest, SessionCarriesAllStreams) {
  auto wanted = request("c", "echo started >&2; cat; exit 3");
  wanted.flags = monitor::kStdinOpen | monitor::kStdinOnce;
  auto client = connect();
  auto outcome = client.launch(wanted, kAll);
  ASSERT_TRUE(outcome && outcome->session) << outcome->reply.error;
  std::string text;
  for (int i = 0; i < 30000; ++i) text += std::to_string(i) + "\n";
  std::thread writer([&] {
    EXPECT_TRUE(outcome->session->write_stdin(text));
    EXPECT_TRUE(outcome->session->close_stdin());
  });
  const Heard heard = listen(*outcome->session);
  writer.join();
  EXPECT_EQ(heard.output, text);
  EXPECT_EQ(heard.errors, "started\n");
  EXPECT_EQ(heard.exit_code, 3);
  EXPECT_EQ(log("c").size(), 30001u);
}

TEST_F(MonitorTest, ManyClientsAttachAndDetach) {
  auto wanted =
      request("c", "while read line; do echo \"got $line\"; [ \"$line\" = end ] && exit 0; done; exit 9");
  wanted.flags = monitor::kStdinOpen;
  ASSERT_EQ(connect().launch(wanted, {})->reply.error, 0);
  auto first = connect().attach("c", kAll).value();
  auto second = connect().attach("c", kOutput).value();
  {
    auto third = connect().attach("c", kAll).value();
    ASSERT_TRUE(third->write_stdin("one\n"));
    EXPECT_EQ(third->read().value().data, "got one\n");
    ASSERT_TRUE(third->close_stdin());
  }
  // Stdin is still open: it is not kStdinOnce.
  ASSERT_TRUE(first->write_stdin("end\n"));
  EXPECT_EQ(listen(*first).output, "got one\ngot end\n");
  const Heard heard = listen(*second);
  EXPECT_EQ(heard.output, "got one\ngot end\n");
  EXPECT_EQ(heard.exit_code, 0);
  EXPECT_EQ(connect().attach("c", kOutput).error().error_number(), ESRCH);
}

TEST_F(MonitorTest, TerminalWithResize) {
  // The stand-in for init leaves the first size to the monitor and does not wait for it.
  auto wanted = request("c",
                        "#console\nwhile test \"$(stty size)\" = '0 0'; do :; done; stty size; read line; "
                        "stty size; echo \"<$line>\"");
  wanted.flags = monitor::kTerminal | monitor::kStdinOpen;
  auto client = connect();
  StreamSelection streams = kAll;
  streams.rows = 33;
  streams.columns = 101;
  auto outcome = client.launch(wanted, streams);
  ASSERT_TRUE(outcome && outcome->session);
  EXPECT_EQ(outcome->session->read().value().data, "33 101\r\n");
  ASSERT_TRUE(outcome->session->resize(44, 102));
  ASSERT_TRUE(outcome->session->write_stdin("hey\n"));
  const Heard heard = listen(*outcome->session);
  EXPECT_NE(heard.output.find("44 102\r\n"), std::string::npos) << heard.output;
  EXPECT_NE(heard.output.find("<hey>\r\n"), std::string::npos);
  EXPECT_EQ(heard.exit_code, 0);
}

TEST_F(MonitorTest, ASlowClientHoldsOnlyItsContainer) {
  auto wanted = request("slow", "head -c 3000000 /dev/zero | tr '\\0' x; exit 4");
  wanted.log_enabled = false;
  auto client = connect();
  auto outcome = client.launch(wanted, kOutput);
  ASSERT_TRUE(outcome && outcome->session);
  // The others live on.
  launch("other", "echo fine");
  EXPECT_EQ(wait("other").exit_code, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto processes = connect().list().value();
  EXPECT_EQ(processes.size(), 2u);
  for (const auto& process : processes)
    EXPECT_TRUE(std::string(process.id) != "slow" || process.exit_code == -1);
  EXPECT_LE(pss_kb(monitor_pid_), 1000u);
  const Heard heard = listen(*outcome->session);
  EXPECT_EQ(heard.output.size(), 3000000u);
  EXPECT_EQ(heard.exit_code, 4);
}

TEST_F(MonitorTest, AClientThatLeavesHoldsNothing) {
  auto wanted = request("c", "head -c 3000000 /dev/zero; exit 4");
  wanted.log_enabled = false;
  {
    auto client = connect();
    auto outcome = client.launch(wanted, kOutput);
    ASSERT_TRUE(outcome && outcome->session);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(wait("c").exit_code, 4);
}

TEST_F(MonitorTest, ExecSessionsLeaveNoRecord) {
  launch("c", "exec sleep 1000");
  auto wanted = request("session", "cat; exit 6");
  wanted.container = "c";
  wanted.flags = monitor::kExec | monitor::kStdinOpen;
  wanted.directory = -1;
  wanted.log_enabled = false;
  {
    auto client = connect();
    auto outcome = client.launch(wanted, kAll);
    ASSERT_TRUE(outcome && outcome->session) << outcome->reply.error;
    ASSERT_TRUE(outcome->session->write_stdin("hello"));
    ASSERT_TRUE(outcome->session->close_stdin());
    const Heard heard = listen(*outcome->session);
    EXPECT_EQ(heard.output, "hello");
    EXPECT_EQ(heard.exit_code, 6);
  }
  EXPECT_EQ(connect().list().value().size(), 1u);
  // Detached, and asked for its end by who launched it.
  wanted.plan = "exit 8";
  wanted.flags = monitor::kExec;
  auto client = connect();
  ASSERT_EQ(client.launch(wanted, {})->reply.error, 0);
  EXPECT_EQ(client.wait("session").value().exit_code, 8);
  EXPECT_EQ(client.list().value().size(), 1u);
}

// Exec sessions under a supervisor: a directory stands for the container's cgroup.
class SupervisedExec : public MonitorTest {
 protected:
  void SetUp() override {
    MonitorTest::SetUp();
    container_ = path_ + "/cgroup";
    std::filesystem::create_directories(group());
    container_fd_ = open_file(container_, O_RDONLY | O_DIRECTORY).value();
    std::ofstream(group() + "/cgroup.kill");
  }
  std::string group() const { return container_ + "/exec-session"; }
  pod::LaunchRequest supervised(const std::string& script) {
    auto wanted = request("session", script);
    wanted.container = "c";
    wanted.flags = monitor::kExec;
    wanted.directory = -1;
    wanted.log_enabled = false;
    wanted.exec_group = container_fd_.get();
    return wanted;
  }
  // A real group is empty for rmdir(2) although it has files.
  void make_removable() const { std::filesystem::remove(group() + "/cgroup.kill"); }

  std::string container_;
  UniqueFd container_fd_;
};

TEST_F(SupervisedExec, TellsTheCommandsPidAndExitCodeAndRemovesTheGroup) {
  make_removable();
  auto wanted = supervised("#supervise\necho $$; exit 125");
  wanted.flags |= monitor::kReportPids;
  auto client = connect();
  auto outcome = client.launch(wanted, kOutput);
  ASSERT_TRUE(outcome && outcome->session) << outcome->reply.error;
  EXPECT_EQ(outcome->reply.value, 77);
  const Heard heard = listen(*outcome->session);
  EXPECT_EQ(heard.output, std::to_string(outcome->reply.pid) + "\n");
  EXPECT_EQ(heard.exit_code, 125);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(group()); }));
  EXPECT_EQ(connect().list().value().size(), 0u);
}

TEST_F(SupervisedExec, AFailedOneIsReportedAndItsGroupRemoved) {
  make_removable();
  const auto reply = connect().launch(supervised("#fail 7 2\n"), {})->reply;
  EXPECT_EQ(reply.error, ENOENT);
  EXPECT_EQ(reply.op_index, 7u);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(group()); }));
  EXPECT_EQ(connect().launch(supervised("#die\n"), {})->reply.error, ECHILD);
}

TEST_F(SupervisedExec, SignalsReachTheCommandAndAnOrderAllOfIt) {
  auto client = connect();
  auto outcome = client.launch(
      supervised("#supervise\ntrap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"), kOutput);
  ASSERT_TRUE(outcome && outcome->session);
  EXPECT_EQ(outcome->session->read().value().data, "up\n");
  ASSERT_TRUE(connect().signal("session", SIGTERM));
  EXPECT_EQ(listen(*outcome->session).exit_code, 9);

  client = connect();
  ASSERT_EQ(client.launch(supervised("#supervise\ntrap '' TERM; sleep 1000"), {})->reply.error, 0);
  ASSERT_TRUE(client.kill_group("session"));
  ASSERT_TRUE(client.kill_group("session"));
  const auto ended = client.wait("session").value();
  EXPECT_EQ(ended.exit_code, 137);
  EXPECT_EQ(ended.flags & monitor::kTimedOut, 0u);
  EXPECT_EQ(client.kill_group("session").error().error_number(), ESRCH);
  EXPECT_EQ(read_file(group() + "/cgroup.kill").value(), "");  // the supervisor has done it

  launch("c", "exec sleep 1000");
  EXPECT_EQ(client.kill_group("c").error().error_number(), EOPNOTSUPP);
}

TEST_F(SupervisedExec, ItsTimeIsLimited) {
  auto wanted = supervised("#supervise\nexec sleep 1000");
  wanted.timeout_ms = 50;
  auto client = connect();
  auto outcome = client.launch(wanted, kOutput);
  ASSERT_TRUE(outcome && outcome->session);
  const auto last = outcome->session->read().value();
  EXPECT_EQ(last.exit_code, 137);
  EXPECT_TRUE(last.timed_out);
  // Nobody need be there to see it, and what ends in time has not timed out.
  client = connect();
  ASSERT_EQ(client.launch(wanted, {})->reply.error, 0);
  EXPECT_NE(client.wait("session").value().flags & monitor::kTimedOut, 0u);
  wanted.plan = "#supervise\nexit 4";
  wanted.timeout_ms = 60'000;
  ASSERT_EQ(client.launch(wanted, {})->reply.error, 0);
  const auto in_time = client.wait("session").value();
  EXPECT_EQ(in_time.exit_code, 4);
  EXPECT_EQ(in_time.flags & monitor::kTimedOut, 0u);
}

TEST_F(SupervisedExec, WhatASupervisorDoesNotDoTheMonitorDoes) {
  auto wanted = supervised("#deaf\nexec sleep 1000");
  wanted.timeout_ms = 10;
  auto client = connect();
  ASSERT_EQ(client.launch(wanted, {})->reply.error, 0);
  const auto ended = client.wait("session").value();  // killed with the supervisor
  EXPECT_EQ(ended.exit_code, 137);
  EXPECT_EQ(read_file(group() + "/cgroup.kill").value(), "1");
}

TEST_F(MonitorTest, OnePidNamespaceForTwo) {
  const auto first = launch("first", "exec sleep 1000", monitor::kNewPid);
  ASSERT_EQ(first.error, 0);
  const UniqueFd pid_namespace = open_file(process_file(first.pid, "ns/pid"), O_RDONLY).value();
  auto wanted = request("second", "echo $$; exec sleep 1000");
  wanted.pid_namespace = pid_namespace.get();
  wanted.flags = monitor::kReportPids;
  const auto second = connect().launch(wanted, {})->reply;
  ASSERT_EQ(second.error, 0);
  EXPECT_EQ(second.value, 2);
  EXPECT_EQ(inode(process_file(second.pid, "ns/pid").c_str()), inode(pid_namespace.get()));
  // Ours are still made in ours.
  const auto third = launch("third", "exit 0");
  wait("third");
  EXPECT_EQ(third.error, 0);
  ASSERT_TRUE(eventually([&] { return !log("second").empty(); }));
  EXPECT_EQ(log("second")[0], "stdout F 2");
  // The end of a namespace's first process is the end of all in it.
  ASSERT_TRUE(connect().signal("first", SIGKILL));
  EXPECT_EQ(wait("second").exit_code, 128 + SIGKILL);
  EXPECT_EQ(wait("first").exit_code, 128 + SIGKILL);
}

class EventCommand : public MonitorTest {
 protected:
  void SetUp() override {
    MonitorTest::SetUp();
    char name[] = "/tmp/fermata-events-XXXXXX";
    events_ = ::mkdtemp(name);
  }
  ~EventCommand() override { std::filesystem::remove_all(events_); }

  void start_counting(const std::string& more = "true") {
    start({"/bin/sh", "-c", "echo run >> " + events_ + "/runs; " + more});
  }
  std::size_t runs() const { return split(read_file(events_ + "/runs").value_or(""), '\n').size() - 1; }
  // So long that one that was started has been seen.
  std::size_t runs_later() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return runs();
  }
  void kill(const std::string& id) {
    auto client = connect();
    ASSERT_TRUE(client.signal(id, SIGKILL));
    EXPECT_TRUE(client.wait_killed(id));
  }

  std::string events_;
};

TEST_F(EventCommand, IsCoalesced) {
  start_counting("while [ ! -e " + events_ + "/go ]; do sleep 0.01; done");
  for (int i = 0; i < 10; ++i) launch("c" + std::to_string(i), "exit 0", monitor::kNotifyExit);
  for (int i = 0; i < 10; ++i) wait("c" + std::to_string(i));
  EXPECT_TRUE(eventually([&] { return runs() == 1; }));
  EXPECT_TRUE(write_file(events_ + "/go", ""));
  EXPECT_TRUE(eventually([&] { return runs() == 2; }));
  EXPECT_EQ(runs_later(), 2u);
}

TEST_F(EventCommand, FollowsNoEndThatIsSeenTo) {
  start_counting();
  for (const char* id : {"mine", "another", "last"}) launch(id, "exec sleep 1000", monitor::kNotifyExit);
  auto client = connect();
  ASSERT_TRUE(client.claim_ends("mine"));
  kill("mine");
  ASSERT_TRUE(client.ends_settled());
  EXPECT_EQ(runs_later(), 0u);
  kill("another");
  EXPECT_TRUE(eventually([&] { return runs() == 1; })) << "nobody has claimed it";
  ASSERT_TRUE(client.claim_ends(""));
  kill("last");
  EXPECT_EQ(runs_later(), 1u);
  ASSERT_TRUE(client.end());
  EXPECT_TRUE(monitor_ends());
  EXPECT_EQ(runs_later(), 1u);
}

TEST_F(EventCommand, MakesUpForAClientThatHasLeft) {
  start_counting();
  for (const char* id : {"first", "second", "last"}) launch(id, "exec sleep 1000", monitor::kNotifyExit);
  {
    auto client = connect();
    auto late = connect();
    ASSERT_TRUE(client.claim_ends("first"));
    ASSERT_TRUE(late.claim_ends(""));
    kill("first");
    ASSERT_TRUE(late.ends_settled());
    EXPECT_EQ(runs_later(), 0u) << "the first to claim it owes it";
  }
  EXPECT_TRUE(eventually([&] { return runs() == 1; }));
  // A claim ends with its client.
  kill("second");
  EXPECT_TRUE(eventually([&] { return runs() == 2; }));
  // One that was settled too early: all has ended, and the monitor lives.
  auto client = connect();
  ASSERT_TRUE(client.claim_ends("last"));
  kill("last");
  EXPECT_EQ(runs_later(), 2u);
  ASSERT_TRUE(client.ends_settled());
  EXPECT_TRUE(eventually([&] { return runs() == 3; }));
}

TEST_F(MonitorTest, ManyShortProcessesLeaveNothing) {
  auto client = connect();
  ASSERT_TRUE(client.hello());  // it has our connection, which is one of its descriptors
  const auto descriptors = [&] {
    return std::distance(std::filesystem::directory_iterator(process_file(monitor_pid_, "fd")), {});
  };
  const auto before = descriptors();
  // An emulated machine takes 90 ms for each.
  const int processes = std::getenv("FERMATA_TEST_SLOWNESS") != nullptr ? 100 : 1000;
  for (int i = 0; i < processes; ++i) {
    auto wanted = request("c", "exit 1");
    ASSERT_EQ(client.launch(wanted, {})->reply.error, 0) << i;
    directories_.clear();
    ASSERT_EQ(client.wait("c").value().exit_code, 1);
    ASSERT_TRUE(client.forget("c"));
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(trim(read_file(process_file(monitor_pid_, "task/" + std::to_string(monitor_pid_) + "/children"))
                     .value()),
            "");
}

TEST_F(MonitorTest, ItsDeathIsThatOfAll) {
  const auto reply = launch("c", "exec sleep 1000");
  ASSERT_EQ(reply.error, 0);
  const UniqueFd child(static_cast<int>(::syscall(SYS_pidfd_open, reply.pid, 0)));
  ASSERT_TRUE(child);
  ::kill(monitor_pid_, SIGKILL);
  pollfd gone = {child.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 10000), 1);
  EXPECT_FALSE(pod::MonitorClient::connect(path_).value());
}

TEST_F(MonitorTest, EndsOnlyWhenNothingRuns) {
  launch("c", "exec sleep 1000");
  auto client = connect();
  EXPECT_EQ(client.end().error().error_number(), EBUSY);
  ::kill(monitor_pid_, SIGTERM);
  EXPECT_FALSE(monitor_ends(100));
  ASSERT_TRUE(client.signal("c", SIGKILL));
  wait("c");
  EXPECT_TRUE(client.end());
  EXPECT_TRUE(monitor_ends());
  EXPECT_FALSE(pod::MonitorClient::connect(path_).value());
  EXPECT_FALSE(pod::MonitorClient::connect(path_ + "/none").value());
}

TEST_F(MonitorTest, BornInItsGroups) {
  const auto mounts = kernel::CgroupMounts::detect();
  ASSERT_TRUE(mounts) << mounts.error().message();
  const std::string path = "fermata-monitor-test-" + std::to_string(::getpid());
  // Beside the container's group, not above it: a v2 group with processes can have no children with
  // controllers.
  auto group = kernel::Cgroup::create(*mounts, path + "/monitors");
  ASSERT_TRUE(group) << group.error().message();
  start({}, group->open_handles().value());
  EXPECT_EQ(group->processes().value(), std::vector<int>{monitor_pid_});
  {
    auto inner = kernel::Cgroup::create(*mounts, path + "/c").value();
    auto wanted = request("c", "exec sleep 1000");
    wanted.group = inner.open_handles().value();
    const auto reply = connect().launch(wanted, {})->reply;
    ASSERT_EQ(reply.error, 0);
    const std::string membership = read_file(process_file(reply.pid, "cgroup")).value();
    std::size_t hierarchies = 0;
    for (const auto line : split(trim(membership), '\n')) {
      if (line.ends_with("/" + path + "/c")) ++hierarchies;
    }
    EXPECT_EQ(hierarchies, mounts->v1.size() + (mounts->unified.empty() ? 0 : 1)) << membership;
    ASSERT_TRUE(inner.kill_all());
    EXPECT_EQ(wait("c").exit_code, 128 + SIGKILL);
    EXPECT_TRUE(inner.remove());
  }
  EXPECT_TRUE(connect().end());
  EXPECT_TRUE(monitor_ends());
  EXPECT_TRUE(kernel::Cgroup::open(*mounts, path).remove());
}

UniqueFd bound(int type, sockaddr_in6& address) {
  UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
  address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  EXPECT_TRUE(type != SOCK_STREAM || ::listen(fd.get(), 16) == 0);
  return fd;
}

monitor::RelayTarget target_of(const sockaddr_in6& address, bool datagram) {
  monitor::RelayTarget target = {
      .family = AF_INET6, .datagram = datagram, .port = ntohs(address.sin6_port), .address = {}};
  std::memcpy(target.address, &address.sin6_addr, sizeof target.address);
  return target;
}

TEST_F(MonitorTest, RelaysStreams) {
  sockaddr_in6 server_address, relay_address;
  const UniqueFd server = bound(SOCK_STREAM, server_address);
  std::vector<UniqueFd> relays, held;
  relays.push_back(bound(SOCK_STREAM, relay_address));
  ASSERT_TRUE(connect().hold_ports(held, relays, {target_of(server_address, false)}));
  relays.clear();
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i) + "\n";
  std::thread echo([&] {
    const UniqueFd peer(::accept(server.get(), nullptr, nullptr));
    const std::string got = read_fd(peer.get()).value();  // until the half close
    EXPECT_TRUE(write_all(peer.get(), got));
  });
  const UniqueFd client(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&relay_address), sizeof relay_address), 0);
  ASSERT_TRUE(write_all(client.get(), text));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(read_fd(client.get()).value(), text);
  echo.join();
}

TEST_F(MonitorTest, ARelayWithoutAServerResetsItsClients) {
  sockaddr_in6 nobody, relay_address;
  (void)bound(SOCK_STREAM, nobody);  // and closed
  std::vector<UniqueFd> relays, held;
  relays.push_back(bound(SOCK_STREAM, relay_address));
  ASSERT_TRUE(connect().hold_ports(held, relays, {target_of(nobody, false)}));
  relays.clear();
  const UniqueFd client(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&relay_address), sizeof relay_address), 0);
  char byte = 0;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(MonitorTest, RelaysDatagrams) {
  sockaddr_in6 server_address, relay_address;
  const UniqueFd server = bound(SOCK_DGRAM, server_address);
  std::vector<UniqueFd> relays, held;
  relays.push_back(bound(SOCK_DGRAM, relay_address));
  ASSERT_TRUE(connect().hold_ports(held, relays, {target_of(server_address, true)}));
  for (const char* text : {"one", "two"}) {
    const UniqueFd client(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&relay_address), sizeof relay_address), 0);
    ASSERT_EQ(::send(client.get(), text, 3, 0), 3);
    char bytes[16];
    sockaddr_in6 from = {};
    socklen_t size = sizeof from;
    ASSERT_EQ(::recvfrom(server.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size), 3);
    ASSERT_EQ(::sendto(server.get(), bytes, 3, 0, reinterpret_cast<sockaddr*>(&from), size), 3);
    ASSERT_EQ(::recv(client.get(), bytes, sizeof bytes, 0), 3);
    EXPECT_EQ(std::string(bytes, 3), text);
  }
}

TEST_F(MonitorTest, SurvivesHostileClients) {
  const auto raw = [&] {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (path_ + "/monitor.sock").c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  };
  unsigned seed = 1;
  for (int i = 0; i < 2000; ++i) {
    const UniqueFd fd = raw();
    std::string bytes(static_cast<std::size_t>(::rand_r(&seed)) % 4096, '\0');
    for (char& byte : bytes) byte = static_cast<char>(::rand_r(&seed));
    if (i % 2 == 0 && bytes.size() >= sizeof(monitor::Header)) {
      monitor::Header header = {.version = 1,
                                .type = static_cast<monitor::Type>(i % 16),
                                .size = static_cast<std::uint32_t>(bytes.size() - sizeof(monitor::Header)),
                                .fd_count = 0,
                                .fd_tags = {}};
      if (header.type == monitor::Type::end) continue;
      std::memcpy(bytes.data(), &header, sizeof header);
    }
    (void)::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  const UniqueFd huge = raw();
  const std::string big(150000, 'x');
  EXPECT_GT(::send(huge.get(), big.data(), big.size(), MSG_NOSIGNAL), 0);
  monitor::Reply reply;
  std::string answer(4096, '\0');
  ASSERT_GT(::recv(huge.get(), answer.data(), answer.size(), 0), 0);
  std::memcpy(&reply, answer.data() + sizeof(monitor::Header), sizeof reply);
  EXPECT_EQ(reply.error, EMSGSIZE);
  EXPECT_EQ(connect().monitor_pid().value(), monitor_pid_);
}

TEST_F(MonitorTest, IsSmallEnoughToForget) {
  auto client = connect();
  ASSERT_TRUE(client.setup(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, 1 << 20, "small"));
  for (const char* id : {"a", "b", "c"}) launch(id, "seq 100000; exec sleep 1000");
  ASSERT_TRUE(eventually([&] { return !log("c").empty() && log("c").back() == "stdout F 100000"; }));
  const auto busy = pss_kb(monitor_pid_);
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  const auto idle = pss_kb(monitor_pid_);
  std::printf("monitor: PSS %llu kB after work, %llu kB idle\n", static_cast<unsigned long long>(busy),
              static_cast<unsigned long long>(idle));
  EXPECT_GT(idle, 0u);
  EXPECT_LE(busy, 300u);
  EXPECT_LE(idle, 200u);
}

}  // namespace
}  // namespace fermata::test
