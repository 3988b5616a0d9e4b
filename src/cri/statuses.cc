#include "cri/statuses.h"

#include <algorithm>
#include <set>

#include "cri/container_config.h"
#include "cri/resources.h"

namespace fermata::cri {
namespace {

constexpr std::string_view kMonitorLost = "MonitorLost";

// It has ended without ever having run.
bool failed_to_start(const pod::ContainerInfo& container) {
  return state_of(container) == v1::CONTAINER_EXITED && !container.error.empty() &&
         container.error != kMonitorLost;
}

std::string reason_of(const pod::ContainerInfo& container) {
  if (state_of(container) != v1::CONTAINER_EXITED) return {};
  if (failed_to_start(container)) return "StartError";
  if (container.oom_killed) return "OOMKilled";
  if (container.error == kMonitorLost) return std::string(kMonitorLost);
  return container.exit_code == 0 ? "Completed" : "Error";
}

void put_times(const pod::ContainerInfo& container, v1::ContainerStatus& status) {
  status.set_created_at(container.created);
  if (!failed_to_start(container)) status.set_started_at(container.started);
  if (status.state() != v1::CONTAINER_EXITED) return;
  status.set_finished_at(container.finished);
  status.set_exit_code(container.exit_code);
}

// Those of the request, with the images that were mounted.
void put_mounts(const pod::ContainerInfo& container, const v1::ContainerConfig& asked,
                v1::ContainerStatus& status) {
  *status.mutable_mounts() = asked.mounts();
  const auto& mounts = container.config.mounts;
  for (int i = 0; i < status.mounts_size() && static_cast<std::size_t>(i) < mounts.size(); ++i)
    if (mounts[i].kind == pod::VolumeMount::Kind::image)
      status.mutable_mounts(i)->mutable_image()->set_image_ref(mounts[i].source);
}

// The groups that the first process was given, its own among them.
void put_user(const pod::ContainerInfo& container, v1::ContainerStatus& status) {
  if (status.started_at() == 0) return;
  auto* user = status.mutable_user()->mutable_linux();
  user->set_uid(container.user.uid);
  user->set_gid(container.user.gid);
  std::set<std::int64_t> groups(container.user.additional_gids.begin(), container.user.additional_gids.end());
  groups.insert(container.user.gid);
  user->mutable_supplemental_groups()->Add(groups.begin(), groups.end());
}

v1::PodSandboxState state_of(const pod::PodInfo& pod) {
  return pod.ready ? v1::SANDBOX_READY : v1::SANDBOX_NOTREADY;
}

bool begins(const std::string& id, const std::string& wanted) { return id.starts_with(wanted); }

}  // namespace

v1::PodSandboxStatus status_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request) {
  const v1::PodSandboxConfig& config = request.config();
  v1::PodSandboxStatus status;
  status.set_id(pod.id);
  *status.mutable_metadata() = config.metadata();
  status.set_state(state_of(pod));
  status.set_created_at(pod.infra.created);
  auto* network = status.mutable_network();
  if (pod.network) {
    network->set_ip(pod.network->ipv4.empty() ? pod.network->ipv6 : pod.network->ipv4);
    if (!pod.network->ipv4.empty() && !pod.network->ipv6.empty())
      network->add_additional_ips()->set_ip(pod.network->ipv6);
  }
  *status.mutable_linux()->mutable_namespaces()->mutable_options() =
      config.linux().security_context().namespace_options();
  *status.mutable_labels() = config.labels();
  *status.mutable_annotations() = config.annotations();
  status.set_runtime_handler(request.runtime_handler());
  return status;
}

v1::PodSandbox entry_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request) {
  v1::PodSandbox entry;
  entry.set_id(pod.id);
  *entry.mutable_metadata() = request.config().metadata();
  entry.set_state(state_of(pod));
  entry.set_created_at(pod.infra.created);
  *entry.mutable_labels() = request.config().labels();
  *entry.mutable_annotations() = request.config().annotations();
  entry.set_runtime_handler(request.runtime_handler());
  return entry;
}

v1::PodSandboxStatus without_entry(v1::PodSandboxStatus status) {
  status.clear_id();
  status.clear_metadata();
  status.clear_labels();
  status.clear_annotations();
  status.clear_runtime_handler();
  return status;
}

