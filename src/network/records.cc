#include "network/records.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/clock.h"

namespace fermata::network {
namespace {

// Ended leases that are remembered, so that their addresses rest; the rest of the pool counts as never used.
constexpr int kRemembered = 256;

Result<std::uint32_t> next_number(state::Database& database) {
  TRY(const std::string text, setting(database, "next_address"));
  return text.empty() ? 2u : static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

Result<std::optional<kernel::IpAddress>> never_used(state::Database& database, const AddressPool& pool) {
  TRY(std::uint32_t number, next_number(database));
  TRY(state::Statement known, database.prepare("SELECT 1 FROM leases WHERE address=?1"));
  // The cursor goes around once. Only remembered and living leases are in the way, so this is short unless
  // the pool is full.
  for (std::uint32_t tries = 0; tries + 1 < pool.last(); ++tries, ++number) {
    if (number < 2 || number > pool.last()) number = 2;
    const kernel::IpAddress address = pool.nth(number);
    TRY(const bool taken, known.bind(1, kernel::format_ip(address)).step());
    if (taken) {
      TRY(known.run());
      continue;
    }
    TRY(set_setting(database, "next_address", std::to_string(number + 1)));
    return address;
  }
  return std::optional<kernel::IpAddress>();
}

Result<std::optional<kernel::IpAddress>> longest_unused(state::Database& database, const AddressPool& pool,
                                                        const std::function<bool(int)>& link_exists) {
  TRY(state::Statement ended,
      database.prepare("SELECT address, ifindex FROM leases WHERE pod='' ORDER BY used"));
  for (;;) {
    TRY(const bool row, ended.step());
    if (!row) return std::optional<kernel::IpAddress>();
    const auto address = kernel::parse_ip(ended.text(0));
    const int link = static_cast<int>(ended.integer(1));
    if (address && pool.contains(*address) && (link == 0 || !link_exists(link))) return address;
  }
}

Result<void> forget_old_leases(state::Database& database) {
  TRY(state::Statement forget,
      database.prepare("DELETE FROM leases WHERE pod='' AND address IN (SELECT address FROM leases "
                       "WHERE pod='' ORDER BY used DESC LIMIT -1 OFFSET ?1)"));
  return forget.bind(1, std::int64_t{kRemembered}).run();
}

Result<std::vector<PortRecord>> read_ports(state::Statement statement) {
  std::vector<PortRecord> records;
  for (;;) {
    TRY(const bool row, statement.step());
    if (!row) return records;
    PortRecord record;
    record.mapping = {.host_ip = statement.text(1),
                      .host_port = static_cast<std::uint16_t>(statement.integer(2)),
                      .container_port = static_cast<std::uint16_t>(statement.integer(3)),
                      .protocol = statement.text(0)};
    if (const auto address = kernel::parse_ip(statement.text(4))) record.address = *address;
    records.push_back(std::move(record));
  }
}

// Two mappings of one port meet when one is for every address of the other's family.
bool meet(const std::string& one, const std::string& other) {
  const auto family = [](const std::string& ip) { return ip.find(':') != std::string::npos ? 6 : 4; };
  const auto wide = [](const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; };
  if (one.empty() || other.empty() || one == other) return true;
  return family(one) == family(other) && (wide(one) || wide(other));
}

Result<std::string> name_of(state::Database& database, const std::string& pod) {
  TRY(state::Statement name,
      database.prepare("SELECT name FROM containers WHERE pod=?1 ORDER BY created LIMIT 1"));
  TRY(const bool row, name.bind(1, pod).step());
  return row ? name.text(0) : pod;
}

}  // namespace

Result<std::string> setting(state::Database& database, std::string_view key) {
  TRY(state::Statement statement, database.prepare("SELECT value FROM network WHERE key=?1"));
  TRY(const bool row, statement.bind(1, key).step());
  return row ? statement.text(0) : std::string();
}

Result<void> set_setting(state::Database& database, std::string_view key, std::string_view value) {
  TRY(state::Statement statement,
      database.prepare(
          "INSERT INTO network(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=?2"));
  return statement.bind(1, key).bind(2, value).run();
}

Result<void> forget_setting(state::Database& database, std::string_view key) {
  TRY(state::Statement statement, database.prepare("DELETE FROM network WHERE key=?1"));
  return statement.bind(1, key).run();
}

Result<std::optional<Lease>> find_lease(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement, database.prepare("SELECT address, ifindex FROM leases WHERE pod=?1"));
  TRY(const bool row, statement.bind(1, pod).step());
  if (!row) return std::optional<Lease>();
  const auto address = kernel::parse_ip(statement.text(0));
  if (!address)
    return fail(ErrorKind::failed, "lease of pod '{}' has no valid address: '{}'", pod, statement.text(0));
  return Lease{*address, static_cast<int>(statement.integer(1))};
}

Result<Lease> take_lease(state::Database& database, const std::string& pod, const AddressPool& pool,
                         const std::function<bool(int)>& link_exists) {
  TRY(const std::optional<Lease> known, find_lease(database, pod));
  if (known) return *known;
  TRY(std::optional<kernel::IpAddress> address, never_used(database, pool));
  if (!address) {
    TRY(address, longest_unused(database, pool, link_exists));
  }
  if (!address)
    return fail(ErrorKind::no_space, "no free address in {}: every one belongs to a pod; remove some",
                kernel::format_network(pool.ipv4()));
  TRY(state::Statement insert,
      database.prepare("INSERT OR REPLACE INTO leases(address, pod, ifindex, used) VALUES(?1, ?2, 0, ?3)"));
  TRY(insert.bind(1, kernel::format_ip(*address)).bind(2, pod).bind(3, now_ns()).run());
  return Lease{*address, 0};
}

Result<void> set_lease_link(state::Database& database, const std::string& pod, int link) {
  TRY(state::Statement statement, database.prepare("UPDATE leases SET ifindex=?2 WHERE pod=?1"));
  return statement.bind(1, pod).bind(2, std::int64_t{link}).run();
}

Result<void> end_lease(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement, database.prepare("UPDATE leases SET pod='', used=?2 WHERE pod=?1"));
  TRY(statement.bind(1, pod).bind(2, now_ns()).run());
  return forget_old_leases(database);
}

