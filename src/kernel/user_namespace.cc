#include "kernel/user_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/core/raw.h"
#include "kernel/core/spawn.h"

namespace fermata::kernel {
namespace {

// The one process of a new namespace: it waits to be killed, by us or by our end. It shares our memory, so it
// makes raw system calls only: libc's would write to our errno, a sanitizer's code to its notes on our
// thread.
[[gnu::no_sanitize("address", "thread", "undefined")]] void wait_for_the_end(void*) {
  raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (;;) raw::call(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
}

// Killed and reaped with the object.
class Holder {
 public:
  Holder() {
    const BlockedSignals blocked;
    // No exit signal: who waits for any child of theirs does not get this one.
    pid_ = spawn({.flags = CLONE_NEWUSER,
                  .run = wait_for_the_end,
                  .stack = stack_,
                  .stack_size = sizeof stack_,
                  .stays = true});
  }
  ~Holder() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  int error() const { return pid_ < 0 ? -pid_ : 0; }
  std::string file(const char* name) const { return fmt::format("/proc/{}/{}", pid_, name); }

 private:
  alignas(64) unsigned char stack_[4096];
  int pid_ = -1;  // or -errno
};

Result<void> write_map(const Holder& holder, const char* name, const std::vector<IdRange>& ranges) {
  if (auto written = write_kernel_file(holder.file(name), format_id_map(ranges)); !written) {
    const int error = written.error().error_number();
    if (error == EINVAL)
      return fail(ErrorKind::invalid_argument,
                  "the id mappings overlap, are too many, or use ids that are not ours ({})", name);
    return fail(error, "write {}", name);
  }
  return {};
}

Result<void> write_maps(const Holder& holder, const IdMaps& maps) {
  TRY(write_map(holder, "uid_map", maps.uids));
  auto groups = write_map(holder, "gid_map", maps.gids);
  if (groups || groups.error().error_number() != EPERM) return groups;
  // Without CAP_SETGID a process may map its own group if it gives up setgroups(2). Linux 3.19.
  if (auto denied = write_kernel_file(holder.file("setgroups"), "deny"); !denied)
    return fail_with(std::move(denied.error()), "deny setgroups");
  return write_map(holder, "gid_map", maps.gids);
}

Result<std::vector<IdRange>> read_map(int pid, const char* name) {
  TRY(const std::string text, read_file(fmt::format("/proc/{}/{}", pid, name)));
  return parse_id_map(text);
}

}  // namespace

std::string format_id_map(const std::vector<IdRange>& ranges) {
  std::string text;
  for (const IdRange& range : ranges)
    text += fmt::format("{} {} {}\n", range.inside, range.outside, range.size);
  return text;
}

Result<std::vector<IdRange>> parse_id_map(std::string_view text) {
  std::vector<IdRange> ranges;
  for (const std::string_view line : split(text, '\n')) {
    std::vector<std::uint32_t> numbers;
    for (const std::string_view word : split(line, ' ')) {
      if (word.empty()) continue;
      const auto number = parse_unsigned(word);
      if (!number || *number > UINT32_MAX) return fail(ErrorKind::failed, "an id map with '{}'", word);
      numbers.push_back(static_cast<std::uint32_t>(*number));
    }
    if (numbers.empty()) continue;
    if (numbers.size() != 3) return fail(ErrorKind::failed, "an id map with the line '{}'", line);
    ranges.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return ranges;
}

Result<UniqueFd> make_user_namespace(const IdMaps& maps) {
  if (maps.uids.empty() || maps.gids.empty())
    return fail(ErrorKind::invalid_argument, "a user namespace needs mappings of user ids and of group ids");
  const Holder holder;
  if (holder.error() == ENOSPC)
    return fail(ErrorKind::no_space, "no more user namespaces (see /proc/sys/user/max_user_namespaces)");
  if (holder.error() != 0) return fail(holder.error(), "make a user namespace");
  if (auto written = write_maps(holder, maps); !written)
    return fail_with(std::move(written.error()), "user namespace");
  return open_file(holder.file("ns/user"), O_RDONLY);
}

Result<IdMaps> read_id_maps(int user_namespace) {
  // A whole copy of us: to join a namespace changes credentials, and with them whether the memory may be
  // dumped.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int child = ::fork();
  if (child < 0) return fail(errno, "start a child to look at a user namespace");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int error = ::setns(user_namespace, CLONE_NEWUSER) == 0 ? 0 : errno;
    if (::write(writer.get(), &error, sizeof error) == sizeof error && error == 0) ::pause();
    ::_exit(0);
  }
  writer.reset();
  int error = ECHILD;
  while (::read(reader.get(), &error, sizeof error) < 0 && errno == EINTR) {
  }
  Result<IdMaps> maps = IdMaps{};
  if (error != 0) {
    maps = fail(error, "join a user namespace");
  } else {
    auto uids = read_map(child, "uid_map");
    auto gids = read_map(child, "gid_map");
    if (!uids || !gids)
      maps = tl::unexpected(std::move(!uids ? uids.error() : gids.error()));
    else
      maps = IdMaps{std::move(*uids), std::move(*gids)};
  }
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return maps;
}

}  // namespace fermata::kernel
