#include "init/perform.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "init/reporter.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr unsigned kFirstPrivateFd = 3;

// The kernel's own struct (asm-generic/signal.h order, with the restorer of x86); all zero means SIG_DFL
// everywhere.
struct KernelSigaction {
  unsigned long words[4];
};
constexpr int kSignals = 64;
constexpr unsigned long kSignalSetSize = kSignals / 8;

// What the parent had ignored or blocked would stay so across execve; signal(7).
void reset_signals() {
  const KernelSigaction by_default = {};
  for (int signal = 1; signal <= kSignals; ++signal)
    call(SYS_rt_sigaction, signal, &by_default, nullptr, kSignalSetSize);  // EINVAL for SIGKILL and SIGSTOP
  const unsigned long none[kSignalSetSize / sizeof(unsigned long)] = {};
  call(SYS_rt_sigprocmask, SIG_SETMASK, none, nullptr, kSignalSetSize);
}

// Before anything else: a process of the container that we are about to join must not be able to trace us or
// to open our descriptors (CVE-2016-9962), and none may survive execve.
int protect() {
  // Executed by a descriptor we would have its number for a name.
  call(SYS_prctl, PR_SET_NAME, "fermata-init", 0, 0, 0);
  if (const long error = call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  const long error = call(SYS_close_range, kFirstPrivateFd, ~0U, CLOSE_RANGE_CLOEXEC);
  return error < 0 ? static_cast<int>(-error) : 0;
}

int map_plan(PlanView* plan) {
  // The size of the plan is in its header; reading it there spares an fstat whose layout differs by
  // architecture.
  PlanHeader header = {};
  const long got = call(SYS_pread64, kPlanFd, &header, sizeof header, 0);
  if (got < 0) return static_cast<int>(-got);
  if (got != sizeof header) return EINVAL;
  // A file shorter than its header claims would end us with SIGBUS; its last byte must be there.
  char last = 0;
  if (header.size < sizeof header || call(SYS_pread64, kPlanFd, &last, 1, header.size - 1L) != 1)
    return EINVAL;
  // Writable for the room that the last operation has for its pointers.
  const long bytes =
      call(SYS_mmap, nullptr, header.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, kPlanFd, 0);
  if (bytes < 0 && bytes > -4096) return static_cast<int>(-bytes);
  return plan->open(reinterpret_cast<const void*>(bytes), header.size) ? 0 : EINVAL;
}

bool is_optional(const OpView& op) {
  switch (op.op()) {
    case Op::mount:
      return (op.b() & kOptional) != 0;
    case Op::write_kernel_file:
    case Op::set_oom_score_adj:
    case Op::new_session_keyring:
    case Op::set_cpu_affinity:
    case Op::become_root:
      return (op.flags() & kOptional) != 0;
    default:
      return false;
  }
}

int perform_one(Stage& stage, const OpView& op) {
  switch (op.op()) {
    case Op::join_namespace:
      return perform_join_namespace(op);
    case Op::unshare:
      return perform_unshare(op);
    case Op::set_hostname:
      return perform_set_hostname(op);
    case Op::set_domainname:
      return perform_set_domainname(op);
    case Op::write_kernel_file:
      return perform_write_kernel_file(op);
    case Op::set_propagation:
      return perform_set_propagation(op);
    case Op::change_directory:
      return perform_change_directory(op);
    case Op::mount_root:
      return perform_mount_root(op);
    case Op::attach_root:
      return perform_attach_root(stage, op);
    case Op::open_root:
      return perform_open_root(stage, op);
    case Op::mount:
      return perform_mount(stage, op);
    case Op::attach_mount:
      return perform_attach_mount(stage, op);
    case Op::remount:
      return perform_remount(stage, op);
    case Op::mask_path:
      return perform_mask_path(stage, op);
    case Op::readonly_path:
      return perform_readonly_path(stage, op);
    case Op::make_directory:
      return perform_make_directory(stage, op);
    case Op::make_symlink:
      return perform_make_symlink(stage, op);
    case Op::make_node:
      return perform_make_node(stage, op);
    case Op::pivot_root:
      return perform_pivot_root(stage, op);
    case Op::new_session:
      return perform_new_session();
    case Op::open_console:
      return perform_open_console(stage, op);
    case Op::set_rlimit:
      return perform_set_rlimit(op);
    case Op::set_oom_score_adj:
      return perform_set_oom_score_adj(op);
    case Op::set_credentials:
      return perform_set_credentials(stage, op);
    case Op::set_no_new_privs:
      return perform_set_no_new_privs();
    case Op::set_current_directory:
      return perform_set_current_directory(stage, op);
    case Op::set_parent_death_signal:
      return perform_set_parent_death_signal(op);
    case Op::load_seccomp:
      return perform_load_seccomp(op);
    case Op::execute:
      return perform_execute(op);
    case Op::new_session_keyring:
      return perform_new_session_keyring();
    case Op::synchronize:
      return perform_synchronize(op);
    case Op::check_program:
      return perform_check_program(op);
    case Op::await_start:
      return perform_await_start(op);
    case Op::preserve_descriptors:
      return perform_preserve_descriptors(op);
    case Op::enter_time_namespace:
      return perform_enter_time_namespace(op);
    case Op::set_personality:
      return perform_set_personality(op);
    case Op::set_scheduler:
      return perform_set_scheduler(op);
    case Op::set_io_priority:
      return perform_set_io_priority(op);
    case Op::set_cpu_affinity:
      return perform_set_cpu_affinity(op);
    case Op::set_memory_policy:
      return perform_set_memory_policy(op);
    case Op::raise_loopback:
      return perform_raise_loopback();
    case Op::supervise:
      return perform_supervise(op);
    case Op::become_root:
      return perform_become_root();
    case Op::run_foreign:
      return perform_run_foreign(op);
  }
  return ENOSYS;  // a newer plan
}

void report_failure(std::uint32_t op_index, int error) {
  // Nobody is left to tell when this fails.
  static_cast<void>(send_report({ReportKind::failed, op_index, error}));
}

}  // namespace

void perform_plan() {
  int error = protect();
  PlanView plan;
  if (error == 0) error = map_plan(&plan);
  if (error != 0) return report_failure(kNoOp, error);
  reset_signals();
  Stage stage;
  stage.umask = static_cast<std::uint32_t>(call(SYS_umask, 0));
  OpView op;
  for (;;) {
    switch (plan.next(&op)) {
      case PlanView::Next::malformed:
        return report_failure(kNoOp, EINVAL);
      case PlanView::Next::end:
        return report_failure(kNoOp, ENOEXEC);  // nothing was executed
      case PlanView::Next::op:
        break;
    }
    error = perform_one(stage, op);
    if (error != 0 && !is_optional(op)) return report_failure(plan.index(), error);
  }
}

}  // namespace fermata::init
