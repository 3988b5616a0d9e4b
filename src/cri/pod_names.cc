#include "cri/pod_names.h"

#include <fmt/format.h>

namespace fermata::cri {
namespace {

std::string joined(const std::string& first, const v1::PodSandboxMetadata& pod, std::uint32_t attempt) {
  return fmt::format("k8s_{}_{}_{}_{}_{}", first, pod.name(), pod.namespace_(), pod.uid(), attempt);
}

}  // namespace

Result<std::string> sandbox_name(const v1::PodSandboxMetadata& pod) {
  if (pod.name().empty())
    return fail(ErrorKind::invalid_argument, "the pod has no name: config.metadata.name is empty");
  return joined("POD", pod, pod.attempt());
}

Result<std::string> container_name(const v1::ContainerMetadata& container,
                                   const v1::PodSandboxMetadata& pod) {
  if (container.name().empty())
    return fail(ErrorKind::invalid_argument, "the container has no name: config.metadata.name is empty");
  return joined(container.name(), pod, container.attempt());
}

}  // namespace fermata::cri
