#include "kernel/nftables.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cerrno>

namespace fermata::kernel {
namespace {

// nft's user data of a rule is a list of type, length, value; type 0 is the comment, a string with its NUL.
constexpr char kCommentType = 0;
// Elements a message: their list is one attribute, which ends at 64 kB; an element is at most 80 bytes.
constexpr std::size_t kElementsPerMessage = 700;

std::uint16_t message_type(int operation) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | operation);
}
std::uint32_t reg32(int reg) { return static_cast<std::uint32_t>(NFT_REG32_00 + reg); }

nfgenmsg family_header(int family, std::uint16_t resource = 0) {
  return {
      .nfgen_family = static_cast<std::uint8_t>(family), .version = NFNETLINK_V0, .res_id = htons(resource)};
}

void put_data(NetlinkBatch& batch, std::uint16_t type, std::string_view bytes) {
  const std::size_t nest = batch.nest_begin(type);
  batch.bytes(NFTA_DATA_VALUE, bytes);
  batch.nest_end(nest);
}

std::string comment_data(const std::string& comment) {
  std::string data{kCommentType, static_cast<char>(comment.size() + 1)};
  return data + comment + '\0';
}

std::string comment_of(std::string_view data) {
  while (data.size() >= 2) {
    const char type = data[0];
    const auto length = static_cast<std::uint8_t>(data[1]);
    if (data.size() - 2 < length) return {};
    if (type == kCommentType) return as_text(data.substr(2, length));
    data.remove_prefix(2u + length);
  }
  return {};
}

}  // namespace

void NftRule::begin(const char* name) {
  if (expressions_.empty()) expressions_.begin(0, 0, "");
  outer_ = expressions_.nest_begin(NFTA_LIST_ELEM);
  expressions_.text(NFTA_EXPR_NAME, name);
  inner_ = expressions_.nest_begin(NFTA_EXPR_DATA);
}

void NftRule::end() {
  expressions_.nest_end(inner_);
  expressions_.nest_end(outer_);
}

NftRule& NftRule::meta(int key, int reg) {
  begin("meta");
  expressions_.be32(NFTA_META_KEY, static_cast<std::uint32_t>(key));
  expressions_.be32(NFTA_META_DREG, reg32(reg));
  end();
  return *this;
}

NftRule& NftRule::payload(int base, int offset, int length, int reg) {
  begin("payload");
  expressions_.be32(NFTA_PAYLOAD_DREG, reg32(reg));
  expressions_.be32(NFTA_PAYLOAD_BASE, static_cast<std::uint32_t>(base));
  expressions_.be32(NFTA_PAYLOAD_OFFSET, static_cast<std::uint32_t>(offset));
  expressions_.be32(NFTA_PAYLOAD_LEN, static_cast<std::uint32_t>(length));
  end();
  return *this;
}

void NftRule::compare(int reg, int operation, std::string_view bytes) {
  begin("cmp");
  expressions_.be32(NFTA_CMP_SREG, reg32(reg));
  expressions_.be32(NFTA_CMP_OP, static_cast<std::uint32_t>(operation));
  put_data(expressions_, NFTA_CMP_DATA, bytes);
  end();
}

NftRule& NftRule::equal(int reg, std::string_view bytes) {
  compare(reg, NFT_CMP_EQ, bytes);
  return *this;
}

NftRule& NftRule::not_equal(int reg, std::string_view bytes) {
  compare(reg, NFT_CMP_NEQ, bytes);
  return *this;
}

NftRule& NftRule::mask(int reg, std::string_view mask) {
  begin("bitwise");
  expressions_.be32(NFTA_BITWISE_SREG, reg32(reg));
  expressions_.be32(NFTA_BITWISE_DREG, reg32(reg));
  expressions_.be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
  put_data(expressions_, NFTA_BITWISE_MASK, mask);
  put_data(expressions_, NFTA_BITWISE_XOR, std::string(mask.size(), '\0'));
  end();
  return *this;
}

