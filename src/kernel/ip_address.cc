#include "kernel/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace fermata::kernel {

std::optional<IpAddress> parse_ip(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, copy.c_str(), address.bytes.data()) != 1) continue;
    address.family = static_cast<std::uint8_t>(family);
    return address;
  }
  return std::nullopt;
}

std::string format_ip(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (::inet_ntop(address.family, address.bytes.data(), text, sizeof text) == nullptr) return {};
  return text;
}

std::optional<IpAddress> ip_from_bytes(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.family = bytes.size() == 4 ? AF_INET : AF_INET6;
  std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  return address;
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const auto parts = split_once(text, '/');
  if (!parts) return std::nullopt;
  const auto address = parse_ip(parts->first);
  const auto prefix = parse_unsigned(parts->second);
  if (!address || !prefix || *prefix > address->size() * 8) return std::nullopt;
  return network_of(*address, static_cast<int>(*prefix));
}

std::string format_network(const IpNetwork& network) {
  return format_ip(network.address) + "/" + std::to_string(network.prefix);
}

IpNetwork network_of(const IpAddress& address, int prefix) {
  IpNetwork network{address, prefix};
  for (std::size_t i = 0; i < network.address.bytes.size(); ++i) {
    const int bits = std::clamp(prefix - static_cast<int>(i) * 8, 0, 8);
    network.address.bytes[i] &= static_cast<std::uint8_t>(0xff00 >> bits);
  }
  return network;
}

bool contains(const IpNetwork& network, const IpAddress& address) {
  return address.family == network.address.family &&
         network_of(address, network.prefix).address == network.address;
}

bool overlap(const IpNetwork& one, const IpNetwork& other) {
  return one.prefix <= other.prefix ? contains(one, other.address) : contains(other, one.address);
}

}  // namespace fermata::kernel
