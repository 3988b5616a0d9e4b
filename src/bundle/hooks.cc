#include "bundle/hooks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/files.h"
#include "base/text.h"
#include "kernel/pidfd.h"

namespace fermata::bundle {
namespace {

constexpr std::size_t kMaxOutput = 4096;  // of a hook, as far as it goes into an error

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::string output_of(int file) {
  std::string text(kMaxOutput, '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return std::string(trim(text));
}

Result<void> check_end(const siginfo_t& how, int output) {
  if (how.si_code == CLD_EXITED && how.si_status == 0) return {};
  const std::string said = output_of(output);
  const char* const verb = how.si_code == CLD_EXITED ? "exit status" : "signal";
  return fail(ErrorKind::failed, "{} {}{}{}", verb, how.si_status, said.empty() ? "" : ": ", said);
}

// What a program of the host's starts with: its streams, and no signal blocked or ignored, as ours are while
// we stand by a container.
struct SpawnSettings {
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);  // neither of the two can fail with glibc or musl
    ::posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
  }

  Result<void> set(const std::array<int, 3>& streams) {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = 0;
    for (int stream = 0; stream < 3 && error == 0; ++stream)
      error = ::posix_spawn_file_actions_adddup2(&actions, streams[static_cast<std::size_t>(stream)], stream);
    if (error != 0) return fail(error, "prepare a process");
    return {};
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

Result<void> run_hook(const oci::Hook& hook, const std::string& state, const StartHook& start) {
  TRY(const UniqueFd input, memory_file("state", state));
  if (::lseek(input.get(), 0, SEEK_SET) < 0) return fail(errno, "prepare the state");
  TRY(const UniqueFd output, memory_file("output", ""));
  TRY(const Child child, start(hook, {input.get(), output.get(), output.get()}));
  TRY(const auto how, wait_child(child, hook.timeout ? *hook.timeout * 1000 : -1));
  if (how) return check_end(*how, output.get());
  end_child(child);
  return fail(ErrorKind::failed, "no end after {} s", *hook.timeout);
}

std::string context_of(const oci::Hook& hook, std::string_view kind, std::size_t index) {
  return fmt::format("{} hook #{} '{}'", kind, index, hook.path);
}

}  // namespace

Result<Child> start_hook_here(const oci::Hook& hook, const std::array<int, 3>& streams) {
  SpawnSettings settings;
  TRY(settings.set(streams));
  const std::vector<std::string> own_name = {hook.path};
  const auto arguments = pointers(hook.args.empty() ? own_name : hook.args);
  const auto environment = pointers(hook.env);
  pid_t pid = -1;
  if (const int error = ::posix_spawn(&pid, hook.path.c_str(), &settings.actions, &settings.attributes,
                                      arguments.data(), environment.data());
      error != 0)
    return fail(error, "execute");
  UniqueFd pidfd = kernel::open_pidfd(pid);
  if (!pidfd) return fail(errno, "open process {}", pid);
  return Child{.pid = pid, .pidfd = std::move(pidfd)};
}

Result<void> run_hooks(const std::vector<oci::Hook>& hooks, std::string_view kind, const std::string& state,
                       const StartHook& start) {
  for (std::size_t i = 0; i < hooks.size(); ++i)
    if (auto ran = run_hook(hooks[i], state, start); !ran)
      return fail_with(std::move(ran.error()), context_of(hooks[i], kind, i));
  return {};
}

std::vector<Error> run_all_hooks(const std::vector<oci::Hook>& hooks, std::string_view kind,
                                 const std::string& state) {
  std::vector<Error> failures;
  for (std::size_t i = 0; i < hooks.size(); ++i)
    if (auto ran = run_hook(hooks[i], state, start_hook_here); !ran)
      failures.push_back(std::move(ran.error()).with_context(context_of(hooks[i], kind, i)));
  return failures;
}

}  // namespace fermata::bundle