NftRule& NftRule::destination_type(int reg) {
  begin("fib");
  expressions_.be32(NFTA_FIB_DREG, reg32(reg));
  expressions_.be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  expressions_.be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  end();
  return *this;
}

NftRule& NftRule::ct(int key, int reg) {
  begin("ct");
  expressions_.be32(NFTA_CT_KEY, static_cast<std::uint32_t>(key));
  expressions_.be32(NFTA_CT_DREG, reg32(reg));
  end();
  return *this;
}

NftRule& NftRule::lookup(const std::string& map, int reg, int result) {
  begin("lookup");
  expressions_.text(NFTA_LOOKUP_SET, map);
  expressions_.be32(NFTA_LOOKUP_SREG, reg32(reg));
  expressions_.be32(NFTA_LOOKUP_DREG, reg32(result));
  end();
  return *this;
}

NftRule& NftRule::dnat(int family, int address, int port) {
  begin("nat");
  expressions_.be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
  expressions_.be32(NFTA_NAT_FAMILY, static_cast<std::uint32_t>(family));
  expressions_.be32(NFTA_NAT_REG_ADDR_MIN, reg32(address));
  expressions_.be32(NFTA_NAT_REG_PROTO_MIN, reg32(port));
  end();
  return *this;
}

NftRule& NftRule::masquerade() {
  begin("masq");
  end();
  return *this;
}

void NftRule::emit_verdict(int code, const std::string& chain) {
  begin("immediate");
  expressions_.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  const std::size_t data = expressions_.nest_begin(NFTA_IMMEDIATE_DATA);
  const std::size_t verdict = expressions_.nest_begin(NFTA_DATA_VERDICT);
  expressions_.be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
  if (!chain.empty()) expressions_.text(NFTA_VERDICT_CHAIN, chain);
  expressions_.nest_end(verdict);
  expressions_.nest_end(data);
  end();
}

NftRule& NftRule::verdict(int code) {
  emit_verdict(code, "");
  return *this;
}

NftRule& NftRule::jump(const std::string& chain) {
  emit_verdict(NFT_JUMP, chain);
  return *this;
}

NftTransaction::NftTransaction() {
  batch_.begin(NFNL_MSG_BATCH_BEGIN, 0, "change the nftables rules");
  batch_.header(family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void NftTransaction::begin(int operation, std::uint16_t flags, int family, std::string what) {
  // An acknowledgement for every message: failures name theirs, and the batch's end cannot ask for one before
  // Linux 6.10.
  batch_.begin(message_type(operation), flags | NLM_F_ACK, std::move(what));
  batch_.header(family_header(family));
}

void NftTransaction::add_table(int family, const std::string& table, std::string_view user_data) {
  begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, family, fmt::format("add nftables table '{}'", table));
  batch_.text(NFTA_TABLE_NAME, table);
  if (!user_data.empty()) batch_.bytes(NFTA_TABLE_USERDATA, user_data);
}

void NftTransaction::delete_table(int family, const std::string& table) {
  begin(NFT_MSG_DELTABLE, 0, family, fmt::format("delete nftables table '{}'", table));
  batch_.text(NFTA_TABLE_NAME, table);
}

void NftTransaction::add_base_chain(int family, const std::string& table, const std::string& chain,
                                    const char* type, int hook, int priority) {
  begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, fmt::format("add nftables chain '{}'", chain));
  batch_.text(NFTA_CHAIN_TABLE, table);
  batch_.text(NFTA_CHAIN_NAME, chain);
  const std::size_t nest = batch_.nest_begin(NFTA_CHAIN_HOOK);
  batch_.be32(NFTA_HOOK_HOOKNUM, static_cast<std::uint32_t>(hook));
  batch_.be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  batch_.nest_end(nest);
  batch_.be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  batch_.text(NFTA_CHAIN_TYPE, type);
}

void NftTransaction::add_chain(int family, const std::string& table, const std::string& chain) {
  begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, fmt::format("add nftables chain '{}'", chain));
  batch_.text(NFTA_CHAIN_TABLE, table);
  batch_.text(NFTA_CHAIN_NAME, chain);
}

