#include "network/address_pool.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace fermata::network {
namespace {

kernel::IpNetwork network4(std::uint8_t a, std::uint8_t b, std::uint8_t c, int prefix) {
  kernel::IpNetwork network{.address = {.family = AF_INET}, .prefix = prefix};
  network.address.bytes = {a, b, c};
  return network;
}

bool is_free(const kernel::IpNetwork& pool, const std::vector<kernel::Route>& routes, int own_link) {
  return std::none_of(routes.begin(), routes.end(), [&](const kernel::Route& route) {
    return route.destination.prefix != 0 && (own_link == 0 || route.link != own_link) &&
           kernel::overlap(route.destination, pool);
  });
}

}  // namespace

bool AddressPool::suits(const kernel::IpNetwork& network) {
  return network.address.family == AF_INET ? network.prefix >= 8 && network.prefix <= 30
                                           : network.address.family == AF_INET6 && network.prefix <= 96;
}

kernel::IpAddress AddressPool::nth(std::uint32_t number) const {
  kernel::IpAddress address = ipv4_.address;
  std::uint32_t value = 0;
  std::memcpy(&value, address.bytes.data(), sizeof value);
  value = htonl(ntohl(value) + number);
  std::memcpy(address.bytes.data(), &value, sizeof value);
  return address;
}

kernel::IpAddress AddressPool::ipv6_of(const kernel::IpAddress& ipv4) const {
  kernel::IpAddress address = ipv6_.address;
  std::memcpy(address.bytes.data() + 12, ipv4.bytes.data(), 4);
  return address;
}

kernel::MacAddress mac_of(const kernel::IpAddress& ipv4) {
  return {0x0a, 0x58, ipv4.bytes[0], ipv4.bytes[1], ipv4.bytes[2], ipv4.bytes[3]};
}

std::optional<kernel::IpNetwork> choose_pool(const kernel::IpNetwork& wanted,
                                             const std::vector<kernel::Route>& routes, int own_link) {
  std::vector<kernel::IpNetwork> candidates{wanted};
  for (int b = 88; b < 128; ++b) candidates.push_back(network4(10, static_cast<std::uint8_t>(b), 0, 16));
  for (int b = 31; b > 15; --b) candidates.push_back(network4(172, static_cast<std::uint8_t>(b), 0, 16));
  for (int c = 255; c >= 0; --c) candidates.push_back(network4(192, 168, static_cast<std::uint8_t>(c), 24));
  const auto chosen = std::find_if(candidates.begin(), candidates.end(), [&](const kernel::IpNetwork& pool) {
    return is_free(pool, routes, own_link);
  });
  if (chosen == candidates.end()) return std::nullopt;
  return *chosen;
}

bool is_for_us(const kernel::IpNetwork& given, const std::vector<kernel::Route>& routes, int own_link) {
  return std::none_of(routes.begin(), routes.end(), [&](const kernel::Route& route) {
    return route.destination.prefix >= given.prefix && (own_link == 0 || route.link != own_link) &&
           kernel::overlap(route.destination, given);
  });
}

kernel::IpNetwork random_ula() {
  kernel::IpNetwork network{.address = {.family = AF_INET6}, .prefix = 64};
  // Five bytes are never short, and only a kernel that is still booting could make this wait.
  (void)::getrandom(network.address.bytes.data() + 1, 5, 0);
  network.address.bytes[0] = 0xfd;
  return network;
}

}  // namespace fermata::network
