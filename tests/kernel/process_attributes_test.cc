// How a container's process runs, on the real kernel: clocks, scheduling, affinity, personality, memory
// policy, labels. Needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/mount.h>

#include <ctime>

#include "kernel/capabilities.h"
#include "kernel/security_modules.h"
#include "kernel/support/outcome.h"

namespace fermata {
namespace {

using test::attempt;
using test::BusyboxRoot;
using test::InitProcess;
using test::run;
using test::status_line;
using testing::HasSubstr;
using testing::StartsWith;
using Type = oci::Namespace::Type;

double boot_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec);
}

TEST(ProcessAttributes, TimeNamespaceHasItsOffsetsAtOnce) {
  const BusyboxRoot root;
  auto spec = root.spec("cat /proc/uptime");
  spec.namespaces.push_back({Type::time});
  spec.time_offsets = {{"boottime", {1000000, 0}}, {"monotonic", {1000000, 5}}};
  const double seen = std::strtod(run(spec).output.c_str(), nullptr);
  EXPECT_NEAR(seen, boot_seconds() + 1000000, 100);
}

TEST(ProcessAttributes, TimeNamespaceCanBeJoined) {
  const BusyboxRoot root;
  auto spec = root.spec("echo up; sleep 100");
  spec.namespaces.push_back({Type::time});
  spec.time_offsets = {{"boottime", {5000000, 0}}};
  const auto plan = runtime::plan_container(spec);
  ASSERT_TRUE(plan);
  InitProcess first(*plan);
  ASSERT_TRUE(first.started()) << first.failed_operation();
  EXPECT_EQ(first.some_output(), "up\n");
  const UniqueFd time(
      ::open(("/proc/" + std::to_string(first.pid()) + "/ns/time").c_str(), O_RDONLY | O_CLOEXEC));
  auto other = root.spec("cat /proc/uptime");
  other.namespaces.push_back({Type::time, time.get()});
  // The overlay's upper directory is in use.
  other.overlay = oci::RuntimeSpec::Overlay{{"base"}, root.path() + "/layers", "", ""};
  EXPECT_NEAR(std::strtod(run(other).output.c_str(), nullptr), boot_seconds() + 5000000, 100);
}

