#include "cri/sandbox_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cri/keepsake.h"
#include "cri/pod_names.h"

namespace fermata::cri {
namespace {

constexpr std::int32_t kMaxPort = 65535;

const char* name_of(v1::NamespaceMode mode) {
  switch (mode) {
    case v1::POD:
      return "POD";
    case v1::CONTAINER:
      return "CONTAINER";
    case v1::NODE:
      return "NODE";
    case v1::TARGET:
      return "TARGET";
    default:
      return "of an unknown mode";
  }
}

tl::unexpected<Error> no_such_namespace(const char* what, v1::NamespaceMode mode) {
  return fail(ErrorKind::invalid_argument, "a pod's {} namespace cannot be {}", what, name_of(mode));
}

// The pod has one, or the host's.
Result<bool> is_hosts(const char* what, v1::NamespaceMode mode) {
  if (mode == v1::NODE) return true;
  if (mode == v1::POD) return false;
  return no_such_namespace(what, mode);
}

Result<void> plan_namespaces(const v1::NamespaceOption& options, const std::string& hostname,
                             pod::ContainerConfig& config) {
  TRY(const bool host_network, is_hosts("network", options.network()));
  TRY(const bool host_ipc, is_hosts("IPC", options.ipc()));
  if (options.pid() == v1::TARGET) return no_such_namespace("PID", options.pid());
  config.net.kind = host_network ? "host" : "bridge";
  config.ipc.kind = host_ipc ? "host" : "shareable";
  if (options.pid() == v1::NODE) config.pid.kind = "host";
  // In the host's network a name of its own would resolve nowhere.
  if (host_network && hostname.empty()) config.uts.kind = "host";
  return {};
}

Result<std::vector<oci::IdMapping>> plan_ids(
    const google::protobuf::RepeatedPtrField<v1::IDMapping>& mappings, const char* what) {
  if (mappings.size() != 1)
    return fail(ErrorKind::invalid_argument, "a user namespace takes one mapping of {}, and not {}", what,
                mappings.size());
  const v1::IDMapping& mapping = mappings[0];
  if (mapping.container_id() != 0)
    return fail(ErrorKind::invalid_argument, "the mapping of {} begins at {} in the container, and not at 0",
                what, mapping.container_id());
  if (mapping.length() == 0) return fail(ErrorKind::invalid_argument, "the mapping of {} is empty", what);
  return std::vector<oci::IdMapping>{
      {.container_id = 0, .host_id = mapping.host_id(), .size = mapping.length()}};
}

Result<std::optional<pod::UserNamespace>> plan_users(const v1::NamespaceOption& options) {
  std::optional<pod::UserNamespace> none;
  // A kubelet of before user namespaces sends none.
  if (!options.has_userns_options()) return none;
  const v1::UserNamespace& asked = options.userns_options();
  TRY(const bool host, is_hosts("user", asked.mode()));
  if (host) {
    if (asked.uids_size() + asked.gids_size() > 0)
      return fail(ErrorKind::invalid_argument, "ids are mapped, and the user namespace is the host's");
    return none;
  }
  pod::UserNamespace users;
  TRY(users.uids, plan_ids(asked.uids(), "user ids"));
  TRY(users.gids, plan_ids(asked.gids(), "group ids"));
  return std::optional(std::move(users));
}

Result<std::string> protocol_name(v1::Protocol protocol) {
  switch (protocol) {
    case v1::TCP:
      return std::string("tcp");
    case v1::UDP:
      return std::string("udp");
    case v1::SCTP:
      return std::string("sctp");
    default:
      return fail(ErrorKind::invalid_argument, "a port of the unknown protocol {}",
                  static_cast<int>(protocol));
  }
}

Result<void> plan_ports(const v1::PodSandboxConfig& asked, pod::ContainerConfig& config) {
  for (const v1::PortMapping& port : asked.port_mappings()) {
    // 0: it is not published.
    if (port.host_port() == 0) continue;
    if (port.host_port() < 0 || port.host_port() > kMaxPort || port.container_port() <= 0 ||
        port.container_port() > kMaxPort)
      return fail(ErrorKind::invalid_argument, "port {} of the host to {} of the pod: there is no such port",
                  port.host_port(), port.container_port());
    TRY(auto protocol, protocol_name(port.protocol()));
    // Both families, as for "" itself.
    const bool any = port.host_ip() == "0.0.0.0" || port.host_ip() == "::";
    config.ports.push_back({.host_ip = any ? "" : port.host_ip(),
                            .host_port = static_cast<std::uint16_t>(port.host_port()),
                            .container_port = static_cast<std::uint16_t>(port.container_port()),
                            .protocol = std::move(protocol)});
  }
  return {};
}

// What plugins are told of the pod, by the names that they know (CNI_ARGS), and the rates of its bandwidth.
Result<void> plan_plugins(const v1::PodSandboxConfig& asked, pod::CniRequest& cni) {
  const auto& pod = asked.metadata();
  cni.arguments = {{"IgnoreUnknown", "1"},
                   {"K8S_POD_NAMESPACE", pod.namespace_()},
                   {"K8S_POD_NAME", pod.name()},
                   {"K8S_POD_UID", pod.uid()}};
  for (const auto& [key, rate] : {std::pair("kubernetes.io/ingress-bandwidth", &cni.ingress_rate),
                                  std::pair("kubernetes.io/egress-bandwidth", &cni.egress_rate)}) {
    const auto found = asked.annotations().find(key);
    if (found == asked.annotations().end()) continue;
    auto parsed = parse_rate(found->second);
    if (!parsed) return fail_with(std::move(parsed.error()), fmt::format("annotation {}", key));
    *rate = *parsed;
  }
  return {};
}

// What a custom infra image needs; the engine's own pause is more confined than any profile.
Result<void> plan_security(const v1::LinuxSandboxSecurityContext& context, bool own_image,
                           const ReadProfile& read, pod::ContainerConfig& config) {
  TRY(config.user, numeric_user(context));
  for (const std::int64_t group : context.supplemental_groups())
    config.groups.push_back(std::to_string(group));
  config.strict_groups = context.supplemental_groups_policy() == v1::Strict;
  config.readonly_root = context.readonly_rootfs();
  config.selinux_label = selinux_label(context.selinux_options());
  if (!own_image) return {};
  TRY(config.security_opt, security_options(SecurityProfiles(context), read));
  return {};
}

}  // namespace

Result<std::uint64_t> parse_rate(std::string_view text) {
  constexpr std::string_view kDecimal = "kMGTP", kBinary = "KMGTP";
  constexpr double kLeast = 1e3, kMost = 1e15;
  const auto unit_at = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view unit = text.substr(unit_at);
  const bool binary = unit.ends_with('i');
  if (binary) unit.remove_suffix(1);
  const auto power = unit.empty() ? 0 : (binary ? kBinary : kDecimal).find(unit) + 1;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + unit_at, number);
  const bool known = unit.size() <= 1 && power <= kDecimal.size() && !(binary && unit.empty());
  if (error != std::errc() || end != text.data() + unit_at || !known)
    return fail(ErrorKind::invalid_argument, "'{}' is no rate", text);
  number *= std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power));
  if (number < kLeast || number > kMost)
    return fail(ErrorKind::invalid_argument, "the rate '{}' is not between 1k and 1P", text);
  return static_cast<std::uint64_t>(number);
}

