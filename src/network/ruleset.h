// Our nftables table: maps from published ports to pods, and the few rules that use them. Only elements
// change with pods; the rules are made once. The table is of family inet and has the bridge's name.
#pragma once

#include <string>
#include <vector>

#include "kernel/nftables.h"
#include "network/address_pool.h"
#include "network/records.h"

namespace fermata::network {

// The elements of the four maps that stand for some ports. Pure.
struct PortElements {
  std::vector<kernel::NftElement> every4, every6;  // by protocol and port
  std::vector<kernel::NftElement> one4, one6;      // by address, protocol and port
};
PortElements plan_elements(const std::vector<PortRecord>& ports, const AddressPool& pool);

class Ruleset {
 public:
  Ruleset(kernel::NetlinkSocket& netfilter, std::string bridge)
      : netfilter_(&netfilter), bridge_(std::move(bridge)) {}
  // Whether the table stands as this version makes it for the pool.
  Result<bool> stands(const AddressPool& pool);
  // Makes the table anew, in one transaction, with exactly these ports.
  Result<void> build(const AddressPool& pool, const std::vector<PortRecord>& ports);
  // Fails, with nothing changed, when an element is there already with another value, or (remove) is not
  // there.
  Result<void> add(const AddressPool& pool, const std::vector<PortRecord>& ports);
  Result<void> remove(const AddressPool& pool, const std::vector<PortRecord>& ports);
  // Absent is success.
  Result<void> destroy();

 private:
  kernel::NetlinkSocket* netfilter_;
  std::string bridge_;
};

}  // namespace fermata::network
