#include "cri/containers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "cri/container_config.h"
#include "cri/members.h"
#include "cri/pod_names.h"
#include "cri/rpc_status.h"
#include "cri/security_profile.h"
#include "cri/send_in_parts.h"
#include "cri/timeouts.h"
#include "pod/device_edits.h"

namespace fermata::cri {
namespace {

// Whose PID namespace is to be shared: one of the same pod.
Result<void> check_target(pod::Engine& engine, const Pod& pod, pod::ContainerConfig& config) {
  if (config.pid.kind != "container") return {};
  TRY(const Member target, member(engine, config.pid.target));
  if (target.info.pod_id != pod.info.id)
    return fail(ErrorKind::invalid_argument, "the target container {} is in another pod", config.pid.target);
  config.pid.target = target.info.id;
  return {};
}

// The one that the same request has made before, if it has not been started.
Result<std::optional<std::string>> made_before(pod::Engine& engine, const std::string& name,
                                               const v1::CreateContainerRequest& request) {
  auto there = engine.inspect(name);
  if (!there && is_gone(there.error())) return std::optional<std::string>();
  if (!there) return tl::unexpected(std::move(there.error()));
  // An id that begins so.
  if (there->name != name) return std::optional<std::string>();
  TRY(const Member old, member(engine, there->id));
  const bool same = old.request.config().SerializeAsString() == request.config().SerializeAsString();
  if (same && state_of(old.info) == v1::CONTAINER_CREATED) return std::optional(old.info.id);
  return fail(ErrorKind::conflict,
              "this attempt of the container was made before as {}: remove it, or count the attempts up",
              old.info.id);
}

// By the field, and by annotations as of before there was one; asking twice is asking once.
Result<void> add_devices(const v1::ContainerConfig& asked, cdi::Registry& registry,
                         pod::ContainerConfig& config) {
  std::vector<std::string> names;
  for (const v1::CDIDevice& device : asked.cdi_devices()) names.push_back(device.name());
  TRY(auto annotated, pod::annotated_cdi_devices(config.annotations));
  names.insert(names.end(), annotated.begin(), annotated.end());
  return pod::inject_cdi(config, std::move(names), registry);
}

}  // namespace

Containers::Containers(Engines& engines, Inventory& inventory, Events& events,
                       std::vector<std::string> cdi_dirs)
    : engines_(engines),
      inventory_(inventory),
      events_(events),
      limits_(detect_limit_support()),
      devices_(std::move(cdi_dirs)) {}

Result<std::string> Containers::create(const v1::CreateContainerRequest& request) {
  TRY(auto engine, engines_.lease());
  TRY(const Pod pod, pod_of(*engine, request.pod_sandbox_id()));
  if (!pod.info.ready)
    return fail(ErrorKind::conflict, "pod {} is not ready: it has ended", request.pod_sandbox_id());
  const ContainerPlace place{.pod = pod.info.id, .sandbox = pod.request};
  TRY(auto config, plan_container(request, place, limit_support_of(pod.info.cgroup, limits_), read_profile));
  TRY(auto before, made_before(*engine, config.name, request));
  if (before) return std::move(*before);
  TRY(check_target(*engine, pod, config));
  TRY(add_devices(request.config(), devices_, config));
  TRY(auto id, engine->create(std::move(config)));
  events_.look(pod.info.id);
  return id;
}

grpc::Status Containers::CreateContainer(grpc::ServerContext& context,
                                         const v1::CreateContainerRequest& request,
                                         v1::CreateContainerResponse& response) {
  if (request.pod_sandbox_id().empty()) return missing("pod_sandbox_id");
  if (!request.has_config()) return missing("config");
  const auto& metadata = request.config().metadata();
  const std::string key =
      fmt::format("{}/{}/{}", request.pod_sandbox_id(), metadata.name(), metadata.attempt());
  auto id = creating_.run(
      key, [&] { return context.IsCancelled(); },
      [this, request](const std::stop_token&) -> Result<std::string> {
        auto created = create(request);
        if (!created)
          return fail_with(std::move(created.error()),
                           "container '" + request.config().metadata().name() + "'");
        return created;
      });
  if (!id) return grpc::Status::CANCELLED;
  RPC_TRY(*response.mutable_container_id(), std::move(*id));
  return grpc::Status::OK;
}

Result<std::string> Containers::start(const std::string& container) {
  TRY(auto engine, engines_.lease());
  TRY(const Member asked, member(*engine, container));
  if (state_of(asked.info) != v1::CONTAINER_CREATED)
    return fail(ErrorKind::conflict, "container {} was started before: create another", container);
  auto started = engine->start(asked.info.id, {});
  events_.look(asked.info.pod_id);
  if (started) return asked.info.id;
  return fail_with(start_error(std::move(started.error().error)),
                   fmt::format("container '{}'", asked.request.config().metadata().name()));
}

grpc::Status Containers::StartContainer(grpc::ServerContext& context,
                                        const v1::StartContainerRequest& request,
                                        v1::StartContainerResponse&) {
  const std::string& container = request.container_id();
  if (container.empty()) return missing("container_id");
  const auto started = starting_.run(
      container, [&] { return context.IsCancelled(); },
      [this, container](const std::stop_token&) { return start(container); });
  if (!started) return grpc::Status::CANCELLED;
  return *started ? grpc::Status::OK : to_status(started->error());
}

grpc::Status Containers::StopContainer(grpc::ServerContext&, const v1::StopContainerRequest& request,
                                       v1::StopContainerResponse&) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  const auto asked = member(*engine, request.container_id());
  if (!asked && is_gone(asked.error())) return grpc::Status::OK;
  if (!asked) return to_status(asked.error());
  const std::int64_t timeout = std::clamp<std::int64_t>(request.timeout(), 0, kMaxTimeout);
  const auto stopped =
      engine->stop(asked->info.id, static_cast<int>(timeout), timeout == 0 ? "KILL" : std::string());
  events_.look(asked->info.pod_id);
  return done(stopped);
}

