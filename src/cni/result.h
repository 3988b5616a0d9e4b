// What ADD has made: the result type of the CNI specification 1.1, section 5, into which the results of all
// earlier versions are read, and from which each is written. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cni/version.h"
#include "kernel/ip_address.h"

namespace fermata::cni {

struct Interface {
  std::string name;
  std::string mac;
  std::uint32_t mtu = 0;    // 0: not told
  std::string sandbox;      // the network namespace's path; "" on the host
  std::string socket_path;  // since 1.1
  std::string pci_id;       // since 1.1
  bool operator==(const Interface&) const = default;
};

struct AssignedIp {
  kernel::IpAddress address;
  int prefix = 0;
  std::optional<kernel::IpAddress> gateway;
  std::optional<std::uint32_t> interface;  // index into AddResult::interfaces
  bool operator==(const AssignedIp&) const = default;
};

struct Route {
  kernel::IpAddress destination;
  int prefix = 0;
  std::optional<kernel::IpAddress> gateway;
  // Since 1.1; 0 and nullopt: not told.
  std::uint32_t mtu = 0, advmss = 0, priority = 0;
  std::optional<std::uint32_t> table, scope;
  bool operator==(const Route&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  bool operator==(const Dns&) const = default;
};

struct AddResult {
  std::vector<Interface> interfaces;
  std::vector<AssignedIp> ips;
  std::vector<Route> routes;
  Dns dns;
  bool operator==(const AddResult&) const = default;

  // The addresses inside of the pod, in order: those of interfaces in a sandbox, and those that no interface
  // is named for.
  std::vector<AssignedIp> pod_ips() const;
};

// `asked`: the version that the plugin was asked for, which counts where it names none.
Result<AddResult> parse_result(std::string_view text, const Version& asked);
// What the version cannot say is left out; before 0.3 that is all but one address of each family.
std::string serialize_result(const AddResult& result, const Version& version);

}  // namespace fermata::cni
