// Settings in the database: `ipv4_pool` and `ipv6_pool` ("-": the host has no IPv6) hold while the bridge
// stands, so that a start after a reboot may choose again; `ula` is for ever; `bridge` is the ifindex of a
// bridge that is finished, and is set to "0" before the first act, so that an unfinished one is seen.
// What a cluster has given this node for its pods (pod_ranges.h) comes before the engine's own choice.
#include "network/host_bridge.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "network/pod_ranges.h"
#include "network/records.h"

namespace fermata::network {
namespace {

constexpr char kNoIpv6[] = "-";
constexpr int kDefaultMtu = 1500;

// Through the calling thread: /proc/self is the process's first thread, which may be in another namespace.
std::string sysctl_path(std::string_view name) { return fmt::format("/proc/sys/net/{}", name); }

Result<std::string> read_sysctl(std::string_view name) {
  TRY(const std::string text, read_file(sysctl_path(name), 4096));
  return std::string(trim(text));
}

// Reading first: /proc/sys may be read-only where the value is right already.
Result<void> set_sysctl(std::string_view name, std::string_view value) {
  TRY(const std::string present, read_sysctl(name));
  if (present == value) return {};
  return write_kernel_file(sysctl_path(name), value);
}

// "" when IPv6 works; else why it does not.
std::string ipv6_trouble() {
  if (::access("/proc/sys/net/ipv6", F_OK) != 0) return "this host's kernel has no IPv6";
  for (const char* scope : {"all", "default"})
    if (read_sysctl(fmt::format("ipv6/conf/{}/disable_ipv6", scope)).value_or("0") != "0")
      return fmt::format("IPv6 is off on this host (net.ipv6.conf.{}.disable_ipv6=1)", scope);
  return {};
}

// A router ignores router advertisements with accept_ra=1, and would lose its own default route a while after
// forwarding was turned on. With 2 it goes on (Documentation/networking/ip-sysctl). Interfaces to come take
// `default`.
Result<void> keep_advertised_routes() {
  const UniqueDir directory(::opendir(sysctl_path("ipv6/conf").c_str()));
  if (!directory) return fail(errno, "list '{}'", sysctl_path("ipv6/conf"));
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || name == "all") continue;
    const std::string key = fmt::format("ipv6/conf/{}/accept_ra", name);
    // An interface may go while we look at it.
    if (read_sysctl(key).value_or("") == "1") TRY(write_kernel_file(sysctl_path(key), "2"));
  }
  return {};
}

Result<void> enable_ipv6_forwarding() {
  TRY(const std::string present, read_sysctl("ipv6/conf/all/forwarding"));
  if (present == "1") return {};
  TRY(keep_advertised_routes());
  return write_kernel_file(sysctl_path("ipv6/conf/all/forwarding"), "1");
}

Result<void> apply_bridge_sysctls(const std::string& bridge, bool ipv6) {
  // Lets 127.0.0.1:port be translated to a pod; ruleset.cc keeps strangers out of 127/8.
  TRY(set_sysctl(fmt::format("ipv4/conf/{}/route_localnet", bridge), "1"));
  TRY(set_sysctl("ipv4/ip_forward", "1"));
  if (!ipv6) return {};
  // A pod must not advertise itself to the host as a router, and our own addresses need no detection of
  // duplicates.
  TRY(set_sysctl(fmt::format("ipv6/conf/{}/accept_ra", bridge), "0"));
  TRY(set_sysctl(fmt::format("ipv6/conf/{}/accept_dad", bridge), "0"));
  return enable_ipv6_forwarding();
}

Result<kernel::IpNetwork> parse_pool(const std::string& text) {
  const auto pool = kernel::parse_network(text);
  if (!pool || pool->address.family != AF_INET || !AddressPool::suits(*pool))
    return fail(ErrorKind::invalid_argument,
                "invalid IPv4 address pool '{}': give a network such as 10.88.0.0/16, from /8 to /30", text);
  return *pool;
}

// What the node was given of this family, if it suits.
Result<std::optional<kernel::IpNetwork>> given_network(state::Database& database, int family) {
  TRY(const PodRanges ranges, recorded_pod_ranges(database));
  for (const kernel::IpNetwork& range : ranges)
    if (range.address.family == family && AddressPool::suits(range)) return std::optional(range);
  return std::optional<kernel::IpNetwork>();
}

// A pool once chosen stays while pods have addresses of it, even if the bridge was taken away by hand.
Result<std::optional<kernel::IpNetwork>> network_in_use(state::Database& database, const char* key) {
  TRY(const bool in_use, any_lease(database));
  if (!in_use) return std::optional<kernel::IpNetwork>();
  TRY(const std::string stored, setting(database, key));
  return kernel::parse_network(stored);
}

Result<kernel::IpNetwork> ipv6_network(state::Database& database, const Options& options) {
  TRY(const auto in_use, network_in_use(database, "ipv6_pool"));
  if (in_use) return *in_use;
  TRY(const auto given, given_network(database, AF_INET6));
  if (given) return *given;
  std::string text = options.ipv6_pool;
  if (text.empty()) {
    TRY(text, setting(database, "ula"));
  }
  if (text.empty()) {
    text = kernel::format_network(random_ula());
    TRY(set_setting(database, "ula", text));
  }
  const auto pool = kernel::parse_network(text);
  if (!pool || pool->address.family != AF_INET6 || !AddressPool::suits(*pool))
    return fail(ErrorKind::invalid_argument,
                "invalid IPv6 address pool '{}': give a network such as fd00:1:2:3::/64, at most /96", text);
  return *pool;
}