grpc::Status Containers::RemoveContainer(grpc::ServerContext&, const v1::RemoveContainerRequest& request,
                                         v1::RemoveContainerResponse&) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  const auto asked = member(*engine, request.container_id());
  if (!asked && is_gone(asked.error())) return grpc::Status::OK;
  if (!asked) return to_status(asked.error());
  // It is ended first: its exit code is to be told.
  if (state_of(asked->info) == v1::CONTAINER_RUNNING)
    if (const auto ended = engine->stop(asked->info.id, 0, "KILL"); !ended && !is_gone(ended.error()))
      return to_status(ended);
  events_.examine(asked->info.pod_id);
  const auto removed = engine->remove(asked->info.id, {.force = true, .volumes = true});
  events_.look(asked->info.pod_id);
  return done(removed);
}

grpc::Status Containers::ContainerStatus(grpc::ServerContext&, const v1::ContainerStatusRequest& request,
                                         v1::ContainerStatusResponse& response) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(const auto place, inventory_.container(request.container_id()));
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(*response.mutable_status(), status_of(*engine, *place.container));
  if (!request.verbose()) return grpc::Status::OK;
  RPC_TRY(const Member asked, member(*engine, place.container->entry.id()));
  (*response.mutable_info())["info"] = details_of(asked.info, asked.request);
  return grpc::Status::OK;
}

Result<std::vector<v1::Container>> Containers::list(const v1::ContainerFilter& filter) {
  TRY(const auto pods, inventory_.pods());
  std::vector<v1::Container> found;
  for (const auto& pod : pods)
    for (const KnownContainer& container : pod->containers)
      if (matches(filter, container.entry)) found.push_back(container.entry);
  // Newest first, whichever pod they are in.
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& one, const auto& other) { return one.created_at() > other.created_at(); });
  return found;
}

grpc::Status Containers::ListContainers(grpc::ServerContext&, const v1::ListContainersRequest& request,
                                        v1::ListContainersResponse& response) {
  RPC_TRY(auto containers, list(request.filter()));
  for (v1::Container& container : containers) *response.add_containers() = std::move(container);
  return grpc::Status::OK;
}

grpc::Status Containers::StreamContainers(grpc::ServerContext&, const v1::StreamContainersRequest& request,
                                          grpc::ServerWriter<v1::StreamContainersResponse>& writer) {
  RPC_TRY(auto containers, list(request.filter()));
  return send_in_parts(writer, std::move(containers),
                       [](v1::StreamContainersResponse& part, v1::Container container) {
                         *part.add_containers() = std::move(container);
                       });
}

grpc::Status Containers::UpdateContainerResources(grpc::ServerContext&,
                                                  const v1::UpdateContainerResourcesRequest& request,
                                                  v1::UpdateContainerResourcesResponse&) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const Member asked, member(*engine, request.container_id()));
  RPC_TRY(const auto changes, changed_limits(request.linux(), limit_support_of(asked.info.cgroup, limits_)));
  RPC_TRY(engine->update(asked.info.id, changes));
  return grpc::Status::OK;
}

grpc::Status Containers::ReopenContainerLog(grpc::ServerContext&,
                                            const v1::ReopenContainerLogRequest& request,
                                            v1::ReopenContainerLogResponse&) {
  if (request.container_id().empty()) return missing("container_id");
  RPC_TRY(auto engine, engines_.lease());
  RPC_TRY(const Member asked, member(*engine, request.container_id()));
  return to_status(engine->reopen_log(asked.info.id));
}

}  // namespace fermata::cri
