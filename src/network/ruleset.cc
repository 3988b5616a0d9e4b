#include "network/ruleset.h"

#include <endian.h>
#include <linux/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstring>

namespace fermata::network {
namespace {

using kernel::NftElement;
using kernel::NftRule;
using kernel::NftTransaction;

constexpr int kFamily = NFPROTO_INET;
// Of the rules below; a table with another number is made anew.
constexpr char kVersion[] = "fermata 2";

// Names of maps and chains, also what `nft list ruleset` shows.
constexpr char kEvery4[] = "ports4", kEvery6[] = "ports6", kOne4[] = "address_ports4",
               kOne6[] = "address_ports6";
constexpr char kPorts[] = "ports";

// Where results of look-ups go: an address and, in the register after it, a port.
constexpr int kResult = 8;

constexpr std::uint32_t kProtocolPort = kernel::nft_concat({kernel::kNftProtocol, kernel::kNftService});
const std::string kLoopbackMask("\xff\0\0\0", 4);
const std::string kLoopbackNet("\x7f\0\0\0", 4);

const std::string kLoopback6 = std::string(15, '\0') + '\x01';

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string byte(int value) { return std::string(1, static_cast<char>(value)); }

// A register holds 32 bits: shorter values are padded with zeros.
std::string port_bytes(std::uint16_t port) { return raw(htobe16(port)) + std::string(2, '\0'); }
std::string protocol_bytes(const std::string& protocol) {
  return byte(protocol == "udp"    ? IPPROTO_UDP
              : protocol == "sctp" ? IPPROTO_SCTP
                                   : IPPROTO_TCP) +
         std::string(3, '\0');
}

std::string interface_bytes(const std::string& name) {
  std::string bytes = name;
  bytes.resize(IFNAMSIZ);
  return bytes;
}

std::string mask_bytes(int prefix, std::size_t size) {
  std::string mask(size, '\0');
  for (int bit = 0; bit < prefix; ++bit)
    mask[static_cast<std::size_t>(bit / 8)] |= static_cast<char>(0x80 >> (bit % 8));
  return mask;
}

NftRule rule_of(int family) {
  NftRule rule;
  rule.meta(NFT_META_NFPROTO, 0).equal(0, byte(family));
  return rule;
}

NftRule& source_is(NftRule& rule, const kernel::IpNetwork& network) {
  const bool four = network.address.family == AF_INET;
  const auto size = network.address.size();
  return rule.payload(NFT_PAYLOAD_NETWORK_HEADER, four ? 12 : 8, static_cast<int>(size), 0)
      .mask(0, mask_bytes(network.prefix, size))
      .equal(0, network.address.view());
}

NftRule& to_bridge(NftRule& rule, const std::string& bridge) {
  return rule.meta(NFT_META_OIFNAME, 0).equal(0, interface_bytes(bridge));
}
NftRule& from_bridge(NftRule& rule, const std::string& bridge) {
  return rule.meta(NFT_META_IIFNAME, 0).equal(0, interface_bytes(bridge));
}
NftRule& was_translated(NftRule& rule) {
  return rule.ct(NFT_CT_STATUS, 0)
      .mask(0, raw(std::uint32_t{IPS_DST_NAT}))
      .not_equal(0, raw(std::uint32_t{0}));
}

// Destination address (of 4 or 16 bytes), protocol and port, looked up and translated.
NftRule translate(int family, bool by_address) {
  const bool four = family == NFPROTO_IPV4;
  const int size = four ? 4 : 16;
  NftRule rule = rule_of(family);
  int reg = 0;
  if (by_address) {
    rule.payload(NFT_PAYLOAD_NETWORK_HEADER, four ? 16 : 24, size, reg);
    reg += size / 4;
  }
  rule.meta(NFT_META_L4PROTO, reg).payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
  rule.lookup(by_address ? (four ? kOne4 : kOne6) : (four ? kEvery4 : kEvery6), 0, kResult);
  rule.dnat(family, kResult, kResult + size / 4);
  return rule;
}

void add_maps(NftTransaction& transaction, const std::string& table) {
  using kernel::kNftIpv4, kernel::kNftIpv6, kernel::kNftService, kernel::nft_concat;
  constexpr std::uint32_t kTarget4 = nft_concat({kNftIpv4, kNftService}),
                          kTarget6 = nft_concat({kNftIpv6, kNftService});
  constexpr std::uint32_t kOneKey4 = nft_concat({kNftIpv4, kernel::kNftProtocol, kNftService});
  constexpr std::uint32_t kOneKey6 = nft_concat({kNftIpv6, kernel::kNftProtocol, kNftService});
  transaction.add_map(kFamily, table, {kEvery4, kProtocolPort, 8, kTarget4, 8});
  transaction.add_map(kFamily, table, {kEvery6, kProtocolPort, 8, kTarget6, 20});
  transaction.add_map(kFamily, table, {kOne4, kOneKey4, 12, kTarget4, 8});
  transaction.add_map(kFamily, table, {kOne6, kOneKey6, 24, kTarget6, 20});
}

// Published ports: what goes to an address of this host. [::1] is left to the relay, because the kernel would
// not let the translated packet leave with a loopback source.
void add_translation(NftTransaction& transaction, const std::string& table) {
  transaction.add_chain(kFamily, table, kPorts);
  transaction.add_base_chain(kFamily, table, "prerouting", "nat", NF_INET_PRE_ROUTING, -100);
  transaction.add_base_chain(kFamily, table, "output", "nat", NF_INET_LOCAL_OUT, -100);
  NftRule loopback = rule_of(NFPROTO_IPV6);
  loopback.payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16, 0).equal(0, kLoopback6).verdict(NFT_RETURN);
  transaction.append_rule(kFamily, table, kPorts, loopback);
  for (const bool by_address : {true, false})
    for (const int family : {NFPROTO_IPV4, NFPROTO_IPV6})
      transaction.append_rule(kFamily, table, kPorts, translate(family, by_address));
  // Translation comes before the kernel's check for strangers that send to 127/8, and would hide them from it
  // (CVE-2020-8558). What this host sends there itself has been translated on its way out.
  NftRule foreign = rule_of(NFPROTO_IPV4);
  foreign.payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0)
      .mask(0, kLoopbackMask)
      .equal(0, kLoopbackNet)
      .verdict(NFT_RETURN);
  transaction.append_rule(kFamily, table, "prerouting", foreign);
  NftRule local;
  local.destination_type(0).equal(0, raw(std::uint32_t{RTN_LOCAL})).jump(kPorts);
  transaction.append_rule(kFamily, table, "prerouting", local);
  transaction.append_rule(kFamily, table, "output", local);
}

