#include "network/foreign_rules.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "base/text.h"
#include "network/legacy_iptables.h"
#include "network/records.h"

namespace fermata::network {
namespace {

using kernel::NftChain;

constexpr char kRecord[] = "foreign_chains";  // "family table chain", one a line

std::string line_of(const NftChain& chain) {
  return fmt::format("{} {} {}", chain.family, chain.table, chain.name);
}

std::string comment_of(const std::string& bridge) { return "fermata " + bridge; }

// As iptables-nft writes it, so that it can list what we put into its chains.
kernel::NftRule accept_rule(int key, const std::string& bridge) {
  kernel::NftRule rule;
  rule.meta(key, 0).equal(0, std::string(bridge.c_str(), bridge.size() + 1)).verdict(NF_ACCEPT);
  return rule;
}

std::string family_name(int family) {
  return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

Result<void> open_chain(kernel::NetlinkSocket& netfilter, const NftChain& chain, const std::string& bridge) {
  TRY(const std::vector<kernel::NftRuleInfo> rules,
      kernel::nft_rules(netfilter, chain.family, chain.table, chain.name));
  const std::string comment = comment_of(bridge);
  if (std::any_of(rules.begin(), rules.end(),
                  [&](const kernel::NftRuleInfo& rule) { return rule.comment == comment; }))
    return {};
  kernel::NftTransaction transaction;
  for (const int key : {NFT_META_OIFNAME, NFT_META_IIFNAME})
    transaction.insert_rule(chain.family, chain.table, chain.name, accept_rule(key, bridge), comment);
  return transaction.commit(netfilter);
}

Result<void> close_chain(kernel::NetlinkSocket& netfilter, const NftChain& chain, const std::string& bridge) {
  TRY(const std::vector<kernel::NftRuleInfo> rules,
      kernel::nft_rules(netfilter, chain.family, chain.table, chain.name));
  kernel::NftTransaction transaction;
  for (const kernel::NftRuleInfo& rule : rules)
    if (rule.comment == comment_of(bridge))
      transaction.delete_rule(chain.family, chain.table, chain.name, rule.handle);
  return transaction.commit(netfilter);
}

Result<void> record(state::Database& database, const std::vector<NftChain>& chains) {
  TRY(const std::string before, setting(database, kRecord));
  std::string lines = before;
  for (const NftChain& chain : chains)
    if (const std::string line = line_of(chain) + "\n"; lines.find(line) == std::string::npos) lines += line;
  if (lines == before) return {};
  return set_setting(database, kRecord, lines);
}

}  // namespace

std::vector<NftChain> plan_foreign_chains(const std::vector<NftChain>& chains, const std::string& own_table) {
  std::vector<NftChain> wanted;
  for (const NftChain& chain : chains) {
    const bool firewalld = chain.table == "firewalld" && chain.name.starts_with("filter_FORWARD");
    const bool forwards =
        chain.family == NFPROTO_IPV4 || chain.family == NFPROTO_IPV6 || chain.family == NFPROTO_INET;
    if (!chain.base || !forwards || chain.table == own_table || chain.hook != NF_INET_FORWARD) continue;
    if (chain.policy != NF_DROP && !firewalld) continue;
    const auto docker = std::find_if(chains.begin(), chains.end(), [&](const NftChain& other) {
      return other.family == chain.family && other.table == chain.table && other.name == "DOCKER-USER";
    });
    wanted.push_back(docker == chains.end() ? chain : *docker);
  }
  return wanted;
}

Result<void> open_foreign_chains(kernel::NetlinkSocket& netfilter, state::Database& database,
                                 const std::string& bridge, std::vector<std::string>& warnings) {
  TRY(const std::vector<NftChain> chains, kernel::nft_chains(netfilter));
  const std::vector<NftChain> wanted = plan_foreign_chains(chains, bridge);
  if (!wanted.empty()) TRY(record(database, wanted));
  for (const NftChain& chain : wanted)
    // A table may have an owner that lets nobody else in (firewalld 2.3 with NftablesTableOwner=yes), or go
    // meanwhile.
    if (const Result<void> opened = open_chain(netfilter, chain, bridge); !opened)
      warnings.push_back(
          fmt::format("chain {} {} {} drops what is forwarded, and it cannot be opened for '{}': {}",
                      family_name(chain.family), chain.table, chain.name, bridge, opened.error().message()));
  open_legacy_chains(database, bridge, warnings);
  return {};
}

Result<void> close_foreign_chains(kernel::NetlinkSocket& netfilter, state::Database& database,
                                  const std::string& bridge) {
  TRY(const std::string lines, setting(database, kRecord));
  for (const std::string_view line : split(lines, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    if (words.size() != 3) continue;
    NftChain chain{.family = static_cast<int>(parse_unsigned(words[0]).value_or(0)),
                   .table = std::string(words[1]),
                   .name = std::string(words[2])};
    TRY(close_chain(netfilter, chain, bridge));
  }
  if (!lines.empty()) TRY(forget_setting(database, kRecord));
  return close_legacy_chains(database, bridge);
}

}  // namespace fermata::network
