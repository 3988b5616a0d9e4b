// nftables over netlink, without the library: transactions that are applied whole or not at all, and the few
// listings that tell what other firewalls have set up. linux/netfilter/nf_tables.h, nft(8).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netlink.h"

namespace fermata::kernel {

// 32-bit registers, numbered from 0; up to 16. The verdict has one of its own.
class NftRule {
 public:
  // Expressions in order; a comparison that fails ends the rule.
  NftRule& meta(int key, int reg);                              // NFT_META_*
  NftRule& payload(int base, int offset, int length, int reg);  // NFT_PAYLOAD_*
  NftRule& equal(int reg, std::string_view bytes);
  NftRule& not_equal(int reg, std::string_view bytes);
  NftRule& mask(int reg, std::string_view mask);
  NftRule& destination_type(int reg);  // fib daddr type: an RTN_* number
  NftRule& ct(int key, int reg);       // NFT_CT_*
  NftRule& lookup(const std::string& map, int reg, int result);
  NftRule& dnat(int family, int address, int port);  // NFPROTO_*; registers
  NftRule& masquerade();
  NftRule& verdict(int code);  // NF_ACCEPT, NF_DROP
  NftRule& jump(const std::string& chain);

 private:
  friend class NftTransaction;
  void begin(const char* name);
  void end();
  void compare(int reg, int operation, std::string_view bytes);
  void emit_verdict(int code, const std::string& chain);
  NetlinkBatch expressions_;
  std::size_t outer_ = 0, inner_ = 0;
};

struct NftElement {
  std::string key;
  std::string value;  // "" when deleting
};

struct NftMap {
  std::string name;
  std::uint32_t key_type, key_length, value_type,
      value_length;  // nft's type numbers (for listings) and bytes
};

// A data type made of several, as nft numbers it.
constexpr std::uint32_t nft_concat(std::initializer_list<std::uint32_t> types) {
  std::uint32_t all = 0;
  for (const std::uint32_t type : types) all = all << 6 | type;
  return all;
}
inline constexpr std::uint32_t kNftIpv4 = 7, kNftIpv6 = 8, kNftProtocol = 12, kNftService = 13;

class NftTransaction {
 public:
  NftTransaction();
  void add_table(int family, const std::string& table, std::string_view user_data);
  void delete_table(int family, const std::string& table);
  // type "nat" or "filter"; hook NF_INET_*; policy accept.
  void add_base_chain(int family, const std::string& table, const std::string& chain, const char* type,
                      int hook, int priority);
  void add_chain(int family, const std::string& table, const std::string& chain);
  void add_map(int family, const std::string& table, const NftMap& map);
  // Any number of elements; split over messages as needed.
  void add_elements(int family, const std::string& table, const std::string& map,
                    const std::vector<NftElement>& elements);
  void delete_elements(int family, const std::string& table, const std::string& map,
                       const std::vector<NftElement>& elements);
  void append_rule(int family, const std::string& table, const std::string& chain, const NftRule& rule);
  // At the head of the chain; the comment tells whose it is.
  void insert_rule(int family, const std::string& table, const std::string& chain, const NftRule& rule,
                   const std::string& comment);
  void delete_rule(int family, const std::string& table, const std::string& chain, std::uint64_t handle);
  // Nothing was added: there is nothing to commit.
  bool empty() const { return batch_.count() <= 1; }
  Result<void> commit(NetlinkSocket& netfilter);

 private:
  void begin(int operation, std::uint16_t flags, int family, std::string what);
  void elements(int operation, int family, const std::string& table, const std::string& map,
                const std::vector<NftElement>& elements);
  void rule(int family, const std::string& table, const std::string& chain, const NftRule& rule,
            std::uint16_t flags, const std::string& comment);
  NetlinkBatch batch_;
};

struct NftChain {
  int family = 0;
  std::string table, name;
  bool base = false;
  std::uint32_t hook = 0;
  std::uint32_t policy = 1;  // NF_DROP is 0
};
struct NftRuleInfo {
  std::uint64_t handle = 0;
  std::string comment;
};

// Grows with every change that anybody makes to the rules of this namespace.
Result<std::uint32_t> nft_generation(NetlinkSocket& netfilter);
// The user data that add_table set; nullopt: no such table.
Result<std::optional<std::string>> nft_table_user_data(NetlinkSocket& netfilter, int family,
                                                       const std::string& table);
Result<std::vector<NftChain>> nft_chains(NetlinkSocket& netfilter);
// Absent table or chain: none.
Result<std::vector<NftRuleInfo>> nft_rules(NetlinkSocket& netfilter, int family, const std::string& table,
                                           const std::string& chain);

// One message of each listing; nullopt when it is malformed.
std::optional<NftChain> parse_nft_chain(std::string_view payload);
std::optional<NftRuleInfo> parse_nft_rule(std::string_view payload);

}  // namespace fermata::kernel
