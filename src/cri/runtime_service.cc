#include "cri/runtime_service.h"

#include "cri/container_events.h"
#include "cri/containers.h"
#include "cri/execution.h"
#include "cri/runtime_status.h"
#include "cri/sandboxes.h"
#include "cri/serve_calls.h"
#include "cri/statistics.h"

namespace fermata::cri {
namespace {

class RuntimeService final : public v1::RuntimeService::Service {
 public:
  RuntimeService(const RuntimeParts& parts, Calls& calls) : parts_(parts), calls_(calls) {}

  FERMATA_SERVE(status, Version)
  FERMATA_SERVE(status, Status)
  FERMATA_SERVE(status, RuntimeConfig)
  FERMATA_SERVE(status, UpdateRuntimeConfig)

  FERMATA_SERVE(sandboxes, RunPodSandbox)
  FERMATA_SERVE(sandboxes, StopPodSandbox)
  FERMATA_SERVE(sandboxes, RemovePodSandbox)
  FERMATA_SERVE(sandboxes, PodSandboxStatus)
  FERMATA_SERVE(sandboxes, ListPodSandbox)
  FERMATA_SERVE_STREAM(sandboxes, StreamPodSandboxes)
  FERMATA_SERVE(sandboxes, UpdatePodSandboxResources)

  FERMATA_SERVE(containers, CreateContainer)
  FERMATA_SERVE(containers, StartContainer)
  FERMATA_SERVE(containers, StopContainer)
  FERMATA_SERVE(containers, RemoveContainer)
  FERMATA_SERVE(containers, ContainerStatus)
  FERMATA_SERVE(containers, ListContainers)
  FERMATA_SERVE_STREAM(containers, StreamContainers)
  FERMATA_SERVE(containers, UpdateContainerResources)
  FERMATA_SERVE(containers, ReopenContainerLog)
  FERMATA_SERVE(containers, CheckpointContainer)

  FERMATA_SERVE(execution, ExecSync)
  FERMATA_SERVE(execution, Exec)
  FERMATA_SERVE(execution, Attach)
  FERMATA_SERVE(execution, PortForward)

  FERMATA_SERVE(statistics, ContainerStats)
  FERMATA_SERVE(statistics, ListContainerStats)
  FERMATA_SERVE_STREAM(statistics, StreamContainerStats)
  FERMATA_SERVE(statistics, PodSandboxStats)
  FERMATA_SERVE(statistics, ListPodSandboxStats)
  FERMATA_SERVE_STREAM(statistics, StreamPodSandboxStats)
  FERMATA_SERVE(statistics, ListMetricDescriptors)
  FERMATA_SERVE(statistics, ListPodSandboxMetrics)
  FERMATA_SERVE_STREAM(statistics, StreamPodSandboxMetrics)

  FERMATA_SERVE_STREAM_OF(events, GetContainerEvents, GetEventsRequest, ContainerEventResponse)

 private:
  const RuntimeParts parts_;
  Calls& calls_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_runtime_service(const RuntimeParts& parts, Calls& calls) {
  return std::make_unique<RuntimeService>(parts, calls);
}

}  // namespace fermata::cri
