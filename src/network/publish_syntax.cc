// The text forms of published ports: docker's grammar of -p, and its PORTS column.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "kernel/ip_address.h"
#include "network/network.h"

namespace fermata::network {
namespace {

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  int size() const { return last - first; }
};

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_unsigned(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<PortRange> parse_range(std::string_view text) {
  const auto parts = split_once(text, '-');
  const auto first = parse_port(parts ? parts->first : text);
  const auto last = parts ? parse_port(parts->second) : first;
  if (!first || !last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

struct Parts {
  std::string_view ip, host, container, protocol;
};

// From the right, because an IPv6 address has colons of its own.
Parts take_apart(std::string_view text) {
  Parts parts;
  const std::size_t last = text.rfind(':');
  parts.container = last == std::string_view::npos ? text : text.substr(last + 1);
  if (last != std::string_view::npos) {
    const std::string_view rest = text.substr(0, last);
    const std::size_t middle = rest.rfind(':');
    parts.host = middle == std::string_view::npos ? rest : rest.substr(middle + 1);
    if (middle != std::string_view::npos) parts.ip = rest.substr(0, middle);
  }
  parts.protocol = "tcp";
  if (const auto slash = split_once(parts.container, '/')) {
    parts.container = slash->first;
    if (!slash->second.empty()) parts.protocol = slash->second;
  }
  return parts;
}

Result<std::string> canonical_ip(std::string_view text) {
  if (text.empty()) return std::string();
  std::string_view bare = text;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
  const auto address = kernel::parse_ip(bare);
  if (!address || (bare.size() != text.size() && address->family != AF_INET6))
    return fail(ErrorKind::invalid_argument, "invalid IP address: {}", text);
  return kernel::format_ip(*address);
}

// Consecutive ports of one address and protocol, where both sides have the same number.
struct Run {
  std::string ip, protocol;
  std::uint16_t first, last;
};

std::string format_run(const Run& run) {
  const std::string ports =
      run.first == run.last ? fmt::format("{}", run.first) : fmt::format("{}-{}", run.first, run.last);
  if (run.ip.empty()) return fmt::format("{}/{}", ports, run.protocol);
  return fmt::format("{}:{}->{}/{}", run.ip, ports, ports, run.protocol);
}

// What the table shows: a mapping for every address is one of each family; an exposed port has no address.
std::vector<PortMapping> rows_of(const std::vector<PortMapping>& ports,
                                 const std::vector<std::string>& exposed) {
  std::vector<PortMapping> rows;
  std::set<std::pair<std::string, std::uint16_t>> published;
  for (const PortMapping& port : ports) published.emplace(port.protocol, port.container_port);
  for (const PortMapping& port : ports) {
    for (const char* ip : {"0.0.0.0", "::"}) {
      if (!port.host_ip.empty() && port.host_ip != ip) continue;
      rows.push_back(port);
      rows.back().host_ip = ip;
    }
    if (!port.host_ip.empty() && port.host_ip != "0.0.0.0" && port.host_ip != "::") rows.push_back(port);
  }
  for (const std::string& text : exposed) {
    const auto slash = split_once(text, '/');
    const auto range = parse_range(slash ? slash->first : std::string_view(text));
    const std::string protocol(slash && !slash->second.empty() ? slash->second : "tcp");
    for (int port = range ? range->first : 1; port <= (range ? range->last : 0); ++port) {
      const bool shown = published.contains({protocol, static_cast<std::uint16_t>(port)});
      if (!shown) rows.push_back({.container_port = static_cast<std::uint16_t>(port), .protocol = protocol});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const PortMapping& a, const PortMapping& b) {
    return std::tie(a.container_port, a.host_ip, a.host_port, a.protocol) <
           std::tie(b.container_port, b.host_ip, b.host_port, b.protocol);
  });
  return rows;
}

}  // namespace

Result<std::vector<PortMapping>> parse_publish(std::string_view text) {
  const Parts parts = take_apart(text);
  TRY(const std::string ip, canonical_ip(parts.ip));
  if (parts.container.empty()) return fail(ErrorKind::invalid_argument, "no port specified: {}<empty>", text);
  const auto container = parse_range(parts.container);
  if (!container || container->first == 0)
    return fail(ErrorKind::invalid_argument, "invalid containerPort: {}", parts.container);
  const auto host = parts.host.empty() ? PortRange{} : parse_range(parts.host);
  if (!host) return fail(ErrorKind::invalid_argument, "invalid hostPort: {}", parts.host);
  if (!parts.host.empty() && host->size() != container->size() && container->size() != 0)
    return fail(ErrorKind::invalid_argument,
                "invalid ranges specified for container and host Ports: {} and {}", parts.container,
                parts.host);
  const std::string protocol = to_lower(parts.protocol);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    return fail(ErrorKind::invalid_argument, "invalid proto: {}", parts.protocol);

  std::vector<PortMapping> mappings;
  mappings.reserve(static_cast<std::size_t>(container->size()) + 1);
  for (int i = 0; i <= container->size(); ++i) {
    const bool dynamic = parts.host.empty() || host->first == 0;
    mappings.push_back({.host_ip = ip,
                        .host_port = static_cast<std::uint16_t>(dynamic ? 0 : host->first + i),
                        .container_port = static_cast<std::uint16_t>(container->first + i),
                        .protocol = protocol,
                        // One container port and several of the host's: any of them.
                        .host_port_end = static_cast<std::uint16_t>(
                            !dynamic && host->size() != container->size() ? host->last : 0)});
  }
  return mappings;
}

std::string describe_ports(const std::vector<PortMapping>& ports, const std::vector<std::string>& exposed) {
  std::vector<std::string> shown;
  std::vector<std::string> different;  // host and container number differ
  // A run is known by what the column shows before its numbers. Docker starts a new run at each gap and shows
  // finished ones first; so do we, to be comparable line by line.
  std::vector<Run> runs;
  const std::vector<PortMapping> rows = rows_of(ports, exposed);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PortMapping& row = rows[i];
    if (!row.host_ip.empty() && row.host_port != row.container_port) {
      different.push_back(
          fmt::format("{}:{}->{}/{}", row.host_ip, row.host_port, row.container_port, row.protocol));
      continue;
    }
    auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& known) {
      return known.ip == row.host_ip && known.protocol == row.protocol;
    });
    if (run == runs.end()) {
      runs.push_back({row.host_ip, row.protocol, row.container_port, row.container_port});
    } else if (row.container_port == run->last + 1) {
      run->last = row.container_port;
    } else if (row.container_port != run->last) {
      shown.push_back(format_run(*run));
      run->first = run->last = row.container_port;
    }
  }
  for (const Run& run : runs) shown.push_back(format_run(run));
  shown.insert(shown.end(), different.begin(), different.end());
  return join(shown, ", ");
}

}  // namespace fermata::network
