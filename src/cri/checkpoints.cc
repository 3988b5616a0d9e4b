// CheckpointContainer: a container's state in an archive, for who looks into what it did (KEP-2008). It goes
// on.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "cri/containers.h"
#include "cri/members.h"
#include "cri/rpc_status.h"
#include "cri/timeouts.h"

namespace fermata::cri {
namespace {

using Clock = std::chrono::steady_clock;

// CRIU undoes what it has done before it ends; the caller need not wait for that.
constexpr std::chrono::seconds kGrace(5);

// By which the tools that read archives tell whose they are.
std::map<std::string, std::string> annotations_of(const Member& container, const Pod& pod) {
  const auto& names = pod.request.config().metadata();
  return {{"io.container.manager", "fermata"},
          {"io.kubernetes.cri.container-type", "container"},
          {"io.kubernetes.cri.container-name", container.request.config().metadata().name()},
          {"io.kubernetes.cri.image-name", container.request.config().image().user_specified_image()},
          {"io.kubernetes.cri.sandbox-id", pod.info.id},
          {"io.kubernetes.cri.sandbox-name", names.name()},
          {"io.kubernetes.cri.sandbox-namespace", names.namespace_()},
          {"io.kubernetes.cri.sandbox-uid", names.uid()}};
}

}  // namespace

Result<std::string> Containers::checkpoint(const v1::CheckpointContainerRequest& request,
                                           Clock::time_point deadline, const std::stop_token& stop) {
  TRY(auto engine, engines_.lease());
  TRY(const Member asked, member(*engine, request.container_id()));
  if (state_of(asked.info) != v1::CONTAINER_RUNNING)
    return fail(ErrorKind::conflict, "container {} does not run: there is nothing to checkpoint",
                request.container_id());
  TRY(const Pod pod, pod_of(*engine, asked.info.pod_id));
  const auto patience = [&]() -> Result<void> {
    if (stop.stop_requested()) return fail(ErrorKind::unavailable, "nobody waits for it any more");
    if (Clock::now() >= deadline)
      return fail(ErrorKind::unavailable, "it takes longer than the {} s that were given", request.timeout());
    return {};
  };
  auto written = engine->checkpoint(
      asked.info.id,
      {.location = request.location(), .annotations = annotations_of(asked, pod), .patience = patience});
  if (written) return request.location();
  Error error = std::move(written.error());
  // NOT_FOUND would say that the container is gone.
  if (error.kind() == ErrorKind::not_found)
    error = Error(ErrorKind::failed, error.error_number(), error.message());
  return fail_with(std::move(error), fmt::format("checkpoint container {}", request.container_id()));
}

grpc::Status Containers::CheckpointContainer(grpc::ServerContext& context,
                                             const v1::CheckpointContainerRequest& request,
                                             v1::CheckpointContainerResponse&) {
  if (request.container_id().empty()) return missing("container_id");
  if (request.location().empty()) return missing("location");
  if (request.timeout() < 0)
    return to_status(
        Error(ErrorKind::invalid_argument, 0,
              fmt::format("timeout {}: seconds are needed, or 0 for no limit", request.timeout())));
  const std::int64_t limit = request.timeout() == 0 ? kMaxTimeout : std::min(request.timeout(), kMaxTimeout);
  const auto deadline = Clock::now() + std::chrono::seconds(limit);
  const auto written = checkpointing_.run(
      request.container_id() + "\n" + request.location(),
      [&] { return context.IsCancelled() || Clock::now() >= deadline + kGrace; },
      [this, request, deadline](const std::stop_token& stop) { return checkpoint(request, deadline, stop); });
  if (written && *written) return grpc::Status::OK;
  if (context.IsCancelled()) return grpc::Status::CANCELLED;
  if (Clock::now() < deadline) return to_status(written->error());
  return {grpc::StatusCode::DEADLINE_EXCEEDED,
          written ? to_status(written->error()).error_message()
                  : fmt::format("checkpoint container {}: CRIU still takes back what it did",
                                request.container_id())};
}

}  // namespace fermata::cri
