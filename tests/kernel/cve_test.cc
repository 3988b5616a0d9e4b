// Known ways out of containers, of other runtimes: each is tried, each must lead nowhere. Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/sha256.h"
#include "kernel/core/rooted.h"
#include "kernel/mounts.h"
#include "kernel/program.h"
#include "kernel/support/outcome.h"
#include "kernel/user_namespace.h"
#include "runtime/mount_trees.h"

namespace fermata {
namespace {

using test::attempt;
using test::BusyboxRoot;
using test::InitProcess;
using test::Outcome;
using test::run;
using test::slurp;
using testing::HasSubstr;
using testing::Not;
using Type = oci::Namespace::Type;

UniqueFd open_namespace(int pid, const char* name) {
  return UniqueFd(::open(("/proc/" + std::to_string(pid) + "/ns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
}

void grant(oci::Process* process, const char* capability) {
  for (auto* set :
       {&process->capabilities.bounding, &process->capabilities.permitted, &process->capabilities.effective})
    set->push_back(capability);
}

// An image that its maker has prepared, and a directory of the host's beside it.
class Cve : public testing::Test {
 protected:
  void SetUp() override {
    outside_ = root_.path() + "/outside";
    std::filesystem::create_directories(outside_);
  }
  // Nothing got out.
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(outside_));
    EXPECT_THAT(slurp("/proc/self/mountinfo"), Not(HasSubstr(root_.path())));
  }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::remove_all(root_.layer() + path);
    std::filesystem::create_symlink(target, root_.layer() + path);
  }
  // The image's own directory as the root, which others may change at the same time.
  oci::RuntimeSpec bundle(const std::string& script) {
    auto spec = root_.spec(script);
    spec.overlay.reset();
    spec.root_path = "layers/base";
    spec.mount_point.clear();
    return spec;
  }
  // The descriptors live as long as the test.
  void open(oci::RuntimeSpec* spec) {
    auto prepared = runtime::open_mounts(spec, root_.path());
    ASSERT_TRUE(prepared) << prepared.error().message();
    prepared_.push_back(std::move(*prepared));
  }

  BusyboxRoot root_;
  std::string outside_;
  std::vector<runtime::PreparedMounts> prepared_;
};

// A container that can be joined: its first process does as told.
class Running {
 public:
  Running(const oci::RuntimeSpec& spec, int program = -1) {
    const auto plan = runtime::plan_container(spec);
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
    if (!plan) return;
    process_.emplace(*plan, program);
    EXPECT_TRUE(process_->started()) << process_->failed_operation();
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process_->pid(), 0)));
    pid_namespace_ = open_namespace(process_->pid(), "pid");
  }
  InitProcess& process() { return *process_; }
  runtime::ExecTarget target(std::uint32_t more = 0) const {
    return {.pidfd = pidfd_.get(),
            .pid_namespace = pid_namespace_.get(),
            .namespaces = more | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP};
  }

 private:
  std::optional<InitProcess> process_;
  UniqueFd pidfd_, pid_namespace_;
};

// The container has its joiners execute /proc/self/exe, so that our program runs among its own, and writes to
// it.
TEST_F(Cve, Cve2019_5736_OurProgramCannotBeWritten) {
  const std::string file = FERMATA_PROGRAMS "/fermata-init";
  const std::string before = sha256_hex(*read_file(file));
  const auto program = kernel::open_program(file);
  ASSERT_TRUE(program) << program.error().message();
  std::ofstream(root_.layer() + "/bin/trap") << "#!/proc/self/exe\n";
  ASSERT_EQ(::chmod((root_.layer() + "/bin/trap").c_str(), 0755), 0);
  auto spec = root_.spec(
      "exec 2>/dev/null; echo up; i=0; while [ $i -lt 400 ]; do i=$((i+1)); for p in /proc/[0-9]*; do "
      "case $p in /proc/1|/proc/$$) ;; *) readlink $p/exe >> /tmp/seen; echo x >> $p/exe && echo written >> "
      "/tmp/seen;; "
      "esac; done; done; echo end");
  grant(&spec.process, "CAP_SYS_PTRACE");
  Running container(spec, program->get());
  EXPECT_EQ(container.process().some_output(), "up\n");
  for (const char* name : {"/proc/self/exe", "/bin/trap"}) {
    for (int round = 0; round < 10; ++round) {
      oci::Process process = spec.process;
      process.args = {name};
      const auto exec = runtime::plan_exec(process, container.target(), -1);
      ASSERT_TRUE(exec);
      InitProcess session(*exec, program->get());
      session.started();
      session.wait();
    }
  }
  EXPECT_EQ(container.process().output(), "end\n");
  // It did run there, and was seen; a kernel that is slow enough may not have shown it.
  EXPECT_THAT(slurp(root_.path() + "/upper/tmp/seen"), Not(HasSubstr("written")));
  EXPECT_EQ(sha256_hex(*read_file(file)), before);
}

