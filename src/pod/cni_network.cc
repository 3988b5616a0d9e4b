// A pod's network by CNI plugins. The database knows of every attachment before a plugin does, so whichever
// process ends the pod can detach it.
#include <fmt/format.h>

#include "base/text.h"
#include "cni/attachments.h"
#include "cni/capabilities.h"
#include "cni/namespace_pin.h"
#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

constexpr const char* kDefaultRunRoot = "/run/fermata";
// Of a token bucket: the plugins want one, and 2^31 bits is more than any queue holds.
constexpr std::uint64_t kBurst = (std::uint64_t{1} << 31) - 1;

// Other engines' pins are not ours to replace.
std::string pin_directory(const std::string& run_root) {
  return run_root == kDefaultRunRoot ? cni::kDefaultPinDirectory : run_root + "/netns";
}

cni::Capabilities capabilities_of(const PodRow& pod, const ContainerConfig& founder,
                                  const std::string& cgroup) {
  cni::Capabilities capabilities;
  for (const network::PortMapping& port : pod.config.ports)
    capabilities.port_mappings.push_back({.host_port = port.host_port,
                                          .container_port = port.container_port,
                                          .protocol = port.protocol,
                                          .host_ip = port.host_ip});
  const CniRequest& request = pod.config.cni;
  if (request.ingress_rate != 0 || request.egress_rate != 0)
    capabilities.bandwidth = cni::Bandwidth{.ingress_rate = request.ingress_rate,
                                            .ingress_burst = request.ingress_rate == 0 ? 0 : kBurst,
                                            .egress_rate = request.egress_rate,
                                            .egress_burst = request.egress_rate == 0 ? 0 : kBurst};
  if (!pod.config.dns.empty() || !pod.config.dns_search.empty() || !pod.config.dns_options.empty())
    capabilities.dns = cni::DnsArguments{
        .servers = pod.config.dns, .searches = pod.config.dns_search, .options = pod.config.dns_options};
  for (const std::string& range : request.ip_ranges)
    capabilities.ip_ranges.push_back({{.subnet = range, .range_start = {}, .range_end = {}, .gateway = {}}});
  capabilities.cgroup_path = "/" + cgroup;
  capabilities.annotations = founder.annotations;
  return capabilities;
}

// The first of each family is the pod's address.
network::Attachment describe(const cni::AddResult& result) {
  network::Attachment attachment;
  for (const cni::AssignedIp& ip : result.pod_ips()) {
    const bool six = ip.address.family == AF_INET6;
    std::string& address = six ? attachment.ipv6 : attachment.ipv4;
    if (!address.empty()) continue;
    address = kernel::format_ip(ip.address);
    (six ? attachment.ipv6_prefix : attachment.ipv4_prefix) = ip.prefix;
    if (ip.gateway)
      (six ? attachment.ipv6_gateway : attachment.ipv4_gateway) = kernel::format_ip(*ip.gateway);
    if (ip.interface && *ip.interface < result.interfaces.size())
      attachment.mac = result.interfaces[*ip.interface].mac;
  }
  for (const cni::Interface& interface : result.interfaces)
    if (interface.sandbox.empty() && interface.name.starts_with("veth"))
      attachment.host_interface = interface.name;
  return attachment;
}

}  // namespace

Result<void> Engine::Impl::attach_cni(PodRow& pod, int network_namespace) {
  const CniRequest& request = pod.config.cni;
  TRY(const auto configuration, cni::load_configuration(request.configuration_directory));
  if (configuration.networks.empty())
    return fail(ErrorKind::unavailable, "no CNI configuration in '{}'", request.configuration_directory);
  TRY(network::Network::prepare_isolated(network_namespace));
  TRY(const auto founder, store().container(pod.config.infra));
  TRY(const std::string path,
      cni::pin_network_namespace(pin_directory(options_.run_root), pod.id, network_namespace));
  cni::Plugins plugins(request.plugin_directories);
  cni::Attachments attachments(*database_, plugins, options_.run_root);
  const std::string capabilities =
      cni::capability_document(capabilities_of(pod, founder.config, pod.runtime.cgroup));
  for (std::size_t i = 0; i < configuration.networks.size(); ++i) {
    auto arguments = request.arguments;
    arguments.emplace_back("K8S_POD_INFRA_CONTAINER_ID", pod.id);
    TRY(const auto result, attachments.add(configuration.networks[i], {.pod = pod.id,
                                                                       .interface = cni::interface_name(i),
                                                                       .network_namespace = path,
                                                                       .arguments = std::move(arguments),
                                                                       .capabilities = capabilities}));
    if (i == 0) pod.runtime.network = describe(result);
  }
  pod.runtime.ports = pod.config.ports;
  return {};
}

Result<void> Engine::Impl::detach_cni(const PodRow& pod) {
  cni::Plugins plugins(pod.config.cni.plugin_directories);
  TRY(cni::Attachments(*database_, plugins, options_.run_root).del(pod.id));
  return cni::unpin_network_namespace(pin_directory(options_.run_root), pod.id);
}

}  // namespace fermata::pod
