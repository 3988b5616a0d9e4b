#include "pod/config_check.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <set>

#include "base/signals.h"
#include "base/text.h"
#include "pod/container_spec.h"
#include "pod/engine.h"
#include "pod/limits.h"
#include "pod/user_ids.h"
#include "runtime/sysctls.h"

namespace fermata::pod {
namespace {

constexpr std::size_t kMaximumHostname = 64;  // HOST_NAME_MAX, uts_namespaces(7)

bool is_address(std::string_view text) {
  unsigned char address[16];
  const std::string copy(text);
  return ::inet_pton(AF_INET, copy.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, copy.c_str(), address) == 1;
}

Result<void> check_kind(const NamespaceMode& mode, const char* what,
                        std::initializer_list<std::string_view> kinds) {
  if (std::find(kinds.begin(), kinds.end(), mode.kind) == kinds.end()) {
    if (std::string_view(what) == "network")
      return fail(ErrorKind::not_found, "network {} not found", mode.kind);
    return fail(ErrorKind::invalid_argument, "{}: invalid {} mode", mode.kind, what);
  }
  if (mode.kind == "container" && mode.target.empty())
    return fail(ErrorKind::invalid_argument, "invalid {} mode: container:<name|id> needs a name", what);
  return {};
}

// What belongs to the network namespace is said where that is made.
Result<void> check_joined_network(const ContainerConfig& config) {
  constexpr auto kWhere = "set it on '{0}', the container that the network belongs to";
  const std::string where = fmt::format(kWhere, config.net.target);
  if (!config.ports.empty() || config.publish_all)
    return fail(
        ErrorKind::invalid_argument,
        "conflicting options: port publishing and the container type network mode (publish the port on '{}', "
        "the container that the network belongs to)",
        config.net.target);
  if (!config.hostname.empty())
    return fail(ErrorKind::invalid_argument, "conflicting options: hostname and the network mode ({})",
                where);
  if (!config.extra_hosts.empty())
    return fail(ErrorKind::invalid_argument,
                "conflicting options: custom host-to-IP mapping and the network mode ({})", where);
  if (!config.dns.empty() || !config.dns_search.empty() || !config.dns_options.empty())
    return fail(ErrorKind::invalid_argument, "conflicting options: dns and the network mode ({})", where);
  return {};
}

// What belongs to the host its root has no power over.
Result<void> check_user_namespace_mode(const ContainerConfig& config) {
  if (!config.user_namespace && !config.own_users) return {};
  if (!config.runtime.empty())
    return fail(ErrorKind::unsupported,
                "the OCI runtime '{}' makes no containers in a pod's user namespace: leave out one of both",
                config.runtime);
  if (config.user_namespace) TRY(check_user_namespace(*config.user_namespace));
  if (config.net.kind == "container")
    return fail(
        ErrorKind::invalid_argument,
        "conflicting options: a user namespace and the network mode (set it on '{}', the container that "
        "the network belongs to: those who join it share its user namespace)",
        config.net.target);
  const std::pair<const char*, const NamespaceMode*> modes[] = {
      {"network", &config.net}, {"PID", &config.pid}, {"IPC", &config.ipc}};
  for (const auto& [what, mode] : modes)
    if (mode->kind == "host" || mode->kind == "container")
      return fail(
          ErrorKind::invalid_argument,
          "conflicting options: a user namespace and the {} namespace of {}: its root has no power over "
          "that",
          what, mode->kind == "host" ? "the host" : "another container");
  return {};
}

Result<void> check_namespaces(const ContainerConfig& config) {
  TRY(check_kind(config.net, "network", {"", "bridge", "default", "none", "host", "cni", "container"}));
  TRY(check_kind(config.ipc, "IPC", {"", "private", "shareable", "host", "none", "container"}));
  TRY(check_kind(config.pid, "PID", {"", "private", "host", "container"}));
  TRY(check_kind(config.uts, "UTS", {"", "private", "host"}));
  TRY(check_kind(config.cgroupns, "cgroup namespace", {"", "private", "host"}));
  if (config.net.kind == "container") TRY(check_joined_network(config));
  if (!config.cgroup_parent.empty() && config.net.kind == "container")
    return fail(
        ErrorKind::invalid_argument,
        "conflicting options: a cgroup parent and the network mode (set it on '{}', the founder of the "
        "pod)",
        config.net.target);
  TRY(check_user_namespace_mode(config));
  if (config.uts.kind == "host" && !config.hostname.empty())
    return fail(ErrorKind::invalid_argument, "conflicting options: hostname and the UTS mode");
  if (config.hostname.size() > kMaximumHostname)
    return fail(ErrorKind::invalid_argument, "hostname '{}' is longer than {} bytes", config.hostname,
                kMaximumHostname);
  const bool host_network = config.net.kind == "host";
  for (const auto& [key, value] : config.sysctls) {
    const auto owner = runtime::namespace_of_sysctl(key);
    if (owner == oci::Namespace::Type::network && host_network)
      return fail(ErrorKind::invalid_argument, "sysctl '{}' not allowed in host network namespace", key);
    if (owner == oci::Namespace::Type::ipc && config.ipc.kind == "host")
      return fail(ErrorKind::invalid_argument, "sysctl '{}' not allowed in host ipc namespace", key);
    if (!owner || owner == oci::Namespace::Type::user || key == "kernel.hostname")
      return fail(ErrorKind::invalid_argument, "sysctl '{}' is not allowed: it belongs to no namespace", key);
  }
  return {};
}

Result<void> check_mounts(const ContainerConfig& config) {
  std::set<std::string_view> seen;
  for (const VolumeMount& mount : config.mounts) {
    if (!mount.destination.starts_with('/'))
      return fail(ErrorKind::invalid_argument, "invalid mount path: '{}' mount path must be absolute",
                  mount.destination);
    if (mount.destination == "/")
      return fail(ErrorKind::invalid_argument, "invalid specification: destination can't be '/'");
    if (!seen.insert(mount.destination).second)
      return fail(ErrorKind::invalid_argument, "Duplicate mount point: {}", mount.destination);
    if (mount.kind == VolumeMount::Kind::bind && !mount.source.starts_with('/'))
      return fail(ErrorKind::invalid_argument, "invalid mount path: '{}' mount path must be absolute",
                  mount.source);
    if (mount.kind == VolumeMount::Kind::volume && !mount.source.empty() && !is_valid_name(mount.source))
      return fail(ErrorKind::invalid_argument,
                  "\"{}\" includes invalid characters for a local volume name, only "
                  "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                  "allowed. If you intended to pass a host directory, use absolute path",
                  mount.source);
    constexpr std::string_view kPropagations[] = {"",       "private", "rprivate", "slave",
                                                  "rslave", "shared",  "rshared"};
    if (std::find(std::begin(kPropagations), std::end(kPropagations), mount.propagation) ==
        std::end(kPropagations))
      return fail(ErrorKind::invalid_argument, "invalid propagation mode: {}", mount.propagation);
  }
  return {};
}

Result<void> check_network_options(const ContainerConfig& config) {
  for (const std::string& server : config.dns)
    if (!is_address(server)) return fail(ErrorKind::invalid_argument, "{} is not an ip address", server);
  for (const std::string& entry : config.extra_hosts) {
    const auto parts = split_once(entry, ':');
    if (!parts || parts->first.empty() || parts->second.empty())
      return fail(ErrorKind::invalid_argument, "bad format for add-host: \"{}\"", entry);
    if (parts->second != "host-gateway" && !is_address(parts->second))
      return fail(ErrorKind::invalid_argument, "invalid IP address in add-host: \"{}\"", parts->second);
  }
  return {};
}

Result<void> check_process(const ContainerConfig& config) {
  if (config.init)
    return fail(ErrorKind::unsupported,
                "--init is not supported; run a pause container and join it with --pid=container:<name>: it "
                "is a real "
                "init and reaps orphans");
  if (!config.stop_signal.empty()) TRY(parse_signal(config.stop_signal));
  if (!config.working_dir.empty() && !config.working_dir.starts_with('/'))
    return fail(ErrorKind::invalid_argument,
                "the working directory '{}' is invalid, it needs to be an absolute path", config.working_dir);
  for (const Ulimit& ulimit : config.ulimits) {
    if (rlimit_type(ulimit.name).empty())
      return fail(ErrorKind::invalid_argument, "invalid ulimit type: {}", ulimit.name);
    if (ulimit.soft > ulimit.hard)
      return fail(ErrorKind::invalid_argument,
                  "ulimit soft limit must be less than or equal to hard limit: {} > {}", ulimit.soft,
                  ulimit.hard);
  }
  if (config.oom_score_adj && (*config.oom_score_adj < -1000 || *config.oom_score_adj > 1000))
    return fail(ErrorKind::invalid_argument, "Invalid value {}, range for oom score adj is [-1000, 1000]",
                *config.oom_score_adj);
  for (const std::string& variable : config.env)
    if (variable.empty() || variable[0] == '=')
      return fail(ErrorKind::invalid_argument, "invalid environment variable: {}", variable);
  TRY(parse_security(config.security_opt));
  for (const std::string& device : config.devices) TRY(parse_device(device));
  return {};
}

}  // namespace

bool is_valid_name(std::string_view name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (name.size() < 2 || kFirst.find(name[0]) == std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return kFirst.find(c) != std::string_view::npos || c == '_' || c == '.' || c == '-';
  });
}

Result<void> check_config(const ContainerConfig& config) {
  if (!config.name.empty() && !is_valid_name(config.name))
    return fail(ErrorKind::invalid_argument,
                "Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", config.name);
  if (config.log_driver != "cri" && config.log_driver != "none")
    return fail(ErrorKind::invalid_argument,
                "logger: no log driver named '{}' is registered (there are 'cri' and 'none')",
                config.log_driver);
  TRY(check_namespaces(config));
  TRY(check_mounts(config));
  if (config.pod.empty()) TRY(check_least_memory(config.resources));
  TRY(check_resources(config.resources));
  TRY(check_network_options(config));
  return check_process(config);
}

}  // namespace fermata::pod
