#include "cri/runtime_status.h"

#include <nlohmann/json.hpp>

#include "cri/rpc_status.h"
#include "pod/foreign.h"

namespace fermata::cri {
namespace {

constexpr const char* kRuntimeName = "fermata";
constexpr const char* kKubeletApiVersion = "0.1.0";  // "the kubelet runtime API", which has had no other
constexpr const char* kRuntimeApiVersion = "v1";

void add_condition(v1::RuntimeStatus& status, const char* type, bool ready, const std::string& reason,
                   const std::string& message) {
  v1::RuntimeCondition& condition = *status.add_conditions();
  condition.set_type(type);
  condition.set_status(ready);
  condition.set_reason(reason);
  condition.set_message(message);
}

void add_handler(v1::StatusResponse& response, const std::string& name, const HostFeatures& features) {
  v1::RuntimeHandler& handler = *response.add_runtime_handlers();
  handler.set_name(name);
  handler.mutable_features()->set_recursive_read_only_mounts(features.recursive_read_only);
  handler.mutable_features()->set_user_namespaces(features.user_namespaces);
}

nlohmann::json settings_json(const Settings& settings) {
  return {{"listen", settings.listen},
          {"root", settings.root},
          {"runRoot", settings.run_root},
          {"cgroupManager", pod::to_string(settings.cgroup_manager)},
          {"infraImage", settings.infra_image},
          {"cdiDirs", settings.cdi_dirs},
          {"statsPeriodSeconds", settings.stats_period.count()},
          {"streaming",
           {{"address", settings.streaming.address},
            {"port", settings.streaming.port},
            {"tls", !settings.streaming.certificate.empty()},
            {"idleTimeoutSeconds", settings.streaming.idle_timeout.count()}}},
          {"cni", {{"confDir", settings.cni.conf_dir}, {"binDirs", settings.cni.bin_dirs}}},
          {"registries", {{"conf", settings.registries.conf}, {"hostsDirs", settings.registries.hosts_dirs}}},
          {"metricsAddress", settings.metrics_address},
          {"runtimes", settings.runtimes}};
}

nlohmann::json host_json(const pod::EngineInfo& info) {
  return {{"kernel", info.kernel},
          {"architecture", info.architecture},
          {"operatingSystem", info.operating_system},
          {"cgroupVersion", info.cgroup_version},
          {"cgroupDriver", info.cgroup_driver},
          {"warnings", info.warnings}};
}

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

RuntimeStatus::RuntimeStatus(Engines& engines, const Settings& settings, Networks& networks,
                             std::string version)
    : engines_(engines),
      settings_(settings),
      networks_(networks),
      version_(std::move(version)),
      host_(probe_host(settings.root)) {
  // None of them gets a user namespace of ours to make a container in.
  for (const auto& [name, program] : settings.runtimes)
    handlers_[name] = {.recursive_read_only = host_.recursive_read_only &&
                                              pod::read_runtime_features(program).recursive_read_only,
                       .user_namespaces = false};
}

grpc::Status RuntimeStatus::Version(grpc::ServerContext&, const v1::VersionRequest&,
                                    v1::VersionResponse& response) {
  response.set_version(kKubeletApiVersion);
  response.set_runtime_name(kRuntimeName);
  response.set_runtime_version(version_);
  response.set_runtime_api_version(kRuntimeApiVersion);
  return grpc::Status::OK;
}

grpc::Status RuntimeStatus::Status(grpc::ServerContext&, const v1::StatusRequest& request,
                                   v1::StatusResponse& response) {
  const auto engine = engines_.lease();
  v1::RuntimeStatus& status = *response.mutable_status();
  add_condition(status, "RuntimeReady", engine.has_value(), engine ? "" : "EngineFailed",
                engine ? "" : engine.error().message());
  const NetworkCondition network = networks_.condition();
  add_condition(status, "NetworkReady", network.ready, network.reason, network.message);
  for (const char* name : {"", kRuntimeName}) add_handler(response, name, host_);
  for (const auto& [name, features] : handlers_) add_handler(response, name, features);
  response.mutable_features()->set_supplemental_groups_policy(true);
  if (!request.verbose()) return grpc::Status::OK;
  auto& info = *response.mutable_info();
  info["config"] = dump(settings_json(settings_));
  info["version"] = dump(version_);
  info["podCIDR"] = dump(networks_.pod_cidr());
  if (engine) {
    RPC_TRY(const auto host, (*engine)->info());
    info["host"] = dump(host_json(host));
  }
  return grpc::Status::OK;
}

grpc::Status RuntimeStatus::RuntimeConfig(grpc::ServerContext&, const v1::RuntimeConfigRequest&,
                                          v1::RuntimeConfigResponse& response) {
  response.mutable_linux()->set_cgroup_driver(settings_.cgroup_manager == pod::CgroupManager::systemd
                                                  ? v1::CgroupDriver::SYSTEMD
                                                  : v1::CgroupDriver::CGROUPFS);
  return grpc::Status::OK;
}

grpc::Status RuntimeStatus::UpdateRuntimeConfig(grpc::ServerContext&,
                                                const v1::UpdateRuntimeConfigRequest& request,
                                                v1::UpdateRuntimeConfigResponse&) {
  const std::string& cidr = request.runtime_config().network_config().pod_cidr();
  // One without any says nothing about it.
  if (cidr.empty()) return grpc::Status::OK;
  return to_status(networks_.set_pod_cidr(cidr));
}

}  // namespace fermata::cri
