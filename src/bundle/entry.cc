#include "bundle/entry.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/files.h"
#include "base/process.h"
#include "bundle/hooks.h"
#include "bundle/spec_parts.h"
#include "kernel/pidfd.h"
#include "runtime/exec_target.h"

namespace fermata::bundle {

Result<Child> start_hook_inside(const std::string& init, const oci::Hook& hook, const Entry& entry,
                                const std::array<int, 3>& streams) {
  TRY(const runtime::LaunchPlan plan, runtime::plan_hook(hook, entry.target));
  return launch(plan, {hook.path}, {.init_path = init, .streams = streams}, {});
}

Result<Child> start_hook_as_process(const std::string& init, const HookRights& rights, const oci::Hook& hook,
                                    const Entry& entry, const std::array<int, 3>& streams) {
  oci::Process process = rights.process;
  process.terminal = false;
  process.args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  process.env = hook.env;
  TRY(const runtime::LaunchPlan plan,
      runtime::plan_exec(process, entry.target, rights.seccomp_program,
                         {.follow_parent = true,
                          .grantable_capabilities = rights.grantable_capabilities,
                          .program = hook.path}));
  return launch(plan, {hook.path}, {.init_path = init, .streams = streams}, {});
}

Result<Entry> open_entry(int pid, std::int64_t pid_start) {
  Entry entry;
  entry.pidfd = kernel::open_pidfd(pid);
  if (!entry.pidfd) return fail(errno, "open process {}", pid);
  TRY(entry.pid_namespace, open_file(fmt::format("/proc/{}/ns/pid", pid), O_RDONLY));
  entry.target = {.pidfd = entry.pidfd.get(),
                  .pid_namespace = entry.pid_namespace.get(),
                  .namespaces = runtime::namespaces_of(pid)};
  // Only now is it known that all of these are of one process.
  if (pid_start != 0 && process_start(pid) != pid_start)
    return fail(ErrorKind::conflict, "the container's process has ended");
  return entry;
}

bool has_creation_hooks(const oci::RuntimeSpec& spec) {
  return !spec.hooks.prestart.empty() || !spec.hooks.create_runtime.empty() ||
         !spec.hooks.create_container.empty();
}

Result<void> run_creation_hooks(const Options& options, const oci::RuntimeSpec& spec,
                                const Container& container) {
  const std::string state = state_document(container, "creating", spec.annotations);
  TRY(run_hooks(spec.hooks.prestart, "prestart", state, start_hook_here));
  TRY(run_hooks(spec.hooks.create_runtime, "createRuntime", state, start_hook_here));
  if (spec.hooks.create_container.empty()) return {};
  TRY(const Entry entry, open_entry(container.record.pid, 0));
  return run_hooks(spec.hooks.create_container, "createContainer", state,
                   [&](const oci::Hook& hook, const std::array<int, 3>& streams) {
                     return start_hook_inside(options.programs + kInitProgram, hook, entry, streams);
                   });
}

Result<void> run_start_hooks(const Options& options, const oci::RuntimeSpec& spec,
                             const Container& container) {
  if (spec.hooks.start_container.empty()) return {};
  TRY(const Entry entry, open_entry(container.record.pid, container.record.pid_start));
  const std::string state = state_document(container, name_of(container.status), spec.annotations);
  TRY(const runtime::CompiledSeccomp filter, open_filter(spec, spec.process, options.root));
  const HookRights rights = {.process = spec.process,
                             .seccomp_program = filter.program.get(),
                             .grantable_capabilities = grantable_capabilities(spec)};
  return run_hooks(spec.hooks.start_container, "startContainer", state,
                   [&](const oci::Hook& hook, const std::array<int, 3>& streams) {
                     return start_hook_as_process(options.programs + kInitProgram, rights, hook, entry,
                                                  streams);
                   });
}

}  // namespace fermata::bundle
