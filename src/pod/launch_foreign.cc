// Starting a container by another OCI runtime: the specification becomes a bundle, whose file systems
// fermata-init mounts where only the runtime sees them.
#include <unistd.h>

#include "base/files.h"
#include "kernel/program.h"
#include "oci/runtime_document_writer.h"
#include "pod/foreign.h"
#include "pod/foreign_spec.h"
#include "pod/launcher.h"
#include "runtime/defaults.h"
#include "runtime/foreign_plan.h"
#include "runtime/seccomp_cache.h"
#include "runtime/seccomp_document.h"

namespace fermata::pod {

Result<void> Launcher::write_bundle(const ForeignContainer& foreign, oci::RuntimeSpec spec,
                                    const std::vector<AllowedDevice>& devices) {
  const ContainerConfig& config = container_.config;
  TRY(const Security security, parse_security(config.security_opt));
  if (!config.privileged && !security.seccomp_unconfined) {
    std::string profile = security.seccomp_profile;
    if (profile.empty()) {
      TRY(profile, runtime::default_seccomp_profile());
    }
    TRY(spec.seccomp,
        runtime::seccomp_document(profile, runtime::seccomp_context(spec.process.capabilities.bounding)));
  }
  spec.hooks = config.edits.hooks;
  spec.root_path = runtime::kForeignRoot;
  spec.cgroups_path = "/" + engine_.container_cgroup(pod_, container_.id);
  spec.resources = foreign_resources(make_limits(config, devices));
  place_foreign_mounts(foreign.bundle(), container_.runtime.mounts, &spec);
  keep_to_rights(own_rights(), &spec.process);
  // Our own descriptors, which we hold until the runtime has opened them: namespaces.
  return write_file(foreign.path("config.json"), oci::runtime_document(spec, ::getpid()), 0600);
}

Result<void> Launcher::prepare_foreign(const oci::RuntimeSpec& spec,
                                       const std::vector<AllowedDevice>& devices) {
  if (user_namespace_ >= 0)
    return fail(
        ErrorKind::unsupported,
        "container '{}': the OCI runtime '{}' makes no containers in a pod's user namespace: run the pod "
        "without one, or without a runtime of its own",
        container_.name, container_.config.runtime);
  const cdi::Edits& edits = container_.config.edits;
  if (edits.intel_rdt || !edits.network_devices.empty())
    return fail(
        ErrorKind::unsupported,
        "container '{}': its CDI devices ask for a network device or a group of resctrl, which only the "
        "engine itself gives: leave out the OCI runtime '{}'",
        container_.name, container_.config.runtime);
  const ForeignContainer foreign(engine_.options().run_root, container_);
  TRY(foreign.make_bundle());
  TRY(write_bundle(foreign, spec, devices));
  warn_of_sysctls();
  TRY(warn_of_limits());
  TRY(make_group(devices));
  if (container_.config.terminal) {
    TRY(console_, ConsoleSocket::listen(engine_.options().run_root));
  }
  auto commands = foreign.create_commands(console_);
  TRY(foreign_group_, open_foreign_group(engine_, pod_, container_.id));
  commands.group = foreign_group_.path;
  TRY(plan_, runtime::plan_foreign_container(spec, foreign.bundle(), commands));
  TRY(init_program_, kernel::open_program(engine_.options().programs + "/fermata-init"));
  return {};
}

SessionResult Launcher::launch_foreign(LaunchRequest request, const StreamSelection& streams) {
  const ForeignContainer foreign(engine_.options().run_root, container_);
  // What the runtime keeps of it has to be deleted then (settle.cc).
  request.flags |= monitor::kNotifyExit;
  // The process finds its way into the group by the runtime; init is to stay outside.
  request.group = {};
  request.exec_group = foreign_group_.directory.get();
  auto session = launch_process(live_, plan_, container_.runtime.resolved.args, std::move(request), streams);
  if (session) return session;
  StartFailure failure = foreign_failure(foreign.complaint(), std::move(session.error()));
  // That it could not be made is what there is to tell.
  (void)foreign.forget();
  return tl::unexpected<StartFailure>(std::move(failure));
}

}  // namespace fermata::pod