void add_masquerade(NftTransaction& transaction, const std::string& table, const kernel::IpNetwork& pool) {
  const int family = pool.address.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
  NftRule outbound = rule_of(family);
  source_is(outbound, pool).meta(NFT_META_OIFNAME, 0).not_equal(0, interface_bytes(table)).masquerade();
  transaction.append_rule(kFamily, table, "postrouting", outbound);
  // Hairpin: a pod that comes back to the bridge through a published port must be answered through us.
  NftRule hairpin = rule_of(family);
  to_bridge(source_is(hairpin, pool), table);
  was_translated(hairpin).masquerade();
  transaction.append_rule(kFamily, table, "postrouting", hairpin);
}

// From 127.0.0.1 to a pod: with that source the answer would never come back.
void add_localhost(NftTransaction& transaction, const std::string& table) {
  kernel::IpNetwork loopback{.address = {.family = AF_INET}, .prefix = 8};
  loopback.address.bytes[0] = 127;
  NftRule rule = rule_of(NFPROTO_IPV4);
  to_bridge(source_is(rule, loopback), table).masquerade();
  transaction.append_rule(kFamily, table, "postrouting", rule);
}

// route_localnet on the bridge makes 127/8 reachable from pods, and services trust that address
// (CVE-2020-8558). Before connection tracking, where answers to our own translated connections still have the
// bridge's address.
void add_loopback_guard(NftTransaction& transaction, const std::string& table) {
  transaction.add_base_chain(kFamily, table, "guard", "filter", NF_INET_PRE_ROUTING, -300);
  for (const int offset : {12, 16}) {
    NftRule rule = rule_of(NFPROTO_IPV4);
    from_bridge(rule, table)
        .payload(NFT_PAYLOAD_NETWORK_HEADER, offset, 4, 0)
        .mask(0, kLoopbackMask)
        .equal(0, kLoopbackNet)
        .verdict(NF_DROP);
    transaction.append_rule(kFamily, table, "guard", rule);
  }
}

// Into the pods goes what they asked for and what is published; a neighbour who routes to the pool through
// this host gets no more.
void add_forward(NftTransaction& transaction, const std::string& table) {
  transaction.add_base_chain(kFamily, table, "forward", "filter", NF_INET_FORWARD, 0);
  NftRule from;
  transaction.append_rule(kFamily, table, "forward", from_bridge(from, table).verdict(NF_ACCEPT));
  NftRule answers;
  constexpr std::uint32_t kKnown = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
  to_bridge(answers, table)
      .ct(NFT_CT_STATE, 0)
      .mask(0, raw(kKnown))
      .not_equal(0, raw(std::uint32_t{0}))
      .verdict(NF_ACCEPT);
  transaction.append_rule(kFamily, table, "forward", answers);
  NftRule published;
  was_translated(to_bridge(published, table)).verdict(NF_ACCEPT);
  transaction.append_rule(kFamily, table, "forward", published);
  NftRule others;
  transaction.append_rule(kFamily, table, "forward", to_bridge(others, table).verdict(NF_DROP));
}