v1::PodSandboxStatus with_entry(v1::PodSandboxStatus rest, const v1::PodSandbox& entry) {
  rest.set_id(entry.id());
  *rest.mutable_metadata() = entry.metadata();
  *rest.mutable_labels() = entry.labels();
  *rest.mutable_annotations() = entry.annotations();
  rest.set_runtime_handler(entry.runtime_handler());
  return rest;
}

v1::ContainerState state_of(const pod::ContainerInfo& container) {
  switch (container.state) {
    case pod::ContainerState::created:
      return v1::CONTAINER_CREATED;
    case pod::ContainerState::running:
      return v1::CONTAINER_RUNNING;
    case pod::ContainerState::exited:
    case pod::ContainerState::removing:
      return v1::CONTAINER_EXITED;
  }
  return v1::CONTAINER_UNKNOWN;
}

v1::ContainerStatus status_of(const pod::ContainerInfo& container,
                              const v1::CreateContainerRequest& request) {
  const v1::ContainerConfig& asked = request.config();
  v1::ContainerStatus status;
  status.set_id(container.id);
  *status.mutable_metadata() = asked.metadata();
  status.set_state(state_of(container));
  put_times(container, status);
  *status.mutable_image() = asked.image();
  status.set_image_ref(container.image_id);
  status.set_image_id(container.image_id);
  status.set_reason(reason_of(container));
  status.set_message(container.error);
  *status.mutable_labels() = asked.labels();
  *status.mutable_annotations() = asked.annotations();
  put_mounts(container, asked, status);
  status.set_log_path(container.log_path);
  *status.mutable_resources()->mutable_linux() = told_limits(container.config);
  put_user(container, status);
  status.set_stop_signal(signal_of(container.stop_signal));
  return status;
}

const std::string& asked_name(const v1::ImageSpec& image) {
  return image.user_specified_image().empty() ? image.image() : image.user_specified_image();
}

// A kubelet shows the tag as the image's name, and asks for containers by ids.
void put_image_names(const ImageNames& image, v1::ContainerStatus& status) {
  if (!image.tag.empty()) status.mutable_image()->set_image(image.tag);
  if (!image.digest.empty()) status.set_image_ref(image.digest);
}

v1::ContainerStatus without_entry(v1::ContainerStatus status) {
  status.clear_id();
  status.clear_metadata();
  status.clear_image();
  status.clear_image_ref();
  status.clear_image_id();
  status.clear_labels();
  status.clear_annotations();
  return status;
}

v1::ContainerStatus with_entry(v1::ContainerStatus rest, const v1::Container& entry) {
  rest.set_id(entry.id());
  *rest.mutable_metadata() = entry.metadata();
  *rest.mutable_image() = entry.image();
  rest.set_image_ref(entry.image_ref());
  rest.set_image_id(entry.image_id());
  *rest.mutable_labels() = entry.labels();
  *rest.mutable_annotations() = entry.annotations();
  return rest;
}

v1::Container entry_of(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request) {
  const v1::ContainerConfig& asked = request.config();
  v1::Container entry;
  entry.set_id(container.id);
  entry.set_pod_sandbox_id(container.pod_id);
  *entry.mutable_metadata() = asked.metadata();
  *entry.mutable_image() = asked.image();
  entry.set_image_ref(container.image_id);
  entry.set_image_id(container.image_id);
  entry.set_state(state_of(container));
  entry.set_created_at(container.created);
  *entry.mutable_labels() = asked.labels();
  *entry.mutable_annotations() = asked.annotations();
  return entry;
}

bool has_labels(const Labels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const auto found = labels.find(pair.first);
    return found != labels.end() && found->second == pair.second;
  });
}

bool matches(const v1::PodSandboxFilter& filter, const v1::PodSandbox& pod) {
  return begins(pod.id(), filter.id()) && (!filter.has_state() || filter.state().state() == pod.state()) &&
         has_labels(pod.labels(), filter.label_selector());
}

bool matches(const v1::ContainerFilter& filter, const v1::Container& container) {
  return begins(container.id(), filter.id()) && begins(container.pod_sandbox_id(), filter.pod_sandbox_id()) &&
         (!filter.has_state() || filter.state().state() == container.state()) &&
         has_labels(container.labels(), filter.label_selector());
}

}  // namespace fermata::cri
