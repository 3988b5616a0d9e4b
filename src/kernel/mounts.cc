#include "kernel/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "kernel/core/mount_attributes.h"
#include "kernel/core/packet.h"
#include "kernel/core/rooted.h"
#include "kernel/core/spawn.h"

namespace fermata::kernel {
namespace {

// The child's whole answer: an errno (0: a descriptor is beside it).
struct CloneAnswer {
  int error;
};

// Runs in a child of a process that may have threads: async-signal-safe calls only, no allocation.
[[noreturn]] void clone_tree_child(int mount_namespace, const char* path, int socket) {
  CloneAnswer answer = {};
  int tree = -1;
  if (::setns(mount_namespace, CLONE_NEWNS) != 0) {
    answer.error = errno;
  } else {
    tree = ::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) answer.error = errno;
  }
  end_child(send_packet(socket, &answer, sizeof answer, tree) == 0 ? 0 : 1);
}

// {errno, descriptor}
std::pair<int, UniqueFd> receive_answer(int socket) {
  CloneAnswer answer = {};
  auto [size, tree] = receive_packet(socket, &answer, sizeof answer);
  if (size < 0) return {static_cast<int>(-size), UniqueFd()};
  if (size != static_cast<long>(sizeof answer)) return {ECHILD, UniqueFd()};  // the child was killed
  return {answer.error != 0 ? answer.error : (tree ? 0 : EBADMSG), std::move(tree)};
}

}  // namespace

Result<UniqueFd> open_in_root(int root, const std::string& path, std::uint64_t flags, std::uint32_t mode) {
  const int fd = rooted_open(root, path.c_str(), flags, mode);
  if (fd < 0) return fail(-fd, "open '{}' in the root", path);
  return UniqueFd(fd);
}

Result<UniqueFd> clone_tree(const std::string& path, bool recursive) {
  const int tree =
      ::open_tree(AT_FDCWD, path.c_str(),
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? unsigned{AT_RECURSIVE} : 0U));
  if (tree < 0) return fail(errno, "open the mount at '{}'", path);
  return UniqueFd(tree);
}

Result<UniqueFd> clone_tree_in(int mount_namespace, const std::string& path) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(errno, "make a socket pair");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // No page tables are copied, which is most of fork's price. The child has its own fs (root, working
  // directory) and namespaces: without CLONE_FS setns changes only its own.
  struct Arguments {
    int mount_namespace;
    const char* path;
    int socket;
  } arguments = {mount_namespace, path.c_str(), theirs.get()};
  alignas(64) unsigned char stack[16384];
  int child = 0;
  {
    const BlockedSignals blocked;
    child = spawn({.run =
                       [](void* data) {
                         const auto* given = static_cast<const Arguments*>(data);
                         clone_tree_child(given->mount_namespace, given->path, given->socket);
                       },
                   .argument = &arguments,
                   .stack = stack,
                   .stack_size = sizeof stack});
  }
  if (child < 0) return fail(-child, "start a child to enter a mount namespace");
  theirs.reset();
  auto [error, tree] = receive_answer(ours.get());
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (error != 0) return fail(error, "open the mount at '{}' of another mount namespace", path);
  return std::move(tree);
}

Result<void> set_mount_attributes(int tree, std::uint64_t set, std::uint64_t clear, std::uint64_t propagation,
                                  bool recursive) {
  if (const long error = set_attributes(tree, {set, clear, propagation, 0}, recursive); error < 0)
    return fail(static_cast<int>(-error), "change a mount");
  return {};
}

Result<void> change_mount(int tree, const MountAttributes& change) {
  if (const long error = change_mount_raw(tree, change); error < 0)
    return fail(static_cast<int>(-error), "change the attributes of a mount");
  return {};
}

Result<void> map_mount_ids(int tree, int user_namespace, bool recursive) {
  constexpr std::uint64_t kIdmap = 0x00100000;  // MOUNT_ATTR_IDMAP
  const long error =
      set_attributes(tree, {kIdmap, 0, 0, static_cast<std::uint64_t>(user_namespace)}, recursive);
  if (error == -EINVAL) return fail(ErrorKind::unsupported, "its file system cannot map ids on this kernel");
  if (error < 0) return fail(static_cast<int>(-error), "map the ids of a mount");
  return {};
}

Result<UniqueFd> make_detached_mount(const std::string& fstype, const std::string& options,
                                     std::uint64_t attributes) {
  const UniqueFd context(::fsopen(fstype.c_str(), FSOPEN_CLOEXEC));
  if (!context) return fail(errno, "open file system type '{}'", fstype);
  for (const std::string_view option : split(options, ',')) {
    if (option.empty()) continue;
    const auto pair = split_once(option, '=');
    const int set =
        pair ? ::fsconfig(context.get(), FSCONFIG_SET_STRING, std::string(pair->first).c_str(),
                          std::string(pair->second).c_str(), 0)
             : ::fsconfig(context.get(), FSCONFIG_SET_FLAG, std::string(option).c_str(), nullptr, 0);
    if (set != 0) return fail(errno, "option '{}' of a {} mount", option, fstype);
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail(errno, "make a {} file system", fstype);
  const int mount = ::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (mount < 0) return fail(errno, "make a {} mount", fstype);
  return UniqueFd(mount);
}

}  // namespace fermata::kernel
