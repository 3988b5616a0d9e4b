// Capability arguments: what a runtime tells those plugins that have declared that they want to know;
// CONVENTIONS.md of the CNI specification, "Well-known Capabilities". Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cni/configuration.h"

namespace fermata::cni {

struct PortMapping {
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";  // tcp, udp, sctp
  std::string host_ip;           // "": every address
};

// Bits a second, and bits. A rate needs its burst; 0: not limited.
struct Bandwidth {
  std::uint64_t ingress_rate = 0, ingress_burst = 0;
  std::uint64_t egress_rate = 0, egress_burst = 0;
};

struct IpRange {
  std::string subnet;                           // "10.1.2.0/24"
  std::string range_start, range_end, gateway;  // "": the plugin's choice
};

struct DnsArguments {
  std::vector<std::string> servers, searches, options;
};

// What is empty is not told.
struct Capabilities {
  std::vector<PortMapping> port_mappings;
  std::optional<Bandwidth> bandwidth;
  std::vector<std::vector<IpRange>> ip_ranges;  // one address of each
  std::optional<DnsArguments> dns;
  std::vector<std::string> ips;  // "10.1.2.3" or "10.1.2.3/24"
  std::string mac;
  std::string cgroup_path;
  // The pod's, under the name that CRI runtimes have for them, "io.kubernetes.cri.pod-annotations".
  std::map<std::string, std::string> annotations;
};

// JSON object, by capability; "{}" when there is nothing to tell.
std::string capability_document(const Capabilities& capabilities);

// Whether a plugin of it has no address to give as long as it is told no ip_ranges: its host-local has none
// of its own. Then ADD would fail, and DEL with it.
bool needs_ip_ranges(const NetworkConfiguration& network);

}  // namespace fermata::cni
