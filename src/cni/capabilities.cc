#include "cni/capabilities.h"

#include <algorithm>

#include "cni/json_text.h"

namespace fermata::cni {
namespace {

void put(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

Json to_json(const PortMapping& mapping) {
  Json json = {{"hostPort", mapping.host_port},
               {"containerPort", mapping.container_port},
               {"protocol", mapping.protocol}};
  put(json, "hostIP", mapping.host_ip);
  return json;
}

Json to_json(const Bandwidth& bandwidth) {
  Json json = Json::object();
  const auto limit = [&](const char* rate_key, std::uint64_t rate, const char* burst_key,
                         std::uint64_t burst) {
    if (rate == 0) return;
    json[rate_key] = rate;
    json[burst_key] = burst;
  };
  limit("ingressRate", bandwidth.ingress_rate, "ingressBurst", bandwidth.ingress_burst);
  limit("egressRate", bandwidth.egress_rate, "egressBurst", bandwidth.egress_burst);
  return json;
}

Json to_json(const IpRange& range) {
  Json json = Json::object({{"subnet", range.subnet}});
  put(json, "rangeStart", range.range_start);
  put(json, "rangeEnd", range.range_end);
  put(json, "gateway", range.gateway);
  return json;
}

Json to_json(const DnsArguments& dns) {
  return {{"servers", dns.servers}, {"searches", dns.searches}, {"options", dns.options}};
}

template <class T>
Json to_json(const std::vector<T>& items) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(to_json(item));
  return json;
}

}  // namespace

std::string capability_document(const Capabilities& capabilities) {
  Json json = Json::object();
  if (!capabilities.port_mappings.empty()) json["portMappings"] = to_json(capabilities.port_mappings);
  if (capabilities.bandwidth) json["bandwidth"] = to_json(*capabilities.bandwidth);
  if (!capabilities.ip_ranges.empty()) json["ipRanges"] = to_json(capabilities.ip_ranges);
  if (capabilities.dns) json["dns"] = to_json(*capabilities.dns);
  if (!capabilities.ips.empty()) json["ips"] = capabilities.ips;
  put(json, "mac", capabilities.mac);
  put(json, "cgroupPath", capabilities.cgroup_path);
  if (!capabilities.annotations.empty()) json["io.kubernetes.cri.pod-annotations"] = capabilities.annotations;
  return to_text(json);
}

bool needs_ip_ranges(const NetworkConfiguration& network) {
  return std::any_of(network.plugins.begin(), network.plugins.end(), [](const Plugin& plugin) {
    const Json written = Json::parse(plugin.document, nullptr, /*allow_exceptions=*/false);
    if (!plugin.capabilities.contains("ipRanges") || !written.is_object() || !written.contains("ipam"))
      return false;
    const Json& ipam = written["ipam"];
    return ipam.is_object() && ipam.value("type", Json()) == "host-local" && !ipam.contains("subnet") &&
           ipam.value("ranges", Json::array()).empty();
  });
}

}  // namespace fermata::cni
