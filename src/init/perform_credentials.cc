// Who the process is and what it may do. capabilities(7), credentials(7), seccomp(2).
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <linux/stat.h>

#include <cerrno>

#include "init/perform.h"
#include "init/reporter.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

constexpr std::uint32_t kLeaveUmask = 0xffffffff;
constexpr std::uint32_t kNoId = 0xffffffff;
constexpr std::uint32_t kTypeMask = 0170000;
constexpr std::uint32_t kRegularType = 0100000, kDirectoryType = 0040000, kCharacterType = 0020000;

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

int drop_bounding(std::uint64_t keep) {
  for (unsigned capability = 0; capability < 64; ++capability) {
    if (keep >> capability & 1) continue;
    const long error = call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (error == -EINVAL) return 0;  // past the last one that this kernel has
    if (error < 0) return static_cast<int>(-error);
  }
  return 0;
}

int set_capabilities(const Credentials& wanted) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
    data[half].effective = static_cast<std::uint32_t>(wanted.effective >> (32 * half));
    data[half].permitted = static_cast<std::uint32_t>(wanted.permitted >> (32 * half));
    data[half].inheritable = static_cast<std::uint32_t>(wanted.inheritable >> (32 * half));
  }
  return outcome(call(SYS_capset, &header, data));
}

int raise_ambient(std::uint64_t ambient) {
  if (const long error = call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  for (unsigned capability = 0; capability < 64; ++capability) {
    if ((ambient >> capability & 1) == 0) continue;
    const long error = call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    if (error < 0) return static_cast<int>(-error);
  }
  return 0;
}

// A user who opens /dev/stdout opens the pipe or terminal anew, by its inode's permissions. /dev/null is
// everybody's; a file is left to its owner. Where the file system refuses, nothing is lost that was there
// before.
void give_streams(std::uint32_t uid) {
  for (int fd = 0; fd <= 2; ++fd) {
    struct statx info = {};
    if (call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) < 0 || info.stx_uid == uid) continue;
    const std::uint32_t type = info.stx_mode & kTypeMask;
    const bool null_device = type == kCharacterType && info.stx_rdev_major == 1;
    if (type == kRegularType || type == kDirectoryType || null_device) continue;
    call(SYS_fchown, fd, uid, info.stx_gid);
  }
}

int set_ids(const Credentials& wanted, const std::uint32_t* groups, bool keep_groups) {
  // setresuid(2) takes it for "as it is", which is root.
  if (wanted.uid == kNoId || wanted.gid == kNoId) return EINVAL;
  const long grouped = call(SYS_setgroups, wanted.group_count, groups);
  const bool denied = grouped == -EPERM && keep_groups && wanted.group_count == 0;
  if (grouped < 0 && !denied) return static_cast<int>(-grouped);
  if (const long error = call(SYS_setresgid, wanted.gid, wanted.gid, wanted.gid); error < 0)
    return static_cast<int>(-error);
  if (wanted.uid == 0) return outcome(call(SYS_setresuid, 0, 0, 0));
  // Leaving uid 0 would clear the permitted set before capset could choose from it.
  if (const long error = call(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  if (const long error = call(SYS_setresuid, wanted.uid, wanted.uid, wanted.uid); error < 0)
    return static_cast<int>(-error);
  return outcome(call(SYS_prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0));
}

}  // namespace

int perform_set_rlimit(const OpView& op) {
  rlimit64 wanted = {};
  if (op.data_size() != sizeof wanted) return EINVAL;
  __builtin_memcpy(&wanted, op.data(), sizeof wanted);
  const long error = call(SYS_prlimit64, 0, op.a(), &wanted, nullptr);
  if (error != -EPERM || (op.flags() & kOptional) == 0) return outcome(error);
  // Not ours to raise (no CAP_SYS_RESOURCE): as far as it goes.
  rlimit64 present = {};
  if (const long failed = call(SYS_prlimit64, 0, op.a(), nullptr, &present); failed < 0)
    return static_cast<int>(-failed);
  wanted.rlim_max = present.rlim_max;
  if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
  return outcome(call(SYS_prlimit64, 0, op.a(), &wanted, nullptr));
}

int perform_set_credentials(Stage& stage, const OpView& op) {
  Credentials wanted = {};
  if (op.data_size() < sizeof wanted) return EINVAL;
  __builtin_memcpy(&wanted, op.data(), sizeof wanted);
  if ((op.data_size() - sizeof wanted) / sizeof(std::uint32_t) != wanted.group_count) return EINVAL;
  call(SYS_umask, wanted.umask != kLeaveUmask ? wanted.umask : stage.umask);
  const auto* groups = reinterpret_cast<const std::uint32_t*>(op.data() + sizeof wanted);
  if (wanted.uid != 0) give_streams(wanted.uid);
  if (const int error = drop_bounding(wanted.bounding); error != 0) return error;
  if (const int error = set_ids(wanted, groups, (op.flags() & kKeepGroups) != 0); error != 0) return error;
  if (const int error = set_capabilities(wanted); error != 0) return error;
  return raise_ambient(wanted.ambient);
}

int perform_become_root() {
  if (const long error = call(SYS_setresgid, 0, 0, 0); error < 0) return static_cast<int>(-error);
  return outcome(call(SYS_setresuid, 0, 0, 0));
}

int perform_set_no_new_privs() { return outcome(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

int perform_load_seccomp(const OpView& op) {
  const std::uint32_t count = op.data_size() / sizeof(sock_filter);
  if (count == 0 || count > BPF_MAXINSNS || op.data_size() % sizeof(sock_filter) != 0) return EINVAL;
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(count);
  program.filter = reinterpret_cast<sock_filter*>(const_cast<unsigned char*>(op.data()));
  const long loaded = call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op.flags(), &program);
  if (loaded < 0 || (op.flags() & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0) return outcome(loaded);
  // Nobody answers notifications until it has arrived: sendmsg(2) must not be one. seccomp_unotify(2).
  const UniqueFd listener(static_cast<int>(loaded));
  return send_report({ReportKind::listener, 0, 0}, listener.get());
}

int perform_new_session_keyring() { return outcome(call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr)); }

}  // namespace fermata::init
