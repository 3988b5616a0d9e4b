// How the process is scheduled and what it sees of the machine's time.
#include <fcntl.h>
#include <linux/sched.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr int kOfProcess = 1;  // IOPRIO_WHO_PROCESS, an enumerator of the kernel's that no header names so

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

}  // namespace

// unshare(2) makes the namespace for children only. Its clocks can be set until the first process enters, and
// that may be ourselves: no child is needed. time_namespaces(7), Linux 5.6.
int perform_enter_time_namespace(const OpView& op) {
  if (const long error = call(SYS_unshare, CLONE_NEWTIME); error < 0) return static_cast<int>(-error);
  if (op.data_size() > 0) {
    const int error = write_proc_file("/proc/self/timens_offsets", op.data(), op.data_size());
    if (error != 0) return error;
  }
  const UniqueFd made(
      static_cast<int>(call(SYS_openat, AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC)));
  if (!made) return -made.get();
  return outcome(call(SYS_setns, made.get(), CLONE_NEWTIME));
}

int perform_set_personality(const OpView& op) { return outcome(call(SYS_personality, op.a())); }

int perform_set_scheduler(const OpView& op) {
  if (op.data_size() != sizeof(SchedulerAttributes)) return EINVAL;
  return outcome(call(SYS_sched_setattr, 0, op.data(), 0));
}

int perform_set_io_priority(const OpView& op) { return outcome(call(SYS_ioprio_set, kOfProcess, 0, op.a())); }

int perform_set_cpu_affinity(const OpView& op) {
  return outcome(call(SYS_sched_setaffinity, 0, op.data_size(), op.data()));
}

int perform_set_memory_policy(const OpView& op) {
  // The kernel counts one bit more than it reads; set_mempolicy(2), BUGS of get_mempolicy.
  const std::uint64_t bits = op.data_size() == 0 ? 0 : op.data_size() * std::uint64_t{8} + 1;
  return outcome(call(SYS_set_mempolicy, op.a(), bits == 0 ? nullptr : op.data(), bits));
}

}  // namespace fermata::init
