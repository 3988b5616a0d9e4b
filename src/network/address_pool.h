// Which addresses a pod network has: pure arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/ip_address.h"
#include "kernel/route.h"

namespace fermata::network {

// The IPv4 pool and the IPv6 /64 beside it; the first address is the gateway's, the last is broadcast.
class AddressPool {
 public:
  // Networks that suit; `ipv6` may have no family: none.
  AddressPool(kernel::IpNetwork ipv4, kernel::IpNetwork ipv6) : ipv4_(ipv4), ipv6_(ipv6) {}

  // IPv4 from /8 to /30; IPv6 up to /96, because an IPv4 address has to fit.
  static bool suits(const kernel::IpNetwork& network);

  kernel::IpAddress gateway() const { return nth(1); }
  // Of pods: numbers 2 to last().
  std::uint32_t last() const { return (1u << (32 - ipv4_.prefix)) - 2; }
  kernel::IpAddress nth(std::uint32_t number) const;
  bool contains(const kernel::IpAddress& ipv4) const { return kernel::contains(ipv4_, ipv4); }
  bool has_ipv6() const { return ipv6_.address.family == AF_INET6; }
  // The IPv4 address inside the /64's interface identifier.
  kernel::IpAddress ipv6_of(const kernel::IpAddress& ipv4) const;
  const kernel::IpNetwork& ipv4() const { return ipv4_; }
  const kernel::IpNetwork& ipv6() const { return ipv6_; }

 private:
  kernel::IpNetwork ipv4_, ipv6_;
};

// 0a:58 and the address: who asks by ARP for an address that went to another pod has the right answer
// already.
kernel::MacAddress mac_of(const kernel::IpAddress& ipv4);
// The wanted pool, or the first of 10.88/16 ... 10.127/16, 172.16/16 ... 172.31/16, 192.168.x/24 that no
// route covers; default routes do not count. nullopt: all are taken.
std::optional<kernel::IpNetwork> choose_pool(const kernel::IpNetwork& wanted,
                                             const std::vector<kernel::Route>& routes, int own_link);
// Whether nothing of a network that was given to this host is routed by another link. A wider route is none:
// it may be how the others find this host.
bool is_for_us(const kernel::IpNetwork& given, const std::vector<kernel::Route>& routes, int own_link);
// fd and 40 random bits, subnet 0: RFC 4193.
kernel::IpNetwork random_ula();

}  // namespace fermata::network
