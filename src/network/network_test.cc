#include "network/network.h"

#include <gtest/gtest.h>

#include "network/address_pool.h"
#include "network/foreign_rules.h"
#include "network/pod_link.h"
#include "network/ruleset.h"

namespace fermata::network {
namespace {

AddressPool pool() {
  return {*kernel::parse_network("10.88.0.0/16"), *kernel::parse_network("fd01:2:3:4::/64")};
}

TEST(AddressPool, NumbersAddresses) {
  EXPECT_EQ(kernel::format_ip(pool().gateway()), "10.88.0.1");
  EXPECT_EQ(kernel::format_ip(pool().nth(256)), "10.88.1.0");
  EXPECT_EQ(kernel::format_ip(pool().nth(pool().last())), "10.88.255.254");
  EXPECT_EQ(kernel::format_ip(pool().ipv6_of(pool().nth(5))), "fd01:2:3:4::a58:5");
  EXPECT_EQ(kernel::format_mac(mac_of(pool().nth(5))), "0a:58:0a:58:00:05");
  EXPECT_EQ(host_interface_of(pool().nth(5)), "veth0a580005");
}

TEST(AddressPool, AvoidsWhatIsRouted) {
  const kernel::IpNetwork wanted = *kernel::parse_network("10.88.0.0/16");
  const auto choose = [&](std::initializer_list<const char*> routed) {
    std::vector<kernel::Route> routes;
    for (const char* text : routed) routes.push_back({*kernel::parse_network(text), 3});
    const auto chosen = choose_pool(wanted, routes, 0);
    return chosen ? kernel::format_network(*chosen) : "none";
  };
  EXPECT_EQ(choose({}), "10.88.0.0/16");
  EXPECT_EQ(choose({"0.0.0.0/0"}), "10.88.0.0/16");
  EXPECT_EQ(choose({"10.88.7.0/24"}), "10.89.0.0/16");
  EXPECT_EQ(choose({"10.0.0.0/8"}), "172.31.0.0/16");
  EXPECT_EQ(choose({"10.0.0.0/8", "172.16.0.0/12"}), "192.168.255.0/24");
  EXPECT_EQ(choose({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}), "none");
  EXPECT_TRUE(choose_pool(wanted, {{wanted, 7}}, 7));  // our own bridge's
}

TEST(AddressPool, TakesWhatItWasGivenBesideWiderRoutes) {
  const auto is_ours = [](const char* routed) {
    return is_for_us(*kernel::parse_network("10.244.3.0/24"), {{*kernel::parse_network(routed), 3}}, 7);
  };
  EXPECT_TRUE(is_ours("0.0.0.0/0"));
  EXPECT_TRUE(is_ours("10.244.0.0/16")) << "how the others find the cluster";
  EXPECT_TRUE(is_ours("10.244.4.0/24"));
  EXPECT_FALSE(is_ours("10.244.3.0/24"));
  EXPECT_FALSE(is_ours("10.244.3.128/25"));
  EXPECT_TRUE(
      is_for_us(*kernel::parse_network("10.244.3.0/24"), {{*kernel::parse_network("10.244.3.0/24"), 7}}, 7))
      << "our own bridge's";
}

TEST(Ruleset, ElementsSayWhereAPortGoes) {
  const kernel::IpAddress pod = *kernel::parse_ip("10.88.0.5");
  const auto plan = [&](PortMapping mapping) { return plan_elements({{std::move(mapping), pod}}, pool()); };
  const PortElements every = plan({"", 8080, 80});
  ASSERT_EQ(every.every4.size(), 1u);
  EXPECT_EQ(every.every4[0].key, std::string("\x06\0\0\0\x1f\x90\0\0", 8));
  EXPECT_EQ(every.every4[0].value, std::string("\x0a\x58\0\x05\0\x50\0\0", 8));
  ASSERT_EQ(every.every6.size(), 1u);
  EXPECT_EQ(every.every6[0].value.size(), 20u);
  EXPECT_TRUE(every.one4.empty() && every.one6.empty());
  EXPECT_TRUE(plan({"0.0.0.0", 8080, 80}).every6.empty());
  EXPECT_TRUE(plan({"::", 8080, 80}).every4.empty());
  EXPECT_EQ(plan({"127.0.0.1", 53, 53, "udp"}).one4.at(0).key,
            std::string("\x7f\0\0\x01\x11\0\0\0\0\x35\0\0", 12));
  EXPECT_EQ(plan({"fd00::1", 80, 80}).one6.at(0).key.size(), 24u);
  const PortElements relayed = plan({"::1", 80, 80});
  EXPECT_TRUE(relayed.every4.empty() && relayed.every6.empty() && relayed.one4.empty() &&
              relayed.one6.empty());
}

TEST(ForeignRules, ChoosesChainsThatDrop) {
  using kernel::NftChain;
  constexpr int kIp = 2, kInet = 1, kBridge = 7, kForward = 2, kInput = 1, kDrop = 0, kAccept = 1;
  const NftChain docker{kIp, "filter", "FORWARD", true, kForward, kDrop}, user{kIp, "filter", "DOCKER-USER"};
  const auto names = [](const std::vector<NftChain>& chains) {
    std::string all;
    for (const NftChain& chain : plan_foreign_chains(chains, "fermata0"))
      all += chain.table + "/" + chain.name + " ";
    return all;
  };
  EXPECT_EQ(names({docker}), "filter/FORWARD ");
  EXPECT_EQ(names({docker, user}), "filter/DOCKER-USER ");
  EXPECT_EQ(names({{kIp, "filter", "FORWARD", true, kForward, kAccept}, user}), "");
  EXPECT_EQ(names({{kIp, "filter", "INPUT", true, kInput, kDrop}}), "");
  EXPECT_EQ(names({{kInet, "firewalld", "filter_FORWARD", true, kForward, kAccept}}),
            "firewalld/filter_FORWARD ");
  EXPECT_EQ(names({{kInet, "fermata0", "forward", true, kForward, kDrop}}), "");
  EXPECT_EQ(names({{kBridge, "x", "forward", true, kForward, kDrop}}), "");
}

TEST(Network, BridgeNamesAreChecked) {
  auto database = state::Database::open(":memory:");
  ASSERT_TRUE(database) << database.error().message();
  for (const char* bad : {"", "sixteen-letters!", "a/b", "a b", "a%d"})
    EXPECT_FALSE(Network::open(*database, {.bridge = bad})) << bad;
  EXPECT_TRUE(Network::open(*database, {}));
}

}  // namespace
}  // namespace fermata::network
