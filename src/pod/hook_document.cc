#include "pod/hook_document.h"

#include <nlohmann/json.hpp>

#include "oci/runtime_document.h"

namespace fermata::pod {
namespace {

using Json = nlohmann::ordered_json;

Json process_of(const oci::Process& process) {
  const oci::Capabilities& sets = process.capabilities;
  return {{"terminal", process.terminal},
          {"user",
           {{"uid", process.user.uid},
            {"gid", process.user.gid},
            {"additionalGids", process.user.additional_gids}}},
          {"args", process.args},
          {"env", process.env},
          {"cwd", process.cwd},
          {"capabilities",
           {{"bounding", sets.bounding},
            {"effective", sets.effective},
            {"inheritable", sets.inheritable},
            {"permitted", sets.permitted},
            {"ambient", sets.ambient}}},
          {"noNewPrivileges", process.no_new_privileges}};
}

Json mounts_of(const oci::RuntimeSpec& spec) {
  Json mounts = Json::array();
  for (const oci::Mount& mount : spec.mounts)
    mounts.push_back({{"destination", mount.destination},
                      {"type", mount.type},
                      {"source", mount.source},
                      {"options", mount.options}});
  return mounts;
}

const char* name_of(oci::Namespace::Type type) {
  switch (type) {
    case oci::Namespace::Type::mount:
      return "mount";
    case oci::Namespace::Type::pid:
      return "pid";
    case oci::Namespace::Type::network:
      return "network";
    case oci::Namespace::Type::ipc:
      return "ipc";
    case oci::Namespace::Type::uts:
      return "uts";
    case oci::Namespace::Type::cgroup:
      return "cgroup";
    case oci::Namespace::Type::user:
      return "user";
    case oci::Namespace::Type::time:
      break;
  }
  return "time";
}

Json linux_of(const oci::RuntimeSpec& spec) {
  Json namespaces = Json::array(), devices = Json::array();
  for (const oci::Namespace& one : spec.namespaces) namespaces.push_back({{"type", name_of(one.type)}});
  for (const oci::Device& device : spec.devices)
    devices.push_back({{"path", device.path},
                       {"type", std::string(1, device.type)},
                       {"major", device.major},
                       {"minor", device.minor},
                       {"fileMode", device.file_mode},
                       {"uid", device.uid},
                       {"gid", device.gid}});
  return {{"namespaces", std::move(namespaces)},
          {"devices", std::move(devices)},
          {"cgroupsPath", spec.cgroups_path}};
}

}  // namespace

std::string hook_document(const oci::RuntimeSpec& spec, const std::string& root) {
  const Json document = {{"ociVersion", oci::kRuntimeSpecVersion},
                         {"process", process_of(spec.process)},
                         {"root", {{"path", root}, {"readonly", spec.root_readonly}}},
                         {"hostname", spec.hostname},
                         {"mounts", mounts_of(spec)},
                         {"annotations", spec.annotations},
                         {"linux", linux_of(spec)}};
  // Bytes of an argument need not be UTF-8.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fermata::pod