Result<kernel::IpNetwork> ipv4_network(state::Database& database, const Options& options,
                                       const std::vector<kernel::Route>& routes, int own_link,
                                       std::vector<std::string>& warnings) {
  TRY(const kernel::IpNetwork wanted, parse_pool(options.ipv4_pool));
  TRY(const auto in_use, network_in_use(database, "ipv4_pool"));
  if (in_use) return *in_use;
  TRY(const auto given, given_network(database, AF_INET));
  if (given && is_for_us(*given, routes, own_link)) return *given;
  const auto chosen = choose_pool(wanted, routes, own_link);
  if (!chosen)
    return fail(ErrorKind::conflict,
                "no address pool is free: every private network is routed elsewhere already");
  if (given)
    warnings.push_back(
        fmt::format("{}, which this node was given for its pods, is routed elsewhere: the pod network is {}",
                    kernel::format_network(*given), kernel::format_network(*chosen)));
  return *chosen;
}

// What goes out has to fit the way out; 1500 when nothing is known.
int outbound_mtu(kernel::NetlinkSocket& route, const std::vector<kernel::Route>& routes) {
  const auto way = std::find_if(routes.begin(), routes.end(), [](const kernel::Route& known) {
    return known.destination.prefix == 0 && known.link != 0;
  });
  const int mtu = way == routes.end() ? 0 : route.link_mtu(route.link_name(way->link));
  return mtu < 1280 ? kDefaultMtu : mtu;
}

Result<AddressPool> stored_pool(state::Database& database) {
  TRY(const std::string four, setting(database, "ipv4_pool"));
  TRY(const std::string six, setting(database, "ipv6_pool"));
  const auto ipv4 = kernel::parse_network(four);
  if (!ipv4) return AddressPool({}, {});
  return AddressPool(*ipv4, kernel::parse_network(six).value_or(kernel::IpNetwork{}));
}

std::vector<std::string> ipv6_warnings(bool ipv6) {
  if (ipv6) return {};
  const std::string trouble = ipv6_trouble();
  return {(trouble.empty() ? "IPv6 was off on this host when its pod network was made" : trouble) +
          ": the pod has IPv4 only"};
}

Result<HostBridge> make_bridge(kernel::NetlinkSocket& route, state::Database& database,
                               const Options& options) {
  TRY(const std::vector<kernel::Route> routes, kernel::list_routes(route));
  std::vector<std::string> warnings;
  TRY(const kernel::IpNetwork ipv4,
      ipv4_network(database, options, routes, route.link_index(options.bridge), warnings));
  kernel::IpNetwork ipv6;
  if (ipv6_trouble().empty()) {
    TRY(ipv6, ipv6_network(database, options));
  }
  for (std::string& warning : ipv6_warnings(ipv6.prefix != 0)) warnings.push_back(std::move(warning));
  HostBridge bridge{.pool = AddressPool(ipv4, ipv6), .fresh = true, .warnings = std::move(warnings)};
  TRY(set_setting(database, "bridge", "0"));
  TRY(set_setting(database, "ipv4_pool", kernel::format_network(ipv4)));
  TRY(set_setting(database, "ipv6_pool", bridge.pool.has_ipv6() ? kernel::format_network(ipv6) : kNoIpv6));

  kernel::NetlinkBatch create;
  kernel::add_bridge(create, options.bridge, mac_of(bridge.pool.gateway()), outbound_mtu(route, routes));
  TRY(route.execute(create));
  bridge.link = route.link_index(options.bridge);
  bridge.mtu = route.link_mtu(options.bridge);
  TRY(apply_bridge_sysctls(options.bridge, bridge.pool.has_ipv6()));
  kernel::NetlinkBatch configure;
  kernel::set_link_up(configure, bridge.link);
  kernel::add_address(configure, bridge.link, bridge.pool.gateway(), ipv4.prefix);
  if (bridge.pool.has_ipv6())
    kernel::add_address(configure, bridge.link, bridge.pool.ipv6_of(bridge.pool.gateway()), ipv6.prefix);
  TRY(route.execute(configure));
  TRY(set_setting(database, "bridge", std::to_string(bridge.link)));
  return bridge;
}

}  // namespace

Result<HostBridge> find_bridge(kernel::NetlinkSocket& route, state::Database& database,
                               const Options& options) {
  TRY(AddressPool pool, stored_pool(database));
  TRY(const std::string finished, setting(database, "bridge"));
  HostBridge bridge{.pool = pool};
  const int link = route.link_index(options.bridge);
  if (link == 0 || finished != std::to_string(link) || pool.ipv4().prefix == 0) return bridge;
  bridge.link = link;
  bridge.mtu = route.link_mtu(options.bridge);
  bridge.warnings = ipv6_warnings(pool.has_ipv6());
  return bridge;
}

Result<HostBridge> ensure_bridge(kernel::NetlinkSocket& route, state::Database& database,
                                 const Options& options) {
  TRY(HostBridge bridge, find_bridge(route, database, options));
  if (bridge.link != 0) return bridge;
  return make_bridge(route, database, options);
}

Result<void> remove_bridge(kernel::NetlinkSocket& route, state::Database& database, const Options& options) {
  kernel::NetlinkBatch batch;
  kernel::delete_link(batch, options.bridge);
  TRY(route.execute(batch));
  return forget_setting(database, "bridge");
}

}  // namespace fermata::network
