// Handing a plan to the monitor, and what its answer means.
#include <fmt/format.h>

#include "init/report.h"
#include "pod/launcher.h"

namespace fermata::pod {
namespace {

tl::unexpected<StartFailure> failure(Error error, int exit_code = 125) {
  return tl::unexpected<StartFailure>(StartFailure{.exit_code = exit_code, .error = std::move(error)});
}

const char* describe(monitor::Stage stage) {
  switch (stage) {
    case monitor::Stage::cgroup:
      return "enter the container's cgroup";
    case monitor::Stage::clone:
      return "make a process";
    case monitor::Stage::init:
      return "start fermata-init";
    case monitor::Stage::log:
      return "open the log";
    case monitor::Stage::namespaces:
      return "enter the PID namespace";
    default:
      return "start the process";
  }
}

}  // namespace

StartFailure launch_failure(const runtime::LaunchPlan& plan, const std::vector<std::string>& args,
                            const monitor::Reply& reply) {
  if (reply.op_index == init::kNoOp)
    return {.exit_code = 125,
            .error = std::move(fail(reply.error, "the monitor cannot {}", describe(reply.stage)).value())};
  auto explained = runtime::explain_failure(plan, args, reply.op_index, reply.error);
  return {.exit_code = explained.exit_code,
          .error = Error(kind_of(reply.error), reply.error, std::move(explained.message))};
}

SessionResult launch_process(LivePod& live, const runtime::LaunchPlan& plan,
                             const std::vector<std::string>& args, LaunchRequest request,
                             const StreamSelection& streams) {
  request.plan = plan.bytes;
  request.slots = plan.slots;
  request.pid_namespace = plan.pid_namespace;
  request.user_namespace = plan.user_namespace;
  request.joined_namespaces = plan.joined_namespaces;
  request.limits = plan.limits;
  request.oom_score_adj = plan.oom_score_adj;
  if (plan.new_pid_namespace) request.flags |= monitor::kNewPid;
  auto launched = live.client.launch(request, streams);
  if (!launched) return failure(std::move(launched.error()));
  if (launched->reply.error != 0)
    return tl::unexpected<StartFailure>(launch_failure(plan, args, launched->reply));
  return std::move(launched->session);
}

SessionResult Launcher::launch(const StreamSelection& streams) {
  const ContainerConfig& config = container_.config;
  LaunchRequest request;
  request.id = container_.id;
  request.container = container_.id;
  if (config.terminal) request.flags |= monitor::kTerminal;
  if (config.stdin_open) request.flags |= monitor::kStdinOpen;
  if (config.attach_stdin) request.flags |= monitor::kStdinOnce;
  if (pod_.config.infra == container_.id) request.flags |= monitor::kInfra;
  // What outlives the first process in a PID namespace that is not its own has to be killed then (settle.cc).
  const bool shares_pid = config.pid.kind == "container" || config.pid.kind == "host";
  // Of a pod's member its owner wants to hear, too.
  if (config.auto_remove || shares_pid || !config.pod.empty() || wants_stop_actions(config.edits))
    request.flags |= monitor::kNotifyExit;
  request.log_enabled = config.log_driver != "none";
  request.log_size = config.log_path.empty() ? config.log_max_size : 0;
  request.log_files = config.log_max_files == 0 ? 1 : config.log_max_files;
  request.init_program = init_program_.get();
  request.directory = directory_.get();
  request.oom_events = oom_events_.get();
  request.group = std::move(group_);
  request.stream_owner = stream_owner(pod_.config, container_.runtime.user);
  if (is_foreign(container_)) return launch_foreign(std::move(request), streams);
  if (actions_) request.rendezvous = &actions_->rendezvous();
  auto session = launch_process(live_, plan_, container_.runtime.resolved.args, std::move(request), streams);
  if (!session || !actions_) return session;
  auto finished = actions_->finish();
  if (finished) return session;
  // The first failure is the one to tell; what still runs is found by whoever settles the pod.
  (void)end_process();
  return failure(std::move(finished.error()));
}

// The connection that it was started by may have become a stream.
Result<void> Launcher::end_process() {
  TRY(engine_.kill_group(engine_.container_cgroup(pod_, container_.id)));
  TRY(auto live, engine_.reach(pod_.id));
  if (live) TRY(live->client.wait_killed(container_.id));
  return {};
}

}  // namespace fermata::pod
