// What a verbose status adds: what an operator looks for first, and the request as it came.
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

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

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string details_of(const pod::PodInfo& pod, const v1::RunPodSandboxRequest& request) {
  Json info = {{"pid", pod.infra.pid},
               {"cgroup", pod.cgroup},
               {"image", pod.infra.config.image},
               {"runtimeHandler", request.runtime_handler()},
               {"warnings", pod.infra.warnings},
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
                  {"config", json_of(request.config())}});
}

}  // namespace fermata::cri