// Not by name, and not by a link of the image.
TEST_F(Cve, Cve2019_16884_NothingIsMountedOverProc) {
  auto spec = root_.spec("true");
  spec.mounts.push_back({.destination = "/proc/self/attr", .type = "tmpfs", .source = "tmpfs"});
  EXPECT_FALSE(runtime::plan_container(spec));
  link("/volume", "/proc");
  link("/attributes", "/proc/self/attr");
  link("/file", "/proc/version");
  const auto file = kernel::clone_tree(root_.layer() + "/bin/busybox", false);
  ASSERT_TRUE(file);
  for (const oci::Mount& mount :
       {oci::Mount{.destination = "/volume", .type = "tmpfs", .source = "tmpfs"},
        oci::Mount{.destination = "/attributes", .type = "tmpfs", .source = "tmpfs"},
        oci::Mount{.destination = "/volume/sys", .type = "bind", .source = root_.layer()},
        oci::Mount{.destination = "/file", .tree = file->get(), .file_target = true}}) {
    spec.mounts.back() = mount;
    const auto outcome = attempt(spec);
    EXPECT_EQ(outcome.error, ELOOP) << mount.destination << ": " << outcome.failed;
    EXPECT_THAT(outcome.failed, HasSubstr("'" + mount.destination + "'"));
  }
}

TEST_F(Cve, Cve2019_19921_LinkedProcIsRefused) {
  for (const char* target : {"/", "..", "/tmp", "/proc", "tmp/../proc"}) {
    link("/proc", target);
    const auto outcome = attempt(root_.spec("true"));
    EXPECT_EQ(outcome.failed, "mount proc at '/proc'");
    EXPECT_EQ(outcome.error, ELOOP);
  }
}

// The same mistake again, by the way of /sys.
TEST_F(Cve, Cve2023_27561_LinkedProcOfABundleIsRefused) {
  link("/proc", "/tmp/proc");
  auto spec = bundle("true");
  open(&spec);
  EXPECT_EQ(attempt(spec).error, ELOOP);
}

TEST_F(Cve, Cve2023_28642_LinkedSysIsRefused) {
  for (const char* target : {"/tmp", "/proc/sys", "../../.."}) {
    link("/sys", target);
    const auto outcome = attempt(root_.spec("true"));
    EXPECT_EQ(outcome.failed, "mount sysfs at '/sys'");
    EXPECT_EQ(outcome.error, ELOOP);
  }
}

