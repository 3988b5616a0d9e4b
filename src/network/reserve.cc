// Network::reserve: ports are taken, or refused by name, before anything else of a pod is made.
#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>

#include "network/network.h"
#include "network/network_impl.h"
#include "network/port_sockets.h"
#include "network/records.h"

namespace fermata::network {
namespace {

// The kernel's own range for ports that nobody chose (net.ipv4.ip_local_port_range).
constexpr int kFirstFree = 32768;
constexpr int kLastFree = 60999;

std::string shown_address(const PortMapping& mapping, std::uint16_t port) {
  if (mapping.host_ip.find(':') != std::string::npos) return fmt::format("[{}]:{}", mapping.host_ip, port);
  return fmt::format("{}:{}", mapping.host_ip.empty() ? "0.0.0.0" : mapping.host_ip, port);
}

void keep(Reservation& reservation, const PortMapping& mapping, std::uint16_t port, HeldPort held) {
  for (UniqueFd& fd : held.held) reservation.held.push_back(std::move(fd));
  if (held.relay.get() >= 0) {
    reservation.relays.push_back(std::move(held.relay));
    reservation.relay_ports.push_back(mapping.container_port);
    reservation.relay_datagram.push_back(mapping.protocol == "udp");
  }
  PortMapping chosen = mapping;
  chosen.host_port = port;
  chosen.host_port_end = 0;
  reservation.ports.push_back(std::move(chosen));
}

bool taken(const Error& error) { return error.error_number() == EADDRINUSE; }

// From a random place on, so that engines that choose at the same time seldom meet.
Result<void> reserve_any(Reservation& reservation, const PortMapping& mapping, int first, int last) {
  std::uint32_t random = 0;
  (void)::getrandom(&random, sizeof random, 0);
  const int count = last - first + 1;
  // In a range that the user gave, the lowest free one, as docker has it.
  const int start = mapping.host_port == 0 ? static_cast<int>(random % static_cast<std::uint32_t>(count)) : 0;
  for (int i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(first + (start + i) % count);
    Result<HeldPort> held = hold_port(mapping, port);
    if (held) {
      keep(reservation, mapping, port, std::move(*held));
      return {};
    }
    if (!taken(held.error())) return tl::unexpected<Error>(std::move(held.error()));
  }
  return fail(ErrorKind::conflict, "Bind for {} failed: all ports of {}-{} are allocated",
              shown_address(mapping, 0), first, last);
}

Result<void> refuse(state::Database& database, const Reservation& reservation, const PortMapping& mapping) {
  const std::string head =
      fmt::format("Bind for {} failed: port is already allocated: port {}/{}",
                  shown_address(mapping, mapping.host_port), mapping.host_port, mapping.protocol);
  for (const PortMapping& own : reservation.ports)
    if (own.protocol == mapping.protocol && own.host_port == mapping.host_port)
      return fail(ErrorKind::conflict, "{} is published twice", head);
  TRY(const std::optional<std::string> holder, port_holder(database, mapping, mapping.host_port));
  if (holder) return fail(ErrorKind::conflict, "{} is in use by container '{}'", head, *holder);
  return fail(ErrorKind::conflict, "{} is in use by another program", head);
}

}  // namespace

Result<Reservation> Network::reserve(const std::string& pod, const std::vector<PortMapping>& ports) {
  Reservation reservation;
  for (const PortMapping& mapping : ports) {
    if (mapping.host_port == 0) {
      TRY(reserve_any(reservation, mapping, kFirstFree, kLastFree));
      continue;
    }
    if (mapping.host_port_end > mapping.host_port) {
      TRY(reserve_any(reservation, mapping, mapping.host_port, mapping.host_port_end));
      continue;
    }
    Result<HeldPort> held = hold_port(mapping, mapping.host_port);
    if (held) {
      keep(reservation, mapping, mapping.host_port, std::move(*held));
      continue;
    }
    if (taken(held.error())) {
      TRY(refuse(*impl_->database, reservation, mapping));
    }
    return fail_with(std::move(held.error()),
                     fmt::format("publish {}/{} for pod '{}'", shown_address(mapping, mapping.host_port),
                                 mapping.protocol, pod));
  }
  return reservation;
}

}  // namespace fermata::network
