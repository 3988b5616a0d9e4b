#include "monitor/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/core/unique_fd.h"
#include "kernel/core/spawn.h"
#include "monitor/child.h"
#include "monitor/text.h"

namespace fermata::monitor {
namespace {

constexpr std::uint32_t kAllowed = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

// Shared with the child that is born in the namespaces. It shares our descriptors too (CLONE_FILES): what it
// opens is ours.
struct Maker {
  const Setup* setup;
  int user;  // -1: the namespaces were made with the child
  int net = -1, ipc = -1, uts = -1, mount = -1;
  int error = 0;
};

int open_namespace(std::uint32_t flags, std::uint32_t flag, const char* path, int& fd) {
  if ((flags & flag) == 0) return 0;
  fd = ::open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? errno : 0;
}

// Leaves the host's mounts for an empty root. /proc serves as the place to stand on: it exists wherever we
// can run.
int make_root(const Setup& setup) {
  char options[64];
  char* end =
      append_number(append_text(options, "mode=1777,size="), static_cast<std::int64_t>(setup.shm_size));
  *end = '\0';
  // First, or the host would see the mounts that follow, and lose those that are detached.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  if (::mount("fermata", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m") != 0)
    return errno;
  if (::chdir("/proc") != 0 || ::mkdir("shm", 0755) != 0) return errno;
  if (::mount("shm", "shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0) return errno;
  if (::syscall(SYS_pivot_root, ".", ".") == 0) return ::umount2(".", MNT_DETACH) == 0 ? 0 : errno;
  if (errno != EINVAL) return errno;
  // The host runs from its initramfs, which cannot be pivoted away; pivot_root(2), NOTES. It stays below
  // ours, hidden.
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0) return errno;
  return 0;
}

int set_up(Maker& maker) {
  const Setup& setup = *maker.setup;
  int error = open_namespace(setup.flags, CLONE_NEWNET, "/proc/self/ns/net", maker.net);
  if (error == 0) error = open_namespace(setup.flags, CLONE_NEWIPC, "/proc/self/ns/ipc", maker.ipc);
  if (error == 0) error = open_namespace(setup.flags, CLONE_NEWUTS, "/proc/self/ns/uts", maker.uts);
  if (error == 0) error = open_namespace(CLONE_NEWNS, CLONE_NEWNS, "/proc/self/ns/mnt", maker.mount);
  if (error == 0) error = make_root(setup);
  // Only in a namespace of its own: else it would be the host's name.
  if (error == 0 && (setup.flags & CLONE_NEWUTS) != 0 && setup.hostname[0] != '\0' &&
      ::sethostname(setup.hostname, std::strlen(setup.hostname)) != 0)
    error = errno;
  return error;
}

// As its user 0, whose the mounts will be. Nobody else is in there yet who could look at the memory that we
// show.
int enter_user_namespace(const Maker& maker) {
  if (::setns(maker.user, CLONE_NEWUSER) != 0) return errno;
  if (const int error = become_root(); error != 0) return error;
  return ::unshare(static_cast<int>(maker.setup->flags) | CLONE_NEWNS) == 0 ? 0 : errno;
}

void run_maker(void* argument) {
  auto* maker = static_cast<Maker*>(argument);
  if (maker->user >= 0) maker->error = enter_user_namespace(*maker);
  if (maker->error == 0) maker->error = set_up(*maker);
  ::_exit(0);
}

}  // namespace

int make_namespaces(const Setup& setup, UniqueFd user, Namespaces& namespaces) {
  if ((setup.flags & ~kAllowed) != 0 || setup.shm_size > INT64_MAX) return EINVAL;
  if (namespaces.made()) return namespaces.flags == setup.flags ? 0 : EEXIST;
  Maker maker = {.setup = &setup, .user = user.get()};
  const std::uint64_t born_in = user.valid() ? 0 : setup.flags | CLONE_NEWNS;
  const int dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  const int pid = kernel::spawn({.flags = born_in | CLONE_FILES, .run = run_maker, .argument = &maker});
  if (pid < 0) return -pid;
  // A change of credentials takes it from all who share the memory.
  if (dumpable == 1) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  UniqueFd net(maker.net), ipc(maker.ipc), uts(maker.uts), mount(maker.mount);
  if (maker.error != 0) return maker.error;
  // Killed in the middle, by the kernel for want of memory perhaps.
  if (!WIFEXITED(status) || !mount.valid()) return EIO;
  namespaces = {.net = net.release(),
                .ipc = ipc.release(),
                .uts = uts.release(),
                .mount = mount.release(),
                .user = user.release(),
                .flags = setup.flags};
  return 0;
}

}  // namespace fermata::monitor