void NftTransaction::add_map(int family, const std::string& table, const NftMap& map) {
  begin(NFT_MSG_NEWSET, NLM_F_CREATE, family, fmt::format("add nftables map '{}'", map.name));
  batch_.text(NFTA_SET_TABLE, table);
  batch_.text(NFTA_SET_NAME, map.name);
  batch_.be32(NFTA_SET_FLAGS, NFT_SET_MAP);
  batch_.be32(NFTA_SET_KEY_TYPE, map.key_type);
  batch_.be32(NFTA_SET_KEY_LEN, map.key_length);
  batch_.be32(NFTA_SET_DATA_TYPE, map.value_type);
  batch_.be32(NFTA_SET_DATA_LEN, map.value_length);
  batch_.be32(NFTA_SET_ID,
              static_cast<std::uint32_t>(batch_.count()));  // any number unique in the transaction
}

void NftTransaction::elements(int operation, int family, const std::string& table, const std::string& map,
                              const std::vector<NftElement>& elements) {
  for (std::size_t start = 0; start < elements.size(); start += kElementsPerMessage) {
    const bool adds = operation == NFT_MSG_NEWSETELEM;
    begin(operation, adds ? NLM_F_CREATE : 0, family,
          fmt::format("{} elements of nftables map '{}'", adds ? "add" : "delete", map));
    batch_.text(NFTA_SET_ELEM_LIST_TABLE, table);
    batch_.text(NFTA_SET_ELEM_LIST_SET, map);
    const std::size_t list = batch_.nest_begin(NFTA_SET_ELEM_LIST_ELEMENTS);
    for (std::size_t i = start; i < std::min(start + kElementsPerMessage, elements.size()); ++i) {
      const std::size_t element = batch_.nest_begin(NFTA_LIST_ELEM);
      put_data(batch_, NFTA_SET_ELEM_KEY, elements[i].key);
      if (adds) put_data(batch_, NFTA_SET_ELEM_DATA, elements[i].value);
      batch_.nest_end(element);
    }
    batch_.nest_end(list);
  }
}

void NftTransaction::add_elements(int family, const std::string& table, const std::string& map,
                                  const std::vector<NftElement>& list) {
  elements(NFT_MSG_NEWSETELEM, family, table, map, list);
}

void NftTransaction::delete_elements(int family, const std::string& table, const std::string& map,
                                     const std::vector<NftElement>& list) {
  elements(NFT_MSG_DELSETELEM, family, table, map, list);
}

void NftTransaction::rule(int family, const std::string& table, const std::string& chain, const NftRule& rule,
                          std::uint16_t flags, const std::string& comment) {
  begin(NFT_MSG_NEWRULE, NLM_F_CREATE | flags, family,
        fmt::format("add a rule to nftables chain '{} {}'", table, chain));
  batch_.text(NFTA_RULE_TABLE, table);
  batch_.text(NFTA_RULE_CHAIN, chain);
  const std::size_t list = batch_.nest_begin(NFTA_RULE_EXPRESSIONS);
  NetlinkBatch expressions = rule.expressions_;
  batch_.raw(std::string_view(expressions.finish(0)).substr(sizeof(nlmsghdr)));
  batch_.nest_end(list);
  if (!comment.empty()) batch_.bytes(NFTA_RULE_USERDATA, comment_data(comment));
}

void NftTransaction::append_rule(int family, const std::string& table, const std::string& chain,
                                 const NftRule& added) {
  rule(family, table, chain, added, NLM_F_APPEND, "");
}

void NftTransaction::insert_rule(int family, const std::string& table, const std::string& chain,
                                 const NftRule& added, const std::string& comment) {
  rule(family, table, chain, added, 0, comment);
}

void NftTransaction::delete_rule(int family, const std::string& table, const std::string& chain,
                                 std::uint64_t handle) {
  begin(NFT_MSG_DELRULE, 0, family, fmt::format("delete a rule of nftables chain '{} {}'", table, chain));
  batch_.text(NFTA_RULE_TABLE, table);
  batch_.text(NFTA_RULE_CHAIN, chain);
  batch_.be64(NFTA_RULE_HANDLE, handle);
}

