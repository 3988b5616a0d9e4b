// Drives fermata-init as the monitor does: standard streams, report socket, plan, slots, a child that execs
// it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/files.h"
#include "init/plan.h"
#include "init/report.h"
#include "monitor/child.h"
#include "runtime/cgroup_mounts.h"
#include "runtime/defaults.h"
#include "runtime/launch_plan.h"

namespace fermata::test {

// A directory with a layer that holds busybox, gone with the object.
class BusyboxRoot {
 public:
  BusyboxRoot() {
    char name[] = "/tmp/fermata-init-test-XXXXXX";
    path_ = ::mkdtemp(name);
    for (const char* directory : {"layers/base/bin", "layers/base/proc", "layers/base/dev", "layers/base/sys",
                                  "layers/base/etc", "layers/base/tmp", "upper", "work", "root"})
      std::filesystem::create_directories(path_ + "/" + directory);
    std::filesystem::copy_file("/bin/busybox", layer() + "/bin/busybox");
    for (const char* applet : {"sh",       "cat",  "ls",    "id",    "readlink", "stat", "mount",
                               "umount",   "echo", "touch", "sleep", "tty",      "stty", "mkdir",
                               "hostname", "head", "kill",  "true",  "unshare",  "grep", "chroot"})
      std::filesystem::create_symlink("busybox", layer() + "/bin/" + applet);
  }
  ~BusyboxRoot() { EXPECT_TRUE(remove_tree(path_)); }
  BusyboxRoot(const BusyboxRoot&) = delete;
  BusyboxRoot& operator=(const BusyboxRoot&) = delete;

  const std::string& path() const { return path_; }
  std::string layer() const { return path_ + "/layers/base"; }
  // What docker would give `sh -c script`.
  oci::RuntimeSpec spec(const std::string& script) const {
    oci::RuntimeSpec spec;
    spec.process.args = {"sh", "-c", script};
    spec.process.env = {"PATH=/bin"};
    const auto names = runtime::default_capabilities();
    spec.process.capabilities = {names, names, {}, names, {}};
    spec.overlay = oci::RuntimeSpec::Overlay{{"base"}, path_ + "/layers", path_ + "/upper", path_ + "/work"};
    spec.mount_point = path_ + "/root";
    using Type = oci::Namespace::Type;
    spec.namespaces = {{Type::pid}, {Type::mount}, {Type::network}, {Type::ipc}, {Type::uts}, {Type::cgroup}};
    spec.mounts = runtime::default_mounts(false);
    if (const auto host = kernel::CgroupMounts::detect())
      runtime::expand_cgroup_mounts(&spec.mounts, *host, "");
    spec.devices = runtime::default_devices();
    spec.masked_paths = runtime::masked_paths();
    spec.readonly_paths = runtime::readonly_paths();
    return spec;
  }

 private:
  std::string path_;
};

// One fermata-init and what becomes of it. Killed and reaped with the object.
class InitProcess {
 public:
  // `program`: borrowed; a descriptor of fermata-init, -1: the file.
  explicit InitProcess(const runtime::LaunchPlan& plan, int program = -1) : plan_(plan), program_(program) {
    start();
  }
  ~InitProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  InitProcess(const InitProcess&) = delete;
  InitProcess& operator=(const InitProcess&) = delete;

  int pid() const { return pid_; }
  int master() const { return master_.get(); }
  int listener() const { return listener_.get(); }
  // Called at the point of StartOptions::synchronize.
  void when_waiting(std::function<void()> act) { waiting_ = std::move(act); }
  bool ready() const { return ready_; }
  // After started(): the failed operation, if there was one.
  const std::optional<init::Report>& failure() const { return failure_; }
  std::string failed_operation() const {
    if (!failure_) return "";
    return failure_->op_index < plan_.descriptions.size() ? plan_.descriptions[failure_->op_index]
                                                          : "no operation";
  }