std::string user_data(const AddressPool& pool) {
  std::string text = std::string(kVersion) + " " + kernel::format_network(pool.ipv4());
  if (pool.has_ipv6()) text += " " + kernel::format_network(pool.ipv6());
  // nft expects of a table's user data what it expects of a rule's: type 0, length, text.
  return std::string{'\0', static_cast<char>(text.size() + 1)} + text + '\0';
}

void each_map(NftTransaction& transaction, const std::string& table, const PortElements& elements,
              bool adds) {
  const auto change = [&](const char* map, const std::vector<NftElement>& list) {
    if (adds)
      transaction.add_elements(kFamily, table, map, list);
    else
      transaction.delete_elements(kFamily, table, map, list);
  };
  change(kEvery4, elements.every4);
  change(kEvery6, elements.every6);
  change(kOne4, elements.one4);
  change(kOne6, elements.one6);
}

}  // namespace

PortElements plan_elements(const std::vector<PortRecord>& ports, const AddressPool& pool) {
  PortElements elements;
  for (const PortRecord& port : ports) {
    const PortMapping& mapping = port.mapping;
    const std::string key = protocol_bytes(mapping.protocol) + port_bytes(mapping.host_port);
    const std::string target = port_bytes(mapping.container_port);
    const std::string to4 = std::string(port.address.view()) + target;
    const std::string to6 = pool.has_ipv6() ? std::string(pool.ipv6_of(port.address).view()) + target : "";
    const bool every = mapping.host_ip.empty();
    if (every || mapping.host_ip == "0.0.0.0") elements.every4.push_back({key, to4});
    if ((every || mapping.host_ip == "::") && !to6.empty()) elements.every6.push_back({key, to6});
    const auto address = kernel::parse_ip(mapping.host_ip);
    if (!address || address->is_unspecified() || mapping.host_ip == "::1") continue;
    if (address->family == AF_INET)
      elements.one4.push_back({std::string(address->view()) + key, to4});
    else if (!to6.empty())
      elements.one6.push_back({std::string(address->view()) + key, to6});
  }
  return elements;
}

Result<bool> Ruleset::stands(const AddressPool& pool) {
  TRY(const std::optional<std::string> data, kernel::nft_table_user_data(*netfilter_, kFamily, bridge_));
  return data == user_data(pool);
}

Result<void> Ruleset::build(const AddressPool& pool, const std::vector<PortRecord>& ports) {
  NftTransaction transaction;
  // Adding makes the deletion succeed, whether there was a table or not.
  transaction.add_table(kFamily, bridge_, "");
  transaction.delete_table(kFamily, bridge_);
  transaction.add_table(kFamily, bridge_, user_data(pool));
  add_maps(transaction, bridge_);
  add_translation(transaction, bridge_);
  transaction.add_base_chain(kFamily, bridge_, "postrouting", "nat", NF_INET_POST_ROUTING, 100);
  add_masquerade(transaction, bridge_, pool.ipv4());
  if (pool.has_ipv6()) add_masquerade(transaction, bridge_, pool.ipv6());
  add_localhost(transaction, bridge_);
  add_loopback_guard(transaction, bridge_);
  add_forward(transaction, bridge_);
  each_map(transaction, bridge_, plan_elements(ports, pool), true);
  return transaction.commit(*netfilter_);
}

Result<void> Ruleset::add(const AddressPool& pool, const std::vector<PortRecord>& ports) {
  NftTransaction transaction;
  each_map(transaction, bridge_, plan_elements(ports, pool), true);
  return transaction.commit(*netfilter_);
}

Result<void> Ruleset::remove(const AddressPool& pool, const std::vector<PortRecord>& ports) {
  NftTransaction transaction;
  each_map(transaction, bridge_, plan_elements(ports, pool), false);
  return transaction.commit(*netfilter_);
}

Result<void> Ruleset::destroy() {
  TRY(const std::optional<std::string> data, kernel::nft_table_user_data(*netfilter_, kFamily, bridge_));
  if (!data) return {};
  NftTransaction transaction;
  transaction.delete_table(kFamily, bridge_);
  return transaction.commit(*netfilter_);
}

}  // namespace fermata::network