Result<void> NftTransaction::commit(NetlinkSocket& netfilter) {
  if (empty()) return {};
  batch_.begin(NFNL_MSG_BATCH_END, 0, "change the nftables rules");
  batch_.header(family_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  return netfilter.execute(batch_);
}

Result<std::uint32_t> nft_generation(NetlinkSocket& netfilter) {
  NetlinkBatch batch;
  batch.begin(message_type(NFT_MSG_GETGEN), 0, "read the nftables generation");
  batch.header(family_header(AF_UNSPEC));
  std::uint32_t generation = 0;
  TRY(netfilter.query(batch, [&](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    if (take_header<nfgenmsg>(rest)) generation = as_be32(find_attribute(rest, NFTA_GEN_ID));
  }));
  return generation;
}

Result<std::optional<std::string>> nft_table_user_data(NetlinkSocket& netfilter, int family,
                                                       const std::string& table) {
  NetlinkBatch batch;
  batch.begin(message_type(NFT_MSG_GETTABLE), 0, fmt::format("look up nftables table '{}'", table), ENOENT);
  batch.header(family_header(family));
  batch.text(NFTA_TABLE_NAME, table);
  std::optional<std::string> data;
  TRY(netfilter.query(batch, [&](const NetlinkMessage& message) {
    std::string_view rest = message.payload;
    if (take_header<nfgenmsg>(rest)) data = std::string(find_attribute(rest, NFTA_TABLE_USERDATA));
  }));
  return data;
}

std::optional<NftChain> parse_nft_chain(std::string_view payload) {
  const auto header = take_header<nfgenmsg>(payload);
  if (!header) return std::nullopt;
  NftChain chain{.family = header->nfgen_family,
                 .table = as_text(find_attribute(payload, NFTA_CHAIN_TABLE)),
                 .name = as_text(find_attribute(payload, NFTA_CHAIN_NAME))};
  if (const std::string_view hook = find_attribute(payload, NFTA_CHAIN_HOOK); !hook.empty()) {
    chain.base = true;
    chain.hook = as_be32(find_attribute(hook, NFTA_HOOK_HOOKNUM));
    if (const std::string_view policy = find_attribute(payload, NFTA_CHAIN_POLICY); policy.size() == 4)
      chain.policy = as_be32(policy);
  }
  return chain;
}

std::optional<NftRuleInfo> parse_nft_rule(std::string_view payload) {
  if (!take_header<nfgenmsg>(payload)) return std::nullopt;
  return NftRuleInfo{as_be64(find_attribute(payload, NFTA_RULE_HANDLE)),
                     comment_of(find_attribute(payload, NFTA_RULE_USERDATA))};
}

Result<std::vector<NftChain>> nft_chains(NetlinkSocket& netfilter) {
  NetlinkBatch batch;
  batch.begin(message_type(NFT_MSG_GETCHAIN), NLM_F_DUMP, "list the nftables chains");
  batch.header(family_header(NFPROTO_UNSPEC));
  std::vector<NftChain> chains;
  TRY(netfilter.query(batch, [&](const NetlinkMessage& message) {
    if (auto chain = parse_nft_chain(message.payload)) chains.push_back(std::move(*chain));
  }));
  return chains;
}

Result<std::vector<NftRuleInfo>> nft_rules(NetlinkSocket& netfilter, int family, const std::string& table,
                                           const std::string& chain) {
  NetlinkBatch batch;
  batch.begin(message_type(NFT_MSG_GETRULE), NLM_F_DUMP,
              fmt::format("list nftables chain '{} {}'", table, chain), ENOENT);
  batch.header(family_header(family));
  batch.text(NFTA_RULE_TABLE, table);
  batch.text(NFTA_RULE_CHAIN, chain);
  std::vector<NftRuleInfo> rules;
  TRY(netfilter.query(batch, [&](const NetlinkMessage& message) {
    if (auto rule = parse_nft_rule(message.payload)) rules.push_back(std::move(*rule));
  }));
  return rules;
}

}  // namespace fermata::kernel