  // Reads reports until execve has succeeded or something failed. True: it runs.
  bool started() {
    for (;;) {
      init::Report report = {};
      iovec bytes = {&report, sizeof report};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
      msghdr message = {};
      message.msg_iov = &bytes;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t got = ::recvmsg(reports_.get(), &message, MSG_CMSG_CLOEXEC);
      if (got <= 0) return !failure_ && ready_;
      if (report.kind == init::ReportKind::ready) ready_ = true;
      if (report.kind == init::ReportKind::failed) failure_ = report;
      int fd = -1;
      if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      if (report.kind == init::ReportKind::started) {
        command_.reset(fd);
        command_pid_ = static_cast<int>(report.op_index);
        return !failure_ && ready_;
      }
      if (report.kind == init::ReportKind::console) master_.reset(fd);
      if (report.kind == init::ReportKind::listener) listener_.reset(fd);
      // A test that looks around meanwhile has its say, then init goes on.
      if (report.kind == init::ReportKind::waiting) {
        if (waiting_) waiting_();
        if (::write(reports_.get(), "", 1) != 1) return false;
      }
    }
  }
  void close_reports() { reports_.reset(); }
  // Of a supervised command: its pidfd, its pid in its own PID namespace, and the order to end it.
  int command() const { return command_.get(); }
  int command_pid() const { return command_pid_; }
  bool order_end() const { return ::send(reports_.get(), "x", 1, MSG_NOSIGNAL) == 1; }
  // Everything on stdout and stderr to the end.
  std::string output() {
    if (master_) return read_terminal();
    auto text = read_fd(output_.get());
    return text ? *text : "";
  }
  // One chunk.
  std::string some_output() {
    char buffer[4096];
    const ssize_t got = ::read(master_ ? master_.get() : output_.get(), buffer, sizeof buffer);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "";
  }
  // 0..255, 128 + signal.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  static constexpr int kHigh = 300;  // above all that the child arranges

  void start() {
    int sockets[2], pipe_ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    reports_.reset(sockets[0]);
    output_.reset(pipe_ends[0]);
    const UniqueFd theirs(sockets[1]), writer(pipe_ends[1]), null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd plan(::memfd_create("plan", MFD_CLOEXEC));
    ASSERT_TRUE(write_all(plan.get(), plan_.bytes));
    std::vector<int> descriptors = {null.get(), writer.get(), writer.get(), theirs.get(), plan.get()};
    descriptors.insert(descriptors.end(), plan_.slots.begin(), plan_.slots.end());
    if (plan_.user_namespace >= 0 || program_ >= 0) return start_as_monitor(descriptors);
    clone_args arguments = {};
    arguments.exit_signal = SIGCHLD;
    arguments.flags = plan_.new_pid_namespace ? CLONE_NEWPID : 0;
    const UniqueFd own_pid_namespace(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
    if (plan_.pid_namespace >= 0) {
      ASSERT_EQ(::setns(plan_.pid_namespace, CLONE_NEWPID), 0);
    }
    pid_ = static_cast<int>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid_ == 0) child(descriptors);
    if (plan_.pid_namespace >= 0) {
      ASSERT_EQ(::setns(own_pid_namespace.get(), CLONE_NEWPID), 0);
    }
    ASSERT_GT(pid_, 0);
  }
  void start_as_monitor(std::vector<int> descriptors) {
    const UniqueFd file(::open(FERMATA_PROGRAMS "/fermata-init", O_PATH | O_CLOEXEC));
    monitor::ChildPlan child = {};
    child.fds = descriptors.data();
    child.fd_count = static_cast<std::uint32_t>(descriptors.size());
    child.program = program_ >= 0 ? program_ : file.get();
    child.new_pid = plan_.new_pid_namespace;
    child.pid_namespace = plan_.pid_namespace;
    child.user_namespace = plan_.user_namespace;
    child.joined = plan_.joined_namespaces.data();
    child.joined_count = static_cast<std::uint32_t>(plan_.joined_namespaces.size());
    child.limits = plan_.limits.data();
    child.limit_count = static_cast<std::uint32_t>(plan_.limits.size());
    if (plan_.oom_score_adj) child.oom_score_adj = &*plan_.oom_score_adj;
    int pidfd = -1;
    pid_ = monitor::start_child(child, pidfd);
    EXPECT_GT(pid_, 0) << std::strerror(child.error) << " at stage " << static_cast<int>(child.stage);
    pidfd_.reset(pidfd);
  }
  [[noreturn]] static void child(std::vector<int> descriptors) {
    for (std::size_t i = 0; i < descriptors.size(); ++i)
      ::dup3(descriptors[i], kHigh + static_cast<int>(i), O_CLOEXEC);
    for (std::size_t i = 0; i < descriptors.size(); ++i)
      ::dup2(kHigh + static_cast<int>(i), static_cast<int>(i));
    ::signal(SIGPIPE, SIG_IGN);  // as a monitor would; must not reach the container
    // Left open on purpose: init has to make it close-on-exec.
    ::dup2(0, 77);
    ::execl(FERMATA_PROGRAMS "/fermata-init", "fermata-init", nullptr);
    ::_exit(99);
  }
  std::string read_terminal() {
    std::string text;
    for (;;) {
      const std::string chunk = some_output();  // EIO when the slave is closed
      if (chunk.empty()) return text;
      text += chunk;
    }
  }

  runtime::LaunchPlan plan_;
  int program_;
  int pid_ = -1;
  std::function<void()> waiting_;
  UniqueFd reports_, output_, master_, listener_, pidfd_, command_;
  int command_pid_ = 0;
  bool ready_ = false;
  std::optional<init::Report> failure_;
};

}  // namespace fermata::test
