// Namespaces, and files of the kernel. These run while the host's /proc is still in sight: it is trusted, a
// container's need not be (CVE-2019-16884), and /proc/sys shows the namespaces of whoever opens it.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>

#include "init/perform.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

int outcome(long result) { return result < 0 ? static_cast<int>(-result) : 0; }

std::uint32_t length(const char* text) {
  std::uint32_t size = 0;
  while (text[size] != 0) ++size;
  return size;
}

}  // namespace

bool is_procfs(int fd) {
  struct statfs info = {};
  return call(SYS_fstatfs, fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

int write_proc_file(const char* path, const void* value, std::size_t size) {
  const UniqueFd fd(static_cast<int>(call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC)));
  if (!fd) return -fd.get();
  if (!is_procfs(fd.get())) return EXDEV;
  return outcome(call(SYS_write, fd.get(), value, size));
}

int perform_join_namespace(const OpView& op) { return outcome(call(SYS_setns, slot_fd(op), op.flags())); }

int perform_unshare(const OpView& op) { return outcome(call(SYS_unshare, op.flags())); }

int perform_set_hostname(const OpView& op) {
  return outcome(call(SYS_sethostname, op.string(0), length(op.string(0))));
}

int perform_set_domainname(const OpView& op) {
  return outcome(call(SYS_setdomainname, op.string(0), length(op.string(0))));
}

int perform_write_kernel_file(const OpView& op) {
  return write_proc_file(op.string(0), op.data(), op.data_size());
}

int perform_set_oom_score_adj(const OpView& op) {
  char text[24];
  char* const end = text + sizeof text;
  char* at = end;
  const bool negative = static_cast<std::int64_t>(op.a()) < 0;
  std::uint64_t value = negative ? 0 - op.a() : op.a();
  do *--at = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  if (negative) *--at = '-';
  return write_proc_file("/proc/self/oom_score_adj", at, static_cast<std::size_t>(end - at));
}

}  // namespace fermata::init
