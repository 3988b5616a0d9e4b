// One list of fields per type (fields()), walked by a writer and by a reader.
#include "pod/model_json.h"

#include <nlohmann/json.hpp>
#include <type_traits>

namespace fermata::pod {
namespace {

using Json = nlohmann::json;

template <class F>
void fields(F& f, NamespaceMode& v) {
  f("kind", v.kind);
  f("target", v.target);
}
template <class F>
void fields(F& f, network::PortMapping& v) {
  f("host_ip", v.host_ip);
  f("host_port", v.host_port);
  f("host_port_end", v.host_port_end);
  f("container_port", v.container_port);
  f("protocol", v.protocol);
}
template <class F>
void fields(F& f, network::Attachment& v) {
  f("host_interface", v.host_interface);
  f("ipv4", v.ipv4);
  f("ipv4_prefix", v.ipv4_prefix);
  f("ipv4_gateway", v.ipv4_gateway);
  f("ipv6", v.ipv6);
  f("ipv6_prefix", v.ipv6_prefix);
  f("ipv6_gateway", v.ipv6_gateway);
  f("mac", v.mac);
  f("warnings", v.warnings);
}
template <class F>
void fields(F& f, oci::IdMapping& v) {
  f("container", v.container_id);
  f("host", v.host_id);
  f("size", v.size);
}
template <class F>
void fields(F& f, UserNamespace& v) {
  f("uids", v.uids);
  f("gids", v.gids);
}
template <class F>
void fields(F& f, VolumeMount& v) {
  f("kind", v.kind);
  f("source", v.source);
  f("destination", v.destination);
  f("readonly", v.readonly);
  f("create_source", v.create_source);
  f("no_copy", v.no_copy);
  f("propagation", v.propagation);
  f("options", v.options);
  f("mode", v.mode);
  f("sub_path", v.sub_path);
  f("recursive_readonly", v.recursive_readonly);
  f("uid_mappings", v.uid_mappings);
  f("gid_mappings", v.gid_mappings);
  f("idmap", v.idmap);
  f("relabel", v.relabel);
}
template <class F>
void fields(F& f, Resources& v) {
  f("memory", v.memory);
  f("memory_swap", v.memory_swap);
  f("memory_reservation", v.memory_reservation);
  f("cpus", v.cpus);
  f("cpu_shares", v.cpu_shares);
  f("cpu_quota", v.cpu_quota);
  f("cpu_period", v.cpu_period);
  f("cpuset_cpus", v.cpuset_cpus);
  f("cpuset_mems", v.cpuset_mems);
  f("blkio_weight", v.blkio_weight);
  f("pids_limit", v.pids_limit);
  f("hugepages", v.hugepages);
  f("unified", v.unified);
}
template <class F>
void fields(F& f, Ulimit& v) {
  f("name", v.name);
  f("soft", v.soft);
  f("hard", v.hard);
}
template <class F>
void fields(F& f, oci::User& v) {
  f("uid", v.uid);
  f("gid", v.gid);
  f("umask", v.umask);
  f("additional_gids", v.additional_gids);
}
template <class F>
void fields(F& f, CniRequest& v) {
  f("configuration_directory", v.configuration_directory);
  f("plugin_directories", v.plugin_directories);
  f("arguments", v.arguments);
  f("ingress_rate", v.ingress_rate);
  f("egress_rate", v.egress_rate);
  f("ip_ranges", v.ip_ranges);
}
template <class F>
void fields(F& f, cdi::DeviceNode& v) {
  f("path", v.path);
  f("host_path", v.host_path);
  f("type", v.type);
  f("major", v.major);
  f("minor", v.minor);
  f("file_mode", v.file_mode);
  f("uid", v.uid);
  f("gid", v.gid);
  f("access", v.access);
}
template <class F>
void fields(F& f, cdi::Mount& v) {
  f("source", v.source);
  f("destination", v.destination);
  f("type", v.type);
  f("options", v.options);
}
template <class F>
void fields(F& f, oci::Hook& v) {
  f("path", v.path);
  f("args", v.args);
  f("env", v.env);
  f("timeout", v.timeout);
}
template <class F>
void fields(F& f, oci::Hooks& v) {
  f("prestart", v.prestart);
  f("create_runtime", v.create_runtime);
  f("create_container", v.create_container);
  f("start_container", v.start_container);
  f("poststart", v.poststart);
  f("poststop", v.poststop);
}
template <class F>
void fields(F& f, oci::IntelRdt& v) {
  f("clos_id", v.clos_id);
  f("schemata", v.schemata);
  f("l3_cache_schema", v.l3_cache_schema);
  f("memory_bandwidth_schema", v.memory_bandwidth_schema);
  f("enable_monitoring", v.enable_monitoring);
}
template <class F>
void fields(F& f, cdi::Edits& v) {
  f("env", v.env);
  f("device_nodes", v.device_nodes);
  f("mounts", v.mounts);
  f("hooks", v.hooks);
  f("additional_gids", v.additional_gids);
  f("intel_rdt", v.intel_rdt);
  f("network_devices", v.network_devices);
}
template <class F>
void fields(F& f, kernel::ResctrlGroup& v) {
  f("path", v.path);
  f("made", v.made);
  f("monitor_path", v.monitor_path);
}
template <class F>
void fields(F& f, ContainerConfig& v) {
  f("name", v.name);
  f("image", v.image);
  f("infra", v.infra);
  f("image_id", v.image_id);
  f("architecture", v.architecture);
  f("command", v.command);
  f("entrypoint", v.entrypoint);
  f("env", v.env);
  f("user", v.user);
  f("groups", v.groups);
  f("working_dir", v.working_dir);
  f("hostname", v.hostname);
  f("domainname", v.domainname);
  f("terminal", v.terminal);
  f("stdin_open", v.stdin_open);
  f("attach_stdin", v.attach_stdin);
  f("auto_remove", v.auto_remove);
  f("privileged", v.privileged);
  f("readonly_root", v.readonly_root);
  f("init", v.init);
  f("publish_all", v.publish_all);
  f("expose", v.expose);
  f("ports", v.ports);
  f("mounts", v.mounts);
  f("net", v.net);
  f("ipc", v.ipc);
  f("pid", v.pid);
  f("uts", v.uts);
  f("cgroupns", v.cgroupns);
  f("extra_hosts", v.extra_hosts);
  f("dns", v.dns);
  f("dns_search", v.dns_search);
  f("dns_options", v.dns_options);
  f("cap_add", v.cap_add);
  f("cap_drop", v.cap_drop);
  f("security_opt", v.security_opt);
  f("ulimits", v.ulimits);
  f("devices", v.devices);
  f("edits", v.edits);
  f("sysctls", v.sysctls);
  f("labels", v.labels);
  f("shm_size", v.shm_size);
  f("stop_signal", v.stop_signal);
  f("stop_timeout", v.stop_timeout);
  f("oom_score_adj", v.oom_score_adj);
  f("log_max_size", v.log_max_size);
  f("log_max_files", v.log_max_files);
  f("log_driver", v.log_driver);
  f("resources", v.resources);
  f("pod", v.pod);
  f("annotations", v.annotations);
  f("attachment", v.attachment);
  f("cgroup_parent", v.cgroup_parent);
  f("log_path", v.log_path);
  f("cni", v.cni);
  f("cap_ambient", v.cap_ambient);
  f("selinux_label", v.selinux_label);
  f("masked_paths", v.masked_paths);
  f("readonly_paths", v.readonly_paths);
  f("strict_groups", v.strict_groups);
  f("user_namespace", v.user_namespace);
  f("own_users", v.own_users);
  f("runtime", v.runtime);
}
template <class F>
void fields(F& f, Resolved& v) {
  f("args", v.args);
  f("env", v.env);
  f("user", v.user);
  f("working_dir", v.working_dir);
  f("stop_signal", v.stop_signal);
  f("exposed_ports", v.exposed_ports);
  f("layers", v.layers);
  f("mounts", v.mounts);
  f("pause", v.pause);
}
template <class F>
void fields(F& f, ContainerRuntime& v) {
  f("resolved", v.resolved);
  f("started", v.started);
  f("finished", v.finished);
  f("exit_code", v.exit_code);
  f("oom_killed", v.oom_killed);
  f("error", v.error);
  f("restart_count", v.restart_count);
  f("warnings", v.warnings);
  f("mounts", v.mounts);
  f("env", v.env);
  f("user", v.user);
  f("stop_actions", v.stop_actions);
  f("resctrl", v.resctrl);
}
template <class F>
void fields(F& f, PodConfig& v) {
  f("net", v.net);
  f("ipc", v.ipc);
  f("uts", v.uts);
  f("hostname", v.hostname);
  f("domainname", v.domainname);
  f("ports", v.ports);
  f("extra_hosts", v.extra_hosts);
  f("dns", v.dns);
  f("dns_search", v.dns_search);
  f("dns_options", v.dns_options);
  f("shm_size", v.shm_size);
  f("net_sysctls", v.net_sysctls);
  f("ipc_sysctls", v.ipc_sysctls);
  f("cgroup_parent", v.cgroup_parent);
  f("infra", v.infra);
  f("infra_made", v.infra_made);
  f("user_namespace", v.user_namespace);
  f("cni", v.cni);
}
template <class F>
void fields(F& f, PodRuntime& v) {
  f("network", v.network);
  f("ports", v.ports);
  f("cgroup", v.cgroup);
  f("warnings", v.warnings);
}

struct NoFields {
  template <class T>
  void operator()(const char*, T&) {}
};
template <class T>
concept Struct = requires(T& v, NoFields& f) {
  fields(f, v);
};

template <class T>
Json put(const T& value);

// Writes what differs from a freshly made value.
struct Writer {
  Json object = Json::object();
  template <class T>
  void operator()(const char* name, T& value) {
    Json json = put(value);
    object[name] = std::move(json);
  }
};

template <class T>
Json put(const T& value) {
  if constexpr (Struct<T>) {
    static const Json defaults = [] {
      Writer writer;
      T fresh{};
      fields(writer, fresh);
      return writer.object;
    }();
    Writer writer;
    fields(writer, const_cast<T&>(value));  // fields() serves the reader too; the writer changes nothing
    for (const auto& [name, json] : defaults.items())
      if (writer.object[name] == json) writer.object.erase(name);
    return std::move(writer.object);
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<int>(value);
  } else if constexpr (requires { value.has_value(); }) {
    return value ? put(*value) : Json();
  } else if constexpr (requires {
                         value.first;
                         value.second;
                       }) {
    return Json::array({put(value.first), put(value.second)});
  } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (requires { typename T::mapped_type; }) {
    Json object = Json::object();
    for (const auto& [key, item] : value) object[key] = put(item);
    return object;
  } else {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(put(item));
    return array;
  }
}

template <class T>
void get(const Json& json, T& value);

struct Reader {
  const Json& object;
  template <class T>
  void operator()(const char* name, T& value) {
    if (const auto found = object.find(name); found != object.end()) get(*found, value);
  }
};

// Throws nlohmann's exception for a value of another type; parse() catches it.
template <class T>
void get(const Json& json, T& value) {
  if constexpr (Struct<T>) {
    Reader reader{json};
    fields(reader, value);
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(json.get<int>());
  } else if constexpr (requires { value.has_value(); }) {
    if (json.is_null())
      value.reset();
    else
      get(json, value.emplace());
  } else if constexpr (requires {
                         value.first;
                         value.second;
                       }) {
    get(json.at(0), value.first);
    get(json.at(1), value.second);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
    value = json.get<T>();
  } else if constexpr (requires { typename T::mapped_type; }) {
    value.clear();
    for (const auto& [key, item] : json.items()) get(item, value[key]);
  } else {
    value.clear();
    for (const auto& item : json) get(item, value.emplace_back());
  }
}

// Bytes of an argument need not be UTF-8; the row keeps a replacement character then.
template <class T>
std::string write(const T& value) {
  return put(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T>
Result<T> parse(std::string_view text, const char* what) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::failed, "the store holds a damaged {}", what);
  try {
    T value{};
    get(json, value);
    return value;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::failed, "the store holds a damaged {}: {}", what, error.what());
  }
}

}  // namespace

std::string to_json(const ContainerConfig& config) { return write(config); }
std::string to_json(const ContainerRuntime& runtime) { return write(runtime); }
std::string to_json(const PodConfig& config) { return write(config); }
std::string to_json(const PodRuntime& runtime) { return write(runtime); }

Result<ContainerConfig> container_config_from_json(std::string_view text) {
  return parse<ContainerConfig>(text, "container configuration");
}
Result<ContainerRuntime> container_runtime_from_json(std::string_view text) {
  return parse<ContainerRuntime>(text, "container state");
}
Result<PodConfig> pod_config_from_json(std::string_view text) {
  return parse<PodConfig>(text, "pod configuration");
}
Result<PodRuntime> pod_runtime_from_json(std::string_view text) {
  return parse<PodRuntime>(text, "pod state");
}

}  // namespace fermata::pod