TEST(ProcessAttributes, MountNamespaceCanBeJoined) {
  const BusyboxRoot root;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const std::string point = root.path() + "/root";
  const int holder = ::fork();
  if (holder == 0) {
    const bool made =
        ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (::write(ends[1], made ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  ::close(ends[1]);
  char made = 0;
  ASSERT_EQ(::read(reader.get(), &made, 1), 1);
  const std::string link = "/proc/" + std::to_string(holder) + "/ns/mnt";
  const UniqueFd mounts(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
  char name[64] = {};
  ASSERT_GT(::readlink(link.c_str(), name, sizeof name - 1), 0);
  auto spec = root.spec("readlink /proc/self/ns/mnt; ls /");
  for (oci::Namespace& one : spec.namespaces)
    if (one.type == Type::mount) one.fd = mounts.get();
  EXPECT_THAT(run(spec).output, StartsWith(std::string(name) + "\nbin\n"));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

TEST(ProcessAttributes, NamesOfTheUtsNamespace) {
  const BusyboxRoot root;
  auto spec = root.spec("hostname; cat /proc/sys/kernel/domainname");
  spec.hostname = "name";
  spec.domainname = "domain";
  EXPECT_EQ(run(spec).output, "name\ndomain\n");
}

// Of a process that runs: what the kernel says about it from outside.
TEST(ProcessAttributes, SchedulingAndIoPriority) {
  const BusyboxRoot root;
  auto spec = root.spec("echo up; exec sleep 100");
  spec.process.scheduler = oci::Scheduler{.policy = "SCHED_BATCH", .nice = 7};
  spec.process.io_priority = oci::IoPriority{"IOPRIO_CLASS_BE", 6};
  const auto plan = runtime::plan_container(spec);
  ASSERT_TRUE(plan);
  InitProcess process(*plan);
  ASSERT_TRUE(process.started()) << process.failed_operation();
  EXPECT_EQ(process.some_output(), "up\n");
  EXPECT_EQ(::sched_getscheduler(process.pid()), SCHED_BATCH);
  EXPECT_EQ(::syscall(SYS_ioprio_get, 1, process.pid()), IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | 6);
}

TEST(ProcessAttributes, RealTimePolicyIsGivenOrRefusedByName) {
  const BusyboxRoot root;
  auto spec = root.spec("true");
  spec.process.scheduler = oci::Scheduler{.policy = "SCHED_FIFO", .priority = 1};
  const auto outcome = attempt(spec);
  // A v1 group without real-time runtime, or a kernel without the policy's privilege, says EPERM.
  if (outcome.failed.empty()) {
    EXPECT_EQ(outcome.exit_code, 0);
  } else {
    EXPECT_EQ(outcome.failed, "set the scheduling policy SCHED_FIFO");
    EXPECT_EQ(outcome.error, EPERM);
  }
}

TEST(ProcessAttributes, PersonalityAndMemoryPolicy) {
  const BusyboxRoot root;
  std::filesystem::create_symlink("busybox", root.layer() + "/bin/uname");
  auto spec = root.spec("uname -m; cat /proc/self/numa_maps | head -n 1; cat /proc/self/personality");
  spec.personality = "LINUX32";
  const bool numa = ::access("/proc/self/numa_maps", F_OK) == 0;
  if (numa) spec.memory_policy = oci::MemoryPolicy{"MPOL_BIND", "0", {}};
  const auto outcome = run(spec);
  EXPECT_THAT(outcome.output, HasSubstr("00000008"));
#if defined(__x86_64__)
  EXPECT_THAT(outcome.output, StartsWith("i686\n"));
#endif
  if (numa) {
    EXPECT_THAT(outcome.output, HasSubstr("bind:0"));
  }
}

TEST(ProcessAttributes, JoiningProcessRunsOnItsCpus) {
  const BusyboxRoot root;
  auto spec = root.spec("echo up; sleep 100");
  const auto plan = runtime::plan_container(spec);
  ASSERT_TRUE(plan);
  InitProcess container(*plan);
  ASSERT_TRUE(container.started());
  EXPECT_EQ(container.some_output(), "up\n");
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, container.pid(), 0)));
  const UniqueFd pid_namespace(
      ::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  oci::Process process = spec.process;
  process.exec_cpu_affinity = {"0", "0"};
  process.args = {"cat", "/proc/self/status"};
  const auto exec = runtime::plan_exec(
      process,
      {.pidfd = pidfd.get(), .pid_namespace = pid_namespace.get(), .namespaces = CLONE_NEWNS | CLONE_NEWNET},
      -1);
  ASSERT_TRUE(exec);
  InitProcess session(*exec);
  ASSERT_TRUE(session.started()) << session.failed_operation();
  EXPECT_EQ(status_line(session.output(), "Cpus_allowed_list"), "0");
}

TEST(ProcessAttributes, WhatThisHostCannotGrantDoesNotStopAStart) {
  const BusyboxRoot root;
  auto spec = root.spec("cat /proc/self/status");
  for (auto* set : {&spec.process.capabilities.bounding, &spec.process.capabilities.permitted,
                    &spec.process.capabilities.effective})
    set->push_back("CAP_SYS_RESOURCE");
  spec.process.capabilities.bounding.push_back("CAP_OF_THE_FUTURE");
  const std::uint64_t own = kernel::own_bounding_set();
  const auto outcome = run(spec, {.grantable_capabilities = own});
  const bool granted = (own >> 24 & 1) != 0;
  EXPECT_EQ(status_line(outcome.output, "CapEff"), granted ? "00000000a90425fb" : "00000000a80425fb");
}

TEST(ProcessAttributes, LabelOfAModuleThatIsOffIsRefusedByName) {
  const BusyboxRoot root;
  auto spec = root.spec("true");
  if (!kernel::apparmor_enabled()) {
    spec.process.apparmor_profile = "profile";
    EXPECT_EQ(attempt(spec).failed, "take on the AppArmor profile 'profile'");
    spec.process.apparmor_profile.clear();
  }
  if (!kernel::selinux_enabled()) {
    spec.process.selinux_label = "system_u:system_r:container_t:s0";
    EXPECT_EQ(attempt(spec).failed, "take on the SELinux label 'system_u:system_r:container_t:s0'");
  }
}

}  // namespace
}  // namespace fermata
