#include "cri/sandboxes.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include "base/clock.h"
#include "base/files.h"
#include "cri/keepsake.h"
#include "cri/members.h"
#include "cri/pod_names.h"
#include "cri/rpc_status.h"
#include "cri/sandbox_config.h"
#include "cri/security_profile.h"
#include "cri/send_in_parts.h"

namespace fermata::cri {
namespace {

// The plugins', where the node has a configuration of them.
Result<void> choose_network(const Networks& networks, pod::ContainerConfig& config) {
  if (config.net.kind != "bridge") return {};
  TRY(auto chosen, networks.choose());
  if (!chosen) return {};
  config.net.kind = "cni";
  config.cni.configuration_directory = std::move(chosen->configuration_directory);
  config.cni.plugin_directories = std::move(chosen->plugin_directories);
  config.cni.ip_ranges = std::move(chosen->ip_ranges);
  return {};
}

bool is_the_same(const v1::PodSandboxMetadata& one, const v1::PodSandboxMetadata& other) {
  return google::protobuf::util::MessageDifferencer::Equals(one, other);
}

}  // namespace

Result<void> Sandboxes::check_handler(const std::string& handler) const {
  if (handler.empty() || handler == "fermata" || settings_.runtimes.contains(handler)) return {};
  return fail(ErrorKind::invalid_argument,
              "unknown runtime handler '{}': name it in the runtimes of the daemon's configuration", handler);
}

Result<std::string> Sandboxes::run(const v1::RunPodSandboxRequest& request, const std::string& name) {
  TRY(auto engine, engines_.lease());
  const auto there = pod_of(*engine, name);
  if (!there && !is_gone(there.error())) return tl::unexpected(there.error());
  if (there && there->info.infra.name == name) {
    if (!is_the_same(there->request.config().metadata(), request.config().metadata()))
      return fail(ErrorKind::conflict, "another pod is called {}: {}", name, there->info.id);
    if (there->info.ready) return there->info.id;
    return fail(ErrorKind::conflict,
                "this attempt of the pod was made as {} and has ended: remove it, or count the attempts up",
                there->info.id);
  }
  TRY(auto config, plan_sandbox(request, settings_.infra_image, read_profile));
  TRY(choose_network(networks_, config));
  if (const auto other = settings_.runtimes.find(request.runtime_handler());
      other != settings_.runtimes.end())
    config.runtime = other->second;
  if (const std::string& logs = request.config().log_directory(); !logs.empty()) TRY(make_directories(logs));
  auto id = engine->run_pod(std::move(config));
  if (id)
    events_.look(*id);
  else
    idle_host_.pod_ended();
  return id;
}

grpc::Status Sandboxes::RunPodSandbox(grpc::ServerContext& context, const v1::RunPodSandboxRequest& request,
                                      v1::RunPodSandboxResponse& response) {
  RPC_TRY(check_handler(request.runtime_handler()));
  RPC_TRY(const std::string name, sandbox_name(request.config().metadata()));
  auto id = running_.run(
      name, [&] { return context.IsCancelled(); },
      [this, request, name](const std::stop_token&) -> Result<std::string> {
        auto ran = run(request, name);
        if (!ran)
          return fail_with(std::move(ran.error()), "pod '" + request.config().metadata().name() + "'");
        return ran;
      });
  if (!id) return grpc::Status::CANCELLED;
  RPC_TRY(*response.mutable_pod_sandbox_id(), std::move(*id));
  return grpc::Status::OK;
}

grpc::Status Sandboxes::StopPodSandbox(grpc::ServerContext&, const v1::StopPodSandboxRequest& request,
                                       v1::StopPodSandboxResponse&) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  RPC_TRY(auto engine, engines_.lease());
  const auto status = done(engine->stop_pod(request.pod_sandbox_id()));
  events_.look(request.pod_sandbox_id());
  idle_host_.pod_ended();
  return status;
}

grpc::Status Sandboxes::RemovePodSandbox(grpc::ServerContext&, const v1::RemovePodSandboxRequest& request,
                                         v1::RemovePodSandboxResponse&) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  RPC_TRY(auto engine, engines_.lease());
  // Its containers end first: their exit codes are to be told.
  if (const auto stopped = engine->stop_pod(request.pod_sandbox_id()); !stopped) return done(stopped);
  events_.examine(request.pod_sandbox_id());
  const auto status = done(engine->remove_pod(request.pod_sandbox_id()));
  events_.look(request.pod_sandbox_id());
  idle_host_.pod_ended();
  return status;
}

grpc::Status Sandboxes::PodSandboxStatus(grpc::ServerContext&, const v1::PodSandboxStatusRequest& request,
                                         v1::PodSandboxStatusResponse& response) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  RPC_TRY(const auto pod, inventory_.pod(request.pod_sandbox_id()));
  RPC_TRY(auto engine, engines_.lease());
  *response.mutable_status() = with_entry(pod->rest, pod->entry);
  for (const KnownContainer& container : pod->containers) {
    RPC_TRY(*response.add_containers_statuses(), status_of(*engine, container));
  }
  response.set_timestamp(now_ns());
  if (!request.verbose()) return grpc::Status::OK;
  RPC_TRY(const Pod whole, pod_of(*engine, pod->entry.id()));
  (*response.mutable_info())["info"] = details_of(whole.info, whole.request);
  return grpc::Status::OK;
}

Result<std::vector<v1::PodSandbox>> Sandboxes::list(const v1::PodSandboxFilter& filter) {
  TRY(const auto pods, inventory_.pods());
  std::vector<v1::PodSandbox> found;
  for (const auto& pod : pods)
    if (matches(filter, pod->entry)) found.push_back(pod->entry);
  return found;
}

grpc::Status Sandboxes::ListPodSandbox(grpc::ServerContext&, const v1::ListPodSandboxRequest& request,
                                       v1::ListPodSandboxResponse& response) {
  RPC_TRY(auto pods, list(request.filter()));
  for (v1::PodSandbox& pod : pods) *response.add_items() = std::move(pod);
  return grpc::Status::OK;
}

grpc::Status Sandboxes::StreamPodSandboxes(grpc::ServerContext&, const v1::StreamPodSandboxesRequest& request,
                                           grpc::ServerWriter<v1::StreamPodSandboxesResponse>& writer) {
  RPC_TRY(auto pods, list(request.filter()));
  return send_in_parts(writer, std::move(pods), [](v1::StreamPodSandboxesResponse& part, v1::PodSandbox pod) {
    *part.add_pod_sandboxes() = std::move(pod);
  });
}

grpc::Status Sandboxes::UpdatePodSandboxResources(grpc::ServerContext&,
                                                  const v1::UpdatePodSandboxResourcesRequest& request,
                                                  v1::UpdatePodSandboxResourcesResponse&) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(Pod pod, pod_of(*engine, request.pod_sandbox_id()));
  auto* config = pod.request.mutable_config()->mutable_linux();
  if (request.has_overhead()) *config->mutable_overhead() = request.overhead();
  if (request.has_resources()) *config->mutable_resources() = request.resources();
  return to_status(engine->attach_data(pod.info.infra.id, keepsake_of(pod.request)));
}

}  // namespace fermata::cri
