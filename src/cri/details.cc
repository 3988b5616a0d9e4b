// What a verbose status adds: what an operator looks for first, and the request as it came.
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cri/statuses.h"

namespace fermata::cri {
namespace {

using Json = nlohmann::json;

// Of its own making, so it can be read again; {} if it could not be written.
Json json_of(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return Json::object();
  return Json::parse(text, nullptr, false);
}

// The same with variables as they are: bytes are in base64 there, which nobody reads.
Json json_of(const v1::ContainerConfig& config) {
  Json json = json_of(static_cast<const google::protobuf::Message&>(config));
  for (int i = 0; i < config.envs_size(); ++i)
    json["envs"][static_cast<std::size_t>(i)]["value"] = config.envs(i).value();
  return json;
}

// Where scripts look for a way into the namespaces; named as in a runtime specification.
Json specification_of(pid_t pid, const std::string& cgroup) {
  if (pid <= 0) return Json::object();
  Json namespaces = Json::array();
  constexpr std::pair<const char*, const char*> kFiles[] = {
      {"pid", "pid"}, {"ipc", "ipc"}, {"uts", "uts"}, {"mount", "mnt"}, {"network", "net"}, {"user", "user"}};
  for (const auto& [type, file] : kFiles)
    namespaces.push_back({{"type", type}, {"path", fmt::format("/proc/{}/ns/{}", pid, file)}});
  return {{"linux", {{"cgroupsPath", "/" + cgroup}, {"namespaces", std::move(namespaces)}}}};
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string details_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request) {
  Json info = {{"pid", pod.infra.pid},
               {"cgroup", pod.cgroup},
               {"image", pod.infra.config.image},
               {"runtimeHandler", request.runtime_handler()},
               {"warnings", pod.infra.warnings},
               {"runtimeSpec", specification_of(pod.infra.pid, pod.cgroup)},
               {"config", json_of(request.config())}};
  if (pod.network)
    info["network"] = {{"interface", pod.network->host_interface},
                       {"ipv4", pod.network->ipv4},
                       {"ipv6", pod.network->ipv6},
                       {"mac", pod.network->mac}};
  return text_of(info);
}

std::string details_of(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request) {
  return text_of({{"sandboxID", container.pod_id},
                  {"pid", container.pid},
                  {"removing", container.state == pod::ContainerState::removing},
                  {"name", container.name},
                  {"args", container.args},
                  {"cgroup", container.cgroup},
                  {"upperDirectory", container.upper_path},
                  {"warnings", container.warnings},
                  {"runtimeSpec", specification_of(container.pid, container.cgroup)},
                  {"config", json_of(request.config())}});
}

}  // namespace fermata::cri
