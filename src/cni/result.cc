#include "cni/result.h"

#include "base/text.h"
#include "cni/json_text.h"

namespace fermata::cni {
namespace {

using kernel::IpAddress;

struct Cidr {
  IpAddress address;
  int prefix = 0;
};

std::optional<Cidr> parse_cidr(std::string_view text) {
  const auto parts = split_once(text, '/');
  if (!parts) return std::nullopt;
  const auto address = kernel::parse_ip(parts->first);
  const auto prefix = parse_unsigned(parts->second);
  if (!address || !prefix || *prefix > address->size() * 8) return std::nullopt;
  return Cidr{*address, static_cast<int>(*prefix)};
}

Result<void> read_cidr(const Fields& fields, const char* key, IpAddress& address, int& prefix) {
  std::string text;
  TRY(fields.require(key));
  TRY(fields.read(key, text));
  const auto cidr = parse_cidr(text);
  if (!cidr) return fields.wrong(key, "'{}' is not an address with a prefix length", text);
  address = cidr->address;
  prefix = cidr->prefix;
  return {};
}

Result<void> read_gateway(const Fields& fields, const char* key, std::optional<IpAddress>& out) {
  std::string text;
  TRY(fields.read(key, text));
  if (text.empty()) return {};  // Go writes an address that is not set so
  out = kernel::parse_ip(text);
  if (!out) return fields.wrong(key, "'{}' is not an address", text);
  return {};
}

Result<void> read_interface(const Fields& fields, Interface& out) {
  TRY(fields.require("name"));
  TRY(fields.read("name", out.name));
  TRY(fields.read("mac", out.mac));
  TRY(fields.read("mtu", out.mtu));
  TRY(fields.read("sandbox", out.sandbox));
  TRY(fields.read("socketPath", out.socket_path));
  return fields.read("pciID", out.pci_id);
}

Result<void> read_ip(const Fields& fields, AssignedIp& out) {
  TRY(read_cidr(fields, "address", out.address, out.prefix));
  TRY(read_gateway(fields, "gateway", out.gateway));
  return fields.read("interface", out.interface);
}

Result<void> read_route(const Fields& fields, Route& out) {
  TRY(read_cidr(fields, "dst", out.destination, out.prefix));
  TRY(read_gateway(fields, "gw", out.gateway));
  TRY(fields.read("mtu", out.mtu));
  TRY(fields.read("advmss", out.advmss));
  TRY(fields.read("priority", out.priority));
  TRY(fields.read("table", out.table));
  return fields.read("scope", out.scope);
}

Result<void> read_dns(const Fields& fields, Dns& out) {
  TRY(fields.read("nameservers", out.nameservers));
  TRY(fields.read("domain", out.domain));
  TRY(fields.read("search", out.search));
  return fields.read("options", out.options);
}

// Before 0.3: one address a family, with the routes below it.
Result<void> read_family(const Fields& fields, AddResult& out) {
  AssignedIp& ip = out.ips.emplace_back();
  TRY(read_cidr(fields, "ip", ip.address, ip.prefix));
  TRY(read_gateway(fields, "gateway", ip.gateway));
  return fields.read_objects("routes", out.routes, read_route);
}

Result<void> read_lists(const Fields& fields, AddResult& out) {
  TRY(fields.read_objects("interfaces", out.interfaces, read_interface));
  TRY(fields.read_objects("ips", out.ips, read_ip));
  TRY(fields.read_objects("routes", out.routes, read_route));
  for (const AssignedIp& ip : out.ips)
    if (ip.interface && *ip.interface >= out.interfaces.size())
      return fields.wrong("ips", "there is no interface of index {}", *ip.interface);
  return {};
}

Result<Version> read_result_version(const Fields& fields, const Version& asked) {
  std::string text;
  TRY(fields.read("cniVersion", text));
  if (text.empty()) return asked;
  const auto version = parse_version(text);
  if (!version) return fields.wrong("cniVersion", "'{}' is not a version such as 1.0.0", text);
  if (*version > kNewestVersion) return fields.wrong("cniVersion", "{} was not asked for", text);
  return *version;
}

std::string cidr_text(const IpAddress& address, int prefix) {
  return fmt::format("{}/{}", kernel::format_ip(address), prefix);
}

template <class T>
void put(Json& object, const char* key, const T& value) {
  if (value != T()) object[key] = value;
}
void put(Json& object, const char* key, const std::optional<IpAddress>& value) {
  if (value) object[key] = kernel::format_ip(*value);
}
void put(Json& object, const char* key, const std::optional<std::uint32_t>& value) {
  if (value) object[key] = *value;
}

Json to_json(const Interface& interface, const Version& version) {
  Json json = Json::object({{"name", interface.name}});
  put(json, "mac", interface.mac);
  put(json, "sandbox", interface.sandbox);
  if (version < kFirstWithoutFamily) return json;
  put(json, "mtu", interface.mtu);
  put(json, "socketPath", interface.socket_path);
  put(json, "pciID", interface.pci_id);
  return json;
}

Json to_json(const AssignedIp& ip, const Version& version) {
  Json json = Json::object({{"address", cidr_text(ip.address, ip.prefix)}});
  if (version < kFirstWithoutFamily) json["version"] = ip.address.family == AF_INET ? "4" : "6";
  put(json, "gateway", ip.gateway);
  put(json, "interface", ip.interface);
  return json;
}

Json to_json(const Route& route, const Version& version) {
  Json json = Json::object({{"dst", cidr_text(route.destination, route.prefix)}});
  put(json, "gw", route.gateway);
  if (version < kFirstWithoutFamily) return json;
  put(json, "mtu", route.mtu);
  put(json, "advmss", route.advmss);
  put(json, "priority", route.priority);
  put(json, "table", route.table);
  put(json, "scope", route.scope);
  return json;
}

Json to_json(const Dns& dns) {
  Json json = Json::object();
  put(json, "nameservers", dns.nameservers);
  put(json, "domain", dns.domain);
  put(json, "search", dns.search);
  put(json, "options", dns.options);
  return json;
}

void put_family(Json& json, const char* key, int family, const AddResult& result) {
  for (const AssignedIp& ip : result.ips) {
    if (ip.address.family != family) continue;
    Json& entry = json[key] = Json::object({{"ip", cidr_text(ip.address, ip.prefix)}});
    put(entry, "gateway", ip.gateway);
    for (const Route& route : result.routes)
      if (route.destination.family == family) entry["routes"].push_back(to_json(route, kFirstVersion));
    return;
  }
}

template <class T>
void put_list(Json& json, const char* key, const std::vector<T>& items, const Version& version) {
  for (const T& item : items) json[key].push_back(to_json(item, version));
}

}  // namespace

std::vector<AssignedIp> AddResult::pod_ips() const {
  std::vector<AssignedIp> inside;
  for (const AssignedIp& ip : ips)
    if (!ip.interface || !interfaces[*ip.interface].sandbox.empty()) inside.push_back(ip);
  return inside;
}

Result<AddResult> parse_result(std::string_view text, const Version& asked) {
  TRY(const Json json, oci::parse_bounded_json(text, "result"));
  const Fields fields(json, "");
  TRY(const Version version, read_result_version(fields, asked));
  AddResult result;
  TRY(fields.read_object("dns", result.dns, read_dns));
  if (version < kFirstWithChains) {
    TRY(fields.read_object("ip4", result, read_family));
    TRY(fields.read_object("ip6", result, read_family));
  } else {
    TRY(read_lists(fields, result));
  }
  return result;
}

std::string serialize_result(const AddResult& result, const Version& version) {
  Json json = Json::object({{"cniVersion", format_version(version)}});
  if (version < kFirstWithChains) {
    put_family(json, "ip4", AF_INET, result);
    put_family(json, "ip6", AF_INET6, result);
  } else {
    put_list(json, "interfaces", result.interfaces, version);
    put_list(json, "ips", result.ips, version);
    put_list(json, "routes", result.routes, version);
  }
  if (result.dns != Dns()) json["dns"] = to_json(result.dns);
  return to_text(json);
}

}  // namespace fermata::cni