Result<bool> any_lease(state::Database& database) {
  TRY(state::Statement statement, database.prepare("SELECT 1 FROM leases WHERE pod<>'' LIMIT 1"));
  return statement.step();
}

Result<std::int64_t> last_lease_end(state::Database& database) {
  TRY(state::Statement statement, database.prepare("SELECT max(used) FROM leases WHERE pod=''"));
  TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

Result<void> put_ports(state::Database& database, const std::string& pod,
                       const std::vector<PortMapping>& ports) {
  if (ports.empty()) return {};
  TRY(state::Statement insert, database.prepare("INSERT OR REPLACE INTO ports(protocol, host_ip, host_port, "
                                                "container_port, pod) VALUES(?1, ?2, ?3, ?4, ?5)"));
  for (const PortMapping& port : ports)
    TRY(insert.bind(1, port.protocol)
            .bind(2, port.host_ip)
            .bind(3, std::int64_t{port.host_port})
            .bind(4, std::int64_t{port.container_port})
            .bind(5, pod)
            .run());
  return {};
}

Result<void> delete_ports(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement, database.prepare("DELETE FROM ports WHERE pod=?1"));
  return statement.bind(1, pod).run();
}

Result<std::vector<PortRecord>> ports_of(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement,
      database.prepare("SELECT protocol, host_ip, host_port, container_port, address FROM ports "
                       "JOIN leases USING(pod) WHERE ports.pod=?1"));
  statement.bind(1, pod);
  return read_ports(std::move(statement));
}

Result<std::vector<PortRecord>> ports_except(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement,
      database.prepare("SELECT protocol, host_ip, host_port, container_port, address FROM ports "
                       "JOIN leases USING(pod) WHERE ports.pod<>?1"));
  statement.bind(1, pod);
  return read_ports(std::move(statement));
}

Result<std::optional<std::string>> port_holder(state::Database& database, const PortMapping& mapping,
                                               std::uint16_t port) {
  TRY(state::Statement statement,
      database.prepare("SELECT host_ip, pod FROM ports WHERE protocol=?1 AND host_port=?2"));
  statement.bind(1, mapping.protocol).bind(2, std::int64_t{port});
  for (;;) {
    TRY(const bool row, statement.step());
    if (!row) return std::optional<std::string>();
    if (!meet(mapping.host_ip, statement.text(0))) continue;
    TRY(std::string name, name_of(database, statement.text(1)));
    return std::optional<std::string>(std::move(name));
  }
}

}  // namespace fermata::network
