#include "oci/runtime_document_writer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fermata::oci {
namespace {

using Json = nlohmann::json;

// Everything that is written is in it, so that older runtimes take the document.
constexpr const char* kWrittenVersion = "1.0.2";

// Absent and empty are the same to the specification.
template <class T>
void put(Json& object, const char* key, const T& value) {
  if (!value.empty()) object[key] = value;
}
template <class T>
void put(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

Json json_of(const User& user) {
  Json json = {{"uid", user.uid}, {"gid", user.gid}};
  put(json, "umask", user.umask);
  put(json, "additionalGids", user.additional_gids);
  return json;
}

Json json_of(const Capabilities& sets) {
  return {{"bounding", sets.bounding},
          {"effective", sets.effective},
          {"inheritable", sets.inheritable},
          {"permitted", sets.permitted},
          {"ambient", sets.ambient}};
}

Json json_of(const Rlimit& limit) {
  return {{"type", limit.type}, {"soft", limit.soft}, {"hard", limit.hard}};
}

Json json_of(const IdMapping& mapping) {
  return {{"containerID", mapping.container_id}, {"hostID", mapping.host_id}, {"size", mapping.size}};
}

Json json_of(const Mount& mount);
Json json_of(const Device& device);
Json json_of(const DeviceRule& rule);
Json json_of(const HugepageLimit& limit);
Json json_of(const Hook& hook);

template <class T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(json_of(value));
  return list;
}

Json json_of(const Mount& mount) {
  Json json = {{"destination", mount.destination}, {"type", mount.type}, {"source", mount.source}};
  put(json, "options", mount.options);
  put(json, "uidMappings", list_of(mount.uid_mappings));
  put(json, "gidMappings", list_of(mount.gid_mappings));
  return json;
}

Json json_of(const Device& device) {
  Json json = {{"path", device.path},
               {"type", std::string(1, device.type)},
               {"fileMode", device.file_mode},
               {"uid", device.uid},
               {"gid", device.gid}};
  if (device.type == 'p') return json;
  json["major"] = device.major;
  json["minor"] = device.minor;
  return json;
}

Json json_of(const DeviceRule& rule) {
  Json json = {{"allow", rule.allow}, {"type", std::string(1, rule.type)}, {"access", rule.access}};
  put(json, "major", rule.major);
  put(json, "minor", rule.minor);
  return json;
}

Json json_of(const HugepageLimit& limit) { return {{"pageSize", limit.page_size}, {"limit", limit.limit}}; }

Json json_of(const Hook& hook) {
  Json json = {{"path", hook.path}};
  put(json, "args", hook.args);
  put(json, "env", hook.env);
  put(json, "timeout", hook.timeout);
  return json;
}

Json json_of(const Hooks& hooks) {
  Json json = Json::object();
  put(json, "prestart", list_of(hooks.prestart));
  put(json, "createRuntime", list_of(hooks.create_runtime));
  put(json, "createContainer", list_of(hooks.create_container));
  put(json, "startContainer", list_of(hooks.start_container));
  put(json, "poststart", list_of(hooks.poststart));
  put(json, "poststop", list_of(hooks.poststop));
  return json;
}

Json json_of(const Process& process) {
  Json json = {{"terminal", process.terminal},
               {"user", json_of(process.user)},
               {"args", process.args},
               {"cwd", process.cwd},
               {"capabilities", json_of(process.capabilities)},
               {"noNewPrivileges", process.no_new_privileges}};
  if (process.terminal && process.console_rows != 0)
    json["consoleSize"] = {{"height", process.console_rows}, {"width", process.console_columns}};
  put(json, "env", process.env);
  put(json, "rlimits", list_of(process.rlimits));
  put(json, "oomScoreAdj", process.oom_score_adj);
  put(json, "apparmorProfile", process.apparmor_profile);
  put(json, "selinuxLabel", process.selinux_label);
  return json;
}

const char* name_of(Namespace::Type type) {
  switch (type) {
    case Namespace::Type::mount:
      return "mount";
    case Namespace::Type::pid:
      return "pid";
    case Namespace::Type::network:
      return "network";
    case Namespace::Type::ipc:
      return "ipc";
    case Namespace::Type::uts:
      return "uts";
    case Namespace::Type::cgroup:
      return "cgroup";
    case Namespace::Type::user:
      return "user";
    case Namespace::Type::time:
      return "time";
  }
  return "";
}

Json json_of(const Namespace& one, int pid) {
  Json json = {{"type", name_of(one.type)}};
  if (one.fd >= 0)
    json["path"] = fmt::format("/proc/{}/fd/{}", pid, one.fd);
  else
    put(json, "path", one.path);
  return json;
}

Json json_of(const Resources& resources) {
  Json memory = Json::object(), cpu = Json::object(), json = Json::object();
  put(memory, "limit", resources.memory_limit);
  put(memory, "reservation", resources.memory_reservation);
  put(memory, "swap", resources.memory_swap);
  put(cpu, "shares", resources.cpu_shares);
  put(cpu, "quota", resources.cpu_quota);
  put(cpu, "period", resources.cpu_period);
  put(cpu, "cpus", resources.cpuset_cpus);
  put(cpu, "mems", resources.cpuset_mems);
  put(json, "devices", list_of(resources.devices));
  put(json, "memory", memory);
  put(json, "cpu", cpu);
  if (resources.pids_limit) json["pids"] = {{"limit", *resources.pids_limit}};
  if (resources.blkio_weight) json["blockIO"] = {{"weight", *resources.blkio_weight}};
  put(json, "hugepageLimits", list_of(resources.hugepages));
  put(json, "unified", resources.unified);
  return json;
}

Json linux_of(const RuntimeSpec& spec, int pid) {
  Json json = {{"resources", json_of(spec.resources)}};
  for (const Namespace& one : spec.namespaces) json["namespaces"].push_back(json_of(one, pid));
  put(json, "uidMappings", list_of(spec.uid_mappings));
  put(json, "gidMappings", list_of(spec.gid_mappings));
  put(json, "devices", list_of(spec.devices));
  put(json, "cgroupsPath", spec.cgroups_path);
  put(json, "sysctl", spec.sysctl);
  put(json, "maskedPaths", spec.masked_paths);
  put(json, "readonlyPaths", spec.readonly_paths);
  put(json, "mountLabel", spec.mount_label);
  put(json, "rootfsPropagation", spec.rootfs_propagation);
  // It was read from JSON, or made by us.
  if (!spec.seccomp.empty()) json["seccomp"] = Json::parse(spec.seccomp, nullptr, false);
  return json;
}

// Names and paths are bytes to the kernel; JSON has no other place for those that are no UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string process_document(const Process& process) { return text_of(json_of(process)); }

std::string runtime_document(const RuntimeSpec& spec, int pid) {
  Json json = {{"ociVersion", kWrittenVersion},
               {"process", json_of(spec.process)},
               {"root", {{"path", spec.root_path}, {"readonly", spec.root_readonly}}},
               {"mounts", list_of(spec.mounts)},
               {"linux", linux_of(spec, pid)}};
  put(json, "hostname", spec.hostname);
  put(json, "domainname", spec.domainname);
  put(json, "hooks", json_of(spec.hooks));
  put(json, "annotations", spec.annotations);
  return text_of(json);
}

}  // namespace fermata::oci