Result<pod::ContainerConfig> plan_sandbox(const v1::RunPodSandboxRequest& request, const std::string& image,
                                          const ReadProfile& read) {
  const v1::PodSandboxConfig& asked = request.config();
  const auto& context = asked.linux().security_context();
  pod::ContainerConfig config;
  config.infra = true;
  config.image = image;
  TRY(config.name, sandbox_name(asked.metadata()));
  config.hostname = asked.hostname();
  TRY(plan_namespaces(context.namespace_options(), asked.hostname(), config));
  TRY(config.user_namespace, plan_users(context.namespace_options()));
  if (config.net.kind != "host") TRY(plan_ports(asked, config));
  TRY(plan_plugins(asked, config.cni));
  TRY(plan_security(context, !image.empty(), read, config));
  config.dns.assign(asked.dns_config().servers().begin(), asked.dns_config().servers().end());
  config.dns_search.assign(asked.dns_config().searches().begin(), asked.dns_config().searches().end());
  config.dns_options.assign(asked.dns_config().options().begin(), asked.dns_config().options().end());
  config.labels.insert(asked.labels().begin(), asked.labels().end());
  config.annotations.insert(asked.annotations().begin(), asked.annotations().end());
  config.sysctls.insert(asked.linux().sysctls().begin(), asked.linux().sysctls().end());
  config.cgroup_parent = asked.linux().cgroup_parent();
  config.attachment = keepsake_of(request);
  return config;
}

}  // namespace fermata::cri
