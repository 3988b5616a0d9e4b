// Pod networks: one bridge, an address pool, published ports; all without a daemon. rtnetlink(7), nftables
// over netlink.
//
// State is in the database (leases, ports), links and rules in the kernel; maintain() brings them together.
// Concurrent engines on one store are ordered by a lock file. Methods may be called from one thread at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "monitor/protocol.h"
#include "network/pod_ranges.h"
#include "state/database.h"

namespace fermata::network {

struct PortMapping {
  std::string host_ip;          // "" every address, IPv4 and IPv6; else one address, IPv6 without brackets
  std::uint16_t host_port = 0;  // 0: a free one is chosen
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";     // tcp, udp, sctp
  std::uint16_t host_port_end = 0;  // not 0: a free one of host_port..host_port_end is chosen
  bool operator==(const PortMapping&) const = default;
};

// Docker's -p: [ip:][hostPort[-end]:]containerPort[-end][/proto]; "[::1]:8080:80". Ranges are expanded.
// Errors in docker's words: "invalid containerPort: 80x", "invalid hostPort: 70000".
Result<std::vector<PortMapping>> parse_publish(std::string_view text);
// "0.0.0.0:8080->80/tcp, :::8080->80/tcp", sorted, runs of ports joined ("0.0.0.0:8000-8002->8000-8002/tcp").
// `exposed`: "80/tcp" of the image, shown without arrow when not published.
std::string describe_ports(const std::vector<PortMapping>& ports, const std::vector<std::string>& exposed);

struct Options {
  std::string run_directory;        // lock file
  std::string bridge = "fermata0";  // at most 15 characters; also names the nftables table
  std::string ipv4_pool = "10.88.0.0/16";
  std::string ipv6_pool;  // "": a ULA /64 derived once and kept in the database
};

// Ports bound to the host, before anything is made. Held by the caller until the monitor has them.
struct Reservation {
  std::vector<PortMapping> ports;          // with the chosen numbers
  std::vector<UniqueFd> held;              // monitor::FdTag::port
  std::vector<UniqueFd> relays;            // monitor::FdTag::relay, on [::1]
  std::vector<std::uint16_t> relay_ports;  // container port of each relay
  std::vector<bool> relay_datagram;
};

struct Attachment {
  std::string host_interface;  // veth's name on the host
  std::string ipv4;            // "10.88.0.5"
  int ipv4_prefix = 16;
  std::string ipv4_gateway;
  std::string ipv6;  // "" when the host has no IPv6
  int ipv6_prefix = 64;
  std::string ipv6_gateway;
  std::string mac;
  std::vector<std::string> warnings;  // what could not be done and why ("IPv6 is off on this host")
};

class Network {
 public:
  static Result<Network> open(state::Database& database, Options options);
  Network(Network&&) noexcept;
  ~Network();

  // "port 8080/tcp is in use by container 'web'" or "... by another program", nothing made.
  Result<Reservation> reserve(const std::string& pod, const std::vector<PortMapping>& ports);
  // Gives the namespace eth0 with addresses and routes, lo up, its sysctls (ip_unprivileged_port_start=0,
  // ping_group_range), and publishes the ports. Idempotent: an attached pod gets the same addresses.
  Result<Attachment> attach(const std::string& pod, int network_namespace, const Reservation& reservation);
  // Only lo and the sysctls: --net=none.
  static Result<void> prepare_isolated(int network_namespace);
  // Ends lease and ports. The veth dies with its namespace. Absent is success. Bridge and table stay for the
  // next pod, see take_down().
  Result<void> release(const std::string& pod);
  // From now on pods get addresses of these; the bridge is made anew as soon as no pod has an address of it.
  // Answers what stays as it is, and why, for people.
  Result<std::vector<std::string>> set_pod_ranges(const PodRanges& ranges);
  Result<PodRanges> pod_ranges();
  // Since when bridge and table stand though no pod has a lease, in ns of CLOCK_REALTIME; nullopt: they do
  // not.
  Result<std::optional<std::int64_t>> idle_since();
  // Removes bridge and table unless a pod has a lease. The kernel takes about 40 ms for a bridge, and blocks.
  Result<void> take_down();
  // For every command: mends rules that other programs flushed or overruled, and takes down what has been
  // idle for so long that whoever should have done it must have been killed. Leaves it to another command
  // that is at work.
  Result<void> maintain();
  // The relay targets for monitor::HoldPorts.
  static std::vector<monitor::RelayTarget> relay_targets(const Reservation& reservation,
                                                         const Attachment& attachment);

 private:
  struct Impl;
  explicit Network(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fermata::network
