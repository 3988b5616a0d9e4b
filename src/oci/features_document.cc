#include "oci/features_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "oci/runtime_document.h"

namespace fermata::oci {
namespace {

using Json = nlohmann::ordered_json;

// An empty list stays a list: null and absent mean "not told".
Json sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  Json list = Json::array();
  for (std::string& name : names) list.push_back(std::move(name));
  return list;
}

Json seccomp_features(const Features::Seccomp& seccomp) {
  return {{"enabled", seccomp.enabled},
          {"actions", sorted(seccomp.actions)},
          {"operators", sorted(seccomp.operators)},
          {"archs", sorted(seccomp.architectures)},
          {"knownFlags", sorted(seccomp.known_flags)},
          {"supportedFlags", sorted(seccomp.supported_flags)}};
}

Json linux_features(const Features& features) {
  const Features::Cgroup& cgroup = features.cgroup;
  const Features::IntelRdt& rdt = features.intel_rdt;
  return {
      {"namespaces", sorted(features.namespaces)},
      {"capabilities", sorted(features.capabilities)},
      {"cgroup",
       {{"v1", cgroup.v1},
        {"v2", cgroup.v2},
        {"systemd", cgroup.systemd},
        {"systemdUser", cgroup.systemd_user},
        {"rdma", cgroup.rdma}}},
      {"seccomp", seccomp_features(features.seccomp)},
      {"apparmor", {{"enabled", features.apparmor}}},
      {"selinux", {{"enabled", features.selinux}}},
      {"intelRdt", {{"enabled", rdt.enabled}, {"schemata", rdt.schemata}, {"monitoring", rdt.monitoring}}},
      {"memoryPolicy",
       {{"modes", sorted(features.memory_policy_modes)}, {"flags", sorted(features.memory_policy_flags)}}},
      {"mountExtensions", {{"idmap", {{"enabled", features.idmapped_mounts}}}}},
      {"netDevices", {{"enabled", features.network_devices}}}};
}

}  // namespace

std::string features_document(const Features& features) {
  Json annotations = Json::object();
  for (const auto& [name, value] : features.annotations) annotations[name] = value;
  const Json document = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", kRuntimeSpecVersion},
      {"hooks", sorted(features.hooks)},
      {"mountOptions", sorted(features.mount_options)},
      {"linux", linux_features(features)},
      {"annotations", std::move(annotations)},
      {"potentiallyUnsafeConfigAnnotations", sorted(features.potentially_unsafe_annotations)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fermata::oci
