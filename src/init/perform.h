// Performs the operations of a plan, one after the other, with no decision of its own. One file per family.
//
// Free of libc, allocation and exceptions: this is fermata-init's own code. Every perform_* returns 0 or an
// errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/unique_fd.h"
#include "init/plan_view.h"

namespace fermata::init {

// What operations leave behind for later ones.
struct Stage {
  // "In the root" is under it; -1 before open_root.
  UniqueFd root;
  // An empty read-only tmpfs that is mounted over a masked directory: later ones get clones of it.
  UniqueFd empty_directory;
  // The directory that the last make_node or make_symlink worked in, and its name (in the plan). Any mount
  // ends it.
  UniqueFd parent;
  const char* parent_path = nullptr;
  std::uint32_t parent_size = 0;
  // What the umask was: it is 0 while we make files, and comes back with the credentials.
  std::uint32_t umask = 022;
};

// From the plan at kPlanFd to execve. Returns only after a failure, which has been reported.
void perform_plan();

// The descriptor of a slot. No check: a wrong one fails with EBADF where it is used.
inline int slot_fd(const OpView& op) { return kFirstSlotFd + op.slot(); }

// perform_namespaces.cc
bool is_procfs(int fd);
int write_proc_file(const char* path, const void* value, std::size_t size);  // EXDEV: not a procfs's
int perform_join_namespace(const OpView& op);
int perform_unshare(const OpView& op);
int perform_set_hostname(const OpView& op);
int perform_set_domainname(const OpView& op);
int perform_write_kernel_file(const OpView& op);
int perform_set_oom_score_adj(const OpView& op);
// perform_mounts.cc
int perform_set_propagation(const OpView& op);
int perform_change_directory(const OpView& op);
int perform_mount_root(const OpView& op);
int perform_attach_root(Stage& stage, const OpView& op);
int perform_open_root(Stage& stage, const OpView& op);
int perform_mount(Stage& stage, const OpView& op);
int perform_attach_mount(Stage& stage, const OpView& op);
int perform_remount(Stage& stage, const OpView& op);
int perform_pivot_root(Stage& stage, const OpView& op);
// perform_paths.cc
int perform_mask_path(Stage& stage, const OpView& op);
int perform_readonly_path(Stage& stage, const OpView& op);
int perform_make_directory(Stage& stage, const OpView& op);
int perform_make_symlink(Stage& stage, const OpView& op);
int perform_make_node(Stage& stage, const OpView& op);
int perform_set_current_directory(Stage& stage, const OpView& op);
// perform_terminal.cc
int perform_new_session();
int perform_open_console(Stage& stage, const OpView& op);
// perform_credentials.cc
int perform_set_rlimit(const OpView& op);
int perform_set_credentials(Stage& stage, const OpView& op);
int perform_become_root();
int perform_set_no_new_privs();
int perform_load_seccomp(const OpView& op);
int perform_new_session_keyring();
// perform_process.cc
int perform_enter_time_namespace(const OpView& op);
int perform_set_personality(const OpView& op);
int perform_set_scheduler(const OpView& op);
int perform_set_io_priority(const OpView& op);
int perform_set_cpu_affinity(const OpView& op);
int perform_set_memory_policy(const OpView& op);
// perform_network.cc
int perform_raise_loopback();
// perform_start.cc
int perform_synchronize(const OpView& op);
int perform_check_program(const OpView& op);
int perform_await_start(const OpView& op);
int perform_preserve_descriptors(const OpView& op);
// perform_supervise.cc. Returns in the child.
int perform_supervise(const OpView& op);
// perform_foreign.cc. Returns after a failure alone.
int perform_run_foreign(const OpView& op);
// perform_execute.cc
int perform_set_parent_death_signal(const OpView& op);
int perform_execute(const OpView& op);

}  // namespace fermata::init
