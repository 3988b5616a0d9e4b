// An IPv4 or IPv6 address as bytes, and networks of them.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::kernel {

struct IpAddress {
  std::uint8_t family = AF_UNSPEC;       // AF_INET, AF_INET6
  std::array<std::uint8_t, 16> bytes{};  // network order; the first four for IPv4
  std::size_t size() const { return family == AF_INET ? 4 : 16; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), size()}; }
  bool is_unspecified() const { return bytes == std::array<std::uint8_t, 16>{}; }
  bool operator==(const IpAddress&) const = default;
};

// "10.88.0.5", "fd00::5"; no zone, no brackets. nullopt when it is neither.
std::optional<IpAddress> parse_ip(std::string_view text);
std::string format_ip(const IpAddress& address);
// Of exactly 4 or 16 bytes, as netlink has them.
std::optional<IpAddress> ip_from_bytes(std::string_view bytes);

struct IpNetwork {
  IpAddress address;  // host bits are zero
  int prefix = 0;
};

// "10.88.0.0/16"; host bits are cleared.
std::optional<IpNetwork> parse_network(std::string_view text);
std::string format_network(const IpNetwork& network);
IpNetwork network_of(const IpAddress& address, int prefix);
bool contains(const IpNetwork& network, const IpAddress& address);
bool overlap(const IpNetwork& one, const IpNetwork& other);

}  // namespace fermata::kernel