// Swaps two names of a directory until it is told to stop.
class Swapper {
 public:
  Swapper(const std::string& directory, const std::string& one, const std::string& other)
      : thread_([=, this] {
          const std::string left = directory + "/" + one, right = directory + "/" + other;
          while (!stop_) ::renameat2(AT_FDCWD, left.c_str(), AT_FDCWD, right.c_str(), RENAME_EXCHANGE);
        }) {}
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// A volume's directory becomes a link to the host's while something is mounted in it.
TEST_F(Cve, Cve2021_30465_SwappedMountTargetStaysInside) {
  const std::string volume = root_.path() + "/volume";
  std::filesystem::create_directories(volume + "/real/target");
  std::filesystem::create_symlink("../../../../../../../.." + outside_, volume + "/link");
  int started = 0;
  {
    const Swapper swapper(volume, "real", "link");
    for (int round = 0; round < 60; ++round) {
      auto each = bundle("grep tmpfs /proc/self/mountinfo");
      each.mounts.push_back({.destination = "/volume", .source = "volume", .options = {"bind"}});
      each.mounts.push_back({.destination = "/volume/real/target/deep", .type = "tmpfs", .source = "tmpfs"});
      auto prepared = runtime::open_mounts(&each, root_.path());
      ASSERT_TRUE(prepared) << prepared.error().message();
      const auto outcome = attempt(each);
      if (outcome.failed.empty()) ++started;
      EXPECT_TRUE(std::filesystem::is_empty(outside_)) << "round " << round;
    }
  }
  EXPECT_GT(started, 0);
}

// A working directory behind a descriptor of the host's that was left open.
TEST_F(Cve, Cve2024_21626_WorkingDirectoryIsNotADescriptor) {
  const auto attempt_in = [&](const std::string& directory) {
    // What init is given without using it before: a directory of the host's, in a slot.
    auto spec = bundle("ls; ls ..");
    spec.mounts.push_back({.destination = "/volume", .source = "outside", .options = {"bind"}});
    spec.process.cwd = directory;
    open(&spec);
    return attempt(spec);
  };
  const UniqueFd host(::open("/", O_RDONLY | O_DIRECTORY));  // not close-on-exec, as a careless caller's
  int refused = 0;
  for (int number = 3; number < 40; ++number) {
    const auto outcome = attempt_in("/proc/self/fd/" + std::to_string(number));
    EXPECT_THAT(outcome.output, Not(HasSubstr("boot"))) << number;
    EXPECT_THAT(outcome.output, Not(HasSubstr("layers"))) << number;
    if (!outcome.failed.empty()) {
      EXPECT_THAT(outcome.failed, HasSubstr("chdir to cwd"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 30);
  link("/cwd", "/proc/self/fd/" + std::to_string(host.get()));
  EXPECT_THAT(attempt_in("/cwd").failed, HasSubstr("chdir to cwd"));
  // And of one who joins.
  auto first = root_.spec("echo up; sleep 100");
  Running container(first);
  for (int number = 3; number < 20; ++number) {
    oci::Process process = first.process;
    process.cwd = "/proc/self/fd/" + std::to_string(number);
    process.args = {"ls", "."};
    const auto exec = runtime::plan_exec(process, container.target(), -1);
    ASSERT_TRUE(exec);
    InitProcess session(*exec);
    session.started();
    EXPECT_THAT(session.output(), Not(HasSubstr("boot"))) << number;
  }
}

// A directory is swapped for a link while directories or files are made in it.
TEST_F(Cve, Cve2024_45310_NothingIsMadeOutside) {
  const std::string root = root_.path() + "/tree";
  std::filesystem::create_directories(root + "/real");
  std::filesystem::create_symlink("../../../../../../.." + outside_, root + "/link");
  const UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Swapper swapper(root, "real", "link");
  for (int round = 0; round < 2000; ++round) {
    const std::string path = "/real/a" + std::to_string(round % 50) + "/b/c";
    UniqueFd made(kernel::rooted_make_directory(fd.get(), path.c_str(), 0755));
    made.reset(kernel::rooted_make_file(fd.get(), (path + "/file").c_str(), 0644));
    if (round % 50 == 49)
      for (const auto& entry : std::filesystem::directory_iterator(root))
        if (!entry.is_symlink() && entry.is_directory())
          for (const auto& child : std::filesystem::directory_iterator(entry.path()))
            std::filesystem::remove_all(child.path());
  }
  EXPECT_TRUE(std::filesystem::is_empty(outside_));
}

// Masks come from the host's /dev/null: the image's may be a link to what shall be masked or written.
TEST_F(Cve, Cve2025_31133_ImagesDevNullIsNotUsed) {
  link("/dev/null", "/proc/sys/kernel/core_pattern");
  auto spec = root_.spec("cat /secret; stat -c '%t:%T %F' /proc/timer_list /secret");
  std::erase_if(spec.mounts, [](const oci::Mount& one) { return one.destination.starts_with("/dev"); });
  spec.devices.clear();
  std::ofstream(root_.layer() + "/secret") << "secret";
  spec.masked_paths = {"/proc/timer_list", "/secret"};
  const auto outcome = run(spec);
  EXPECT_THAT(outcome.output, testing::EndsWith("1:3 character special file\n"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("secret\n")));
}

// A link at /dev/console would have the terminal cover what it leads to.
TEST_F(Cve, Cve2025_52565_ConsoleIsNotALink) {
  for (const char* target :
       {"/proc/sys/kernel/core_pattern", "/proc/self/attr/exec", "/tmp/file", "pts/0", "/proc/1/fd/0"}) {
    link("/dev/console", target);
    std::filesystem::remove_all(root_.layer() + "/dev/ptmx");
    std::filesystem::create_symlink("pts/ptmx", root_.layer() + "/dev/ptmx");
    auto spec = root_.spec("true");
    spec.process.terminal = true;
    // The image's own /dev, with a devpts in it.
    std::erase_if(spec.mounts, [](const oci::Mount& one) { return one.destination == "/dev"; });
    spec.devices.clear();
    const auto outcome = attempt(spec);
    EXPECT_EQ(outcome.failed, "open the container's terminal") << target;
    EXPECT_EQ(outcome.error, ELOOP) << target;
  }
}

// A procfs that is none, or shows other files, where values are written: nothing is, for the host's is used.
TEST_F(Cve, Cve2025_52881_WritesDoNotGoToAForeignProc) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const std::string fake = root_.path() + "/fake";
  std::filesystem::create_directories(fake + "/sys/kernel");
  std::filesystem::create_directories(fake + "/self/attr");
  std::ofstream(fake + "/sys/kernel/shmmni") << "";
  std::ofstream(fake + "/self/oom_score_adj") << "";
  const int holder = ::fork();
  if (holder == 0) {
    const bool made = ::unshare(CLONE_NEWNS) == 0 &&
                      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      ::mount(fake.c_str(), "/proc", nullptr, MS_BIND, nullptr) == 0;
    if (::write(ends[1], made ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  ::close(ends[1]);
  char made = 0;
  ASSERT_EQ(::read(reader.get(), &made, 1), 1);
  ASSERT_EQ(made, 'y');
  const UniqueFd mounts = open_namespace(holder, "mnt");
  auto spec = root_.spec("cat /proc/sys/kernel/shmmni /proc/self/oom_score_adj");
  spec.sysctl = {{"kernel.shmmni", "1234"}};
  spec.process.oom_score_adj = 321;
  for (oci::Namespace& one : spec.namespaces)
    if (one.type == Type::mount) one.fd = mounts.get();
  EXPECT_EQ(run(spec).output, "1234\n321\n");
  EXPECT_EQ(slurp(fake + "/sys/kernel/shmmni"), "");
  EXPECT_EQ(slurp(fake + "/self/oom_score_adj"), "");
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

// Init in the container, not yet its process: it waits to be started.
class Joiner {
 public:
  Joiner(Running& container, const oci::Process& process, std::uint32_t namespaces = 0)
      : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    const sockaddr_un any = {.sun_family = AF_UNIX,
                             .sun_path = {}};  // a name of the kernel's choice; unix(7)
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any.sun_family), 0);
    EXPECT_EQ(::listen(socket_.get(), 1), 0);
    const auto plan =
        runtime::plan_exec(process, container.target(namespaces), -1, {.start_socket = socket_.get()});
    EXPECT_TRUE(plan);
    if (plan) process_.emplace(*plan);
  }
  InitProcess& process() { return *process_; }

 private:
  UniqueFd socket_;
  std::optional<InitProcess> process_;
};

// Until the kernel says that it sleeps in accept(2), which comes last.
void wait_until_it_waits(int pid) {
  for (int tries = 0; tries < 500; ++tries) {
    if (slurp("/proc/" + std::to_string(pid) + "/wchan").find("accept") != std::string::npos) return;
    if (slurp("/proc/" + std::to_string(pid) + "/syscall").starts_with(std::to_string(SYS_accept4) + " "))
      return;
    ::usleep(10000);
  }
  FAIL() << "init does not wait";
}

// The first process waits for a file in the volume, then tries what there is of init in /proc.
constexpr char kLookAround[] =
    "while [ ! -e /volume/go ]; do sleep 0.05; done; for p in /proc/[0-9]*; do "
    "grep -q fermata-init $p/comm 2>/dev/null || continue; echo found; for f in $p/fd/* $p/map_files/*; do "
    "readlink $f; head -c 1 $f; done; readlink $p/exe; readlink $p/cwd; readlink $p/root; cat $p/environ; "
    "cat $p/mem; done 2>&1; echo end; sleep 100";

std::string looked_around(Running& container, Joiner& joiner, const std::string& volume) {
  wait_until_it_waits(joiner.process().pid());
  EXPECT_TRUE(write_file(volume + "/go", ""));
  std::string seen;
  while (seen.find("end\n") == std::string::npos) {
    const std::string chunk = container.process().some_output();
    if (chunk.empty()) break;
    seen += chunk;
  }
  return seen;
}

// That there is somebody, and the numbers of their descriptors at most.
void expect_nothing_gained(const std::string& seen) {
  EXPECT_THAT(seen, testing::StartsWith("found\n"));
  EXPECT_THAT(seen, HasSubstr("/environ': Permission denied"));
  for (const char* target : {"socket:", "pipe:", "anon_inode", "memfd", "fermata-init\n", "\n/\n"})
    EXPECT_THAT(seen, Not(HasSubstr(target)));
}

// Whoever is in the container sees the one who joins it, and gets nothing of theirs.
TEST_F(Cve, Cve2016_9962_JoiningProcessCannotBeOpened) {
  const std::string volume = root_.path() + "/volume";
  std::filesystem::create_directories(volume);
  auto spec = root_.spec(kLookAround);
  spec.mounts.push_back({.destination = "/volume", .type = "bind", .source = volume});
  Running container(spec);
  Joiner joiner(container, spec.process);
  const std::string seen = looked_around(container, joiner, volume);
  expect_nothing_gained(seen);
}

// In a user namespace not even with the right to trace: the memory of init belongs to the host's namespace.
TEST_F(Cve, Cve2016_9962_NotEvenByTracersOfAUserNamespace) {
  constexpr std::uint32_t kFirst = 300000;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_.layer()))
    ASSERT_EQ(::lchown(entry.path().c_str(), kFirst, kFirst), 0);
  ASSERT_EQ(::chown(root_.layer().c_str(), kFirst, kFirst), 0);
  const auto user = kernel::make_user_namespace({{{0, kFirst, 65536}}, {{0, kFirst, 65536}}});
  ASSERT_TRUE(user);
  const std::string volume = root_.path() + "/volume";
  std::filesystem::create_directories(volume);
  auto spec = bundle(kLookAround);
  spec.mounts.push_back({.destination = "/volume", .source = "volume", .options = {"bind"}});
  spec.namespaces.push_back({Type::user, user->get()});
  grant(&spec.process, "CAP_SYS_PTRACE");
  grant(&spec.process, "CAP_SYS_ADMIN");
  open(&spec);
  Running container(spec);
  Joiner joiner(container, spec.process, CLONE_NEWUSER);
  const std::string seen = looked_around(container, joiner, volume);
  expect_nothing_gained(seen);
}

TEST_F(Cve, NoDescriptorOfOursIsOpenInTheContainer) {
  const UniqueFd inherited(::open("/", O_RDONLY | O_DIRECTORY));
  for (const bool terminal : {false, true}) {
    auto spec = bundle("exec ls /proc/self/fd");
    spec.mounts.push_back({.destination = "/volume", .source = "outside", .options = {"bind"}});
    spec.namespaces.push_back({Type::time});
    spec.time_offsets = {{"boottime", {1, 0}}};
    spec.process.terminal = terminal;
    open(&spec);
    auto output = run(spec).output;
    std::erase(output, '\r');
    EXPECT_THAT(output, testing::MatchesRegex("0[ \n]+1[ \n]+2[ \n]+3\n"));  // 3: the directory that ls reads
  }
  auto first = root_.spec("echo up; sleep 100");
  Running container(first);
  oci::Process process = first.process;
  process.args = {"ls", "/proc/self/fd"};
  const auto exec = runtime::plan_exec(process, container.target(), -1);
  ASSERT_TRUE(exec);
  InitProcess session(*exec);
  ASSERT_TRUE(session.started());
  EXPECT_EQ(session.output(), "0\n1\n2\n3\n");
}

}  // namespace
}  // namespace fermata
