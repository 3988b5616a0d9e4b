// The order of acts. Rows go before the kernel when something is made and after it when something is taken
// away, so that a crash in between leaves a row, and release() of that row does the rest. All under one lock
// file.
#include "network/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/files.h"
#include "network/foreign_rules.h"
#include "network/host_bridge.h"
#include "network/network_impl.h"
#include "network/pod_link.h"
#include "network/records.h"
#include "network/ruleset.h"
#include "network/udp_flows.h"

namespace fermata::network {
namespace {

// The number of the nftables generation that we left. As long as it is the present one nobody has touched any
// rule, so that neither our table nor the foreign chains need a look.
constexpr char kGeneration[] = "nft_generation";

// Nobody waits longer for who should take the network down, in nanoseconds.
constexpr std::int64_t kForgotten = 5'000'000'000;

// Without `wait` an invalid descriptor: another command holds it.
Result<UniqueFd> lock(const std::string& run_directory, bool wait = true) {
  TRY(UniqueFd fd, open_file(run_directory + "/network.lock", O_RDWR | O_CREAT, 0600));
  while (::flock(fd.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return UniqueFd();
    if (errno != EINTR) return fail(errno, "lock '{}/network.lock'", run_directory);
  }
  return fd;
}

}  // namespace

// Kept open, because closing a netfilter socket soon after a deletion costs 10 ms; see close_in_background().
Result<std::reference_wrapper<Sockets>> Network::Impl::open_sockets() {
  if (!kept) {
    TRY(kernel::NetlinkSocket route, kernel::NetlinkSocket::open(NETLINK_ROUTE));
    TRY(kernel::NetlinkSocket netfilter, kernel::NetlinkSocket::open(NETLINK_NETFILTER));
    kept = std::make_unique<Sockets>(Sockets{std::move(route), std::move(netfilter)});
  }
  return std::ref(*kept);
}

Network::Network(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Network::Network(Network&&) noexcept = default;
Network::~Network() = default;

Result<Network> Network::open(state::Database& database, Options options) {
  if (options.bridge.empty() || options.bridge.size() > 15 ||
      options.bridge.find_first_of("/ \t\n:%") != std::string::npos)
    return fail(ErrorKind::invalid_argument,
                "invalid bridge name '{}': at most 15 characters, no '/', ':', '%' or space", options.bridge);
  return Network(std::unique_ptr<Impl>(new Impl{&database, std::move(options), nullptr}));
}

// Lease and ports in one transaction.
Result<Lease> Network::Impl::record(const std::string& pod, const HostBridge& bridge,
                                    const Reservation& reservation, Sockets& sockets) {
  TRY(state::Transaction transaction, state::Transaction::begin(*database));
  TRY(const Lease lease, take_lease(*database, pod, bridge.pool,
                                    [&](int link) { return !sockets.route.link_name(link).empty(); }));
  TRY(put_ports(*database, pod, reservation.ports));
  TRY(transaction.commit());
  return lease;
}

Result<void> Network::Impl::note_generation(Sockets& sockets) {
  TRY(const std::uint32_t generation, kernel::nft_generation(sockets.netfilter));
  return set_setting(*database, kGeneration, std::to_string(generation));
}

Result<bool> Network::Impl::rules_untouched(Sockets& sockets) {
  TRY(const std::uint32_t generation, kernel::nft_generation(sockets.netfilter));
  TRY(const std::string known, setting(*database, kGeneration));
  return known == std::to_string(generation);
}

Result<void> Network::Impl::ensure_rules(const HostBridge& bridge, const std::string& without,
                                         Sockets& sockets, std::vector<std::string>& warnings) {
  TRY(const bool untouched, rules_untouched(sockets));
  if (!bridge.fresh && untouched) return {};
  Ruleset ruleset(sockets.netfilter, options.bridge);
  TRY(const bool stands, ruleset.stands(bridge.pool));
  if (!stands || bridge.fresh) {
    TRY(const std::vector<PortRecord> ports, ports_except(*database, without));
    TRY(ruleset.build(bridge.pool, ports));
  }
  TRY(open_foreign_chains(sockets.netfilter, *database, options.bridge, warnings));
  return note_generation(sockets);
}

Result<void> Network::Impl::publish(const std::string& pod, const HostBridge& bridge, Sockets& sockets) {
  TRY(const std::vector<PortRecord> ports, ports_of(*database, pod));
  if (ports.empty()) return {};
  Ruleset ruleset(sockets.netfilter, options.bridge);
  // An element of a pod that has gone without a trace is in the way, or the table went while we looked.
  if (!ruleset.add(bridge.pool, ports)) {
    TRY(const std::vector<PortRecord> all, ports_except(*database, ""));
    TRY(ruleset.build(bridge.pool, all));
  }
  TRY(note_generation(sockets));
  return forget_flows_before(sockets.netfilter, ports);
}

Result<Attachment> Network::attach(const std::string& pod, int network_namespace,
                                   const Reservation& reservation) {
  TRY(const UniqueFd guard, lock(impl_->options.run_directory));
  TRY(Sockets & sockets, impl_->open_sockets());
  TRY(HostBridge bridge, ensure_bridge(sockets.route, *impl_->database, impl_->options));
  TRY(const Lease lease, impl_->record(pod, bridge, reservation, sockets));
  TRY(impl_->ensure_rules(bridge, pod, sockets, bridge.warnings));
  TRY(const int link, attach_link(sockets.route, network_namespace, bridge, lease, bridge.warnings));
  if (link != lease.link) TRY(set_lease_link(*impl_->database, pod, link));
  TRY(impl_->publish(pod, bridge, sockets));

  const AddressPool& pool = bridge.pool;
  Attachment attachment{.host_interface = host_interface_of(lease.address),
                        .ipv4 = kernel::format_ip(lease.address),
                        .ipv4_prefix = pool.ipv4().prefix,
                        .ipv4_gateway = kernel::format_ip(pool.gateway()),
                        .mac = kernel::format_mac(mac_of(lease.address)),
                        .warnings = std::move(bridge.warnings)};
  if (pool.has_ipv6()) {
    attachment.ipv6 = kernel::format_ip(pool.ipv6_of(lease.address));
    attachment.ipv6_prefix = pool.ipv6().prefix;
    attachment.ipv6_gateway = kernel::format_ip(pool.ipv6_of(pool.gateway()));
  }
  return attachment;
}

Result<void> Network::prepare_isolated(int network_namespace) { return prepare_namespace(network_namespace); }

Result<void> Network::Impl::unpublish(const std::string& pod, Sockets& sockets) {
  TRY(const std::vector<PortRecord> ports, ports_of(*database, pod));
  if (ports.empty()) return {};
  TRY(const HostBridge bridge, find_bridge(sockets.route, *database, options));
  Ruleset ruleset(sockets.netfilter, options.bridge);
  sockets.netfilter.close_in_background();
  TRY(const bool stands, ruleset.stands(bridge.pool));
  if (!stands) return {};
  // Only what is left of an attachment that did not get so far: the table without it is made anew.
  if (!ruleset.remove(bridge.pool, ports)) {
    TRY(const std::vector<PortRecord> others, ports_except(*database, pod));
    TRY(ruleset.build(bridge.pool, others));
  }
  TRY(note_generation(sockets));
  return forget_flows_to(sockets.netfilter, ports, bridge.pool);
}

Result<void> Network::Impl::release(const std::string& pod, Sockets& sockets) {
  TRY(unpublish(pod, sockets));
  TRY(state::Transaction transaction, state::Transaction::begin(*database));
  TRY(delete_ports(*database, pod));
  TRY(end_lease(*database, pod));
  return transaction.commit();
}

Result<void> Network::release(const std::string& pod) {
  TRY(const UniqueFd guard, lock(impl_->options.run_directory));
  TRY(Sockets & sockets, impl_->open_sockets());
  return impl_->release(pod, sockets);
}

Result<std::optional<std::int64_t>> Network::Impl::idle_since() {
  TRY(const std::string made, setting(*database, "bridge"));
  if (made.empty()) return std::optional<std::int64_t>();
  TRY(const bool used, any_lease(*database));
  if (used) return std::optional<std::int64_t>();
  TRY(const std::int64_t ended, last_lease_end(*database));
  return std::optional(ended);
}

Result<void> Network::Impl::take_down() {
  TRY(const auto since, idle_since());
  if (!since) return {};
  TRY(Sockets & sockets, open_sockets());
  sockets.netfilter.close_in_background();
  TRY(close_foreign_chains(sockets.netfilter, *database, options.bridge));
  TRY(Ruleset(sockets.netfilter, options.bridge).destroy());
  TRY(forget_setting(*database, kGeneration));
  return remove_bridge(sockets.route, *database, options);
}

Result<std::vector<std::string>> Network::Impl::kept_pools(const PodRanges& ranges) {
  std::vector<std::string> missed;
  for (const kernel::IpNetwork& range : ranges) {
    TRY(const std::string pool,
        setting(*database, range.address.family == AF_INET ? "ipv4_pool" : "ipv6_pool"));
    const std::string wanted = kernel::format_network(range);
    // On a host without IPv6 there is no such pool, which pods are told of themselves.
    if (AddressPool::suits(range) && kernel::parse_network(pool) && pool != wanted)
      missed.push_back(
          fmt::format("{}: the pod network is {} as long as a pod has an address of it", wanted, pool));
  }
  return missed;
}

Result<std::vector<std::string>> Network::set_pod_ranges(const PodRanges& ranges) {
  TRY(const UniqueFd guard, lock(impl_->options.run_directory));
  TRY(record_pod_ranges(*impl_->database, ranges));
  TRY(impl_->take_down());
  std::vector<std::string> kept;
  TRY(const bool used, any_lease(*impl_->database));
  if (used) {
    TRY(kept, impl_->kept_pools(ranges));
  }
  for (const kernel::IpNetwork& range : ranges)
    if (std::string why = unsuited(range); !why.empty()) kept.push_back(std::move(why));
  return kept;
}

Result<PodRanges> Network::pod_ranges() { return recorded_pod_ranges(*impl_->database); }

Result<std::optional<std::int64_t>> Network::idle_since() { return impl_->idle_since(); }

Result<void> Network::take_down() {
  TRY(const UniqueFd guard, lock(impl_->options.run_directory));
  return impl_->take_down();
}

Result<void> Network::maintain() {
  // The usual answers, without the lock: there is nothing, or somebody will take it down.
  TRY(const std::string made, setting(*impl_->database, "bridge"));
  if (made.empty()) return {};
  TRY(const bool used, any_lease(*impl_->database));
  if (!used) {
    TRY(const std::int64_t ended, last_lease_end(*impl_->database));
    if (now_ns() - ended < kForgotten) return {};
  }
  TRY(const UniqueFd guard, lock(impl_->options.run_directory, false));
  if (!guard) return {};
  if (!used) return impl_->take_down();
  TRY(Sockets & sockets, impl_->open_sockets());
  TRY(const bool untouched, impl_->rules_untouched(sockets));
  if (untouched) return {};
  TRY(const HostBridge bridge, find_bridge(sockets.route, *impl_->database, impl_->options));
  if (bridge.link == 0) return {};
  std::vector<std::string> warnings;  // told by the next attach; nobody listens here
  return impl_->ensure_rules(bridge, "", sockets, warnings);
}

std::vector<monitor::RelayTarget> Network::relay_targets(const Reservation& reservation,
                                                         const Attachment& attachment) {
  std::vector<monitor::RelayTarget> targets;
  // IPv4, as docker's proxy does it: a server that listens for IPv4 alone is reached, one that listens for
  // both too.
  const auto address = kernel::parse_ip(attachment.ipv4);
  for (std::size_t i = 0; address && i < reservation.relays.size(); ++i) {
    monitor::RelayTarget target{.family = AF_INET,
                                .datagram = static_cast<std::uint8_t>(reservation.relay_datagram[i] ? 1 : 0),
                                .port = reservation.relay_ports[i],
                                .address = {}};
    std::memcpy(target.address, address->bytes.data(), 4);
    targets.push_back(target);
  }
  return targets;
}

}  // namespace fermata::network
