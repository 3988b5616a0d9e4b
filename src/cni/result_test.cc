#include "cni/result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::cni {
namespace {

using testing::HasSubstr;

constexpr std::string_view kNewest = R"({"cniVersion":"1.1.0",
  "interfaces":[{"name":"cni0","mac":"00:11:22:33:44:55"},
                {"name":"eth0","mac":"99:88:77:66:55:44","sandbox":"/run/netns/x","mtu":1400,"pciID":"p",
                 "socketPath":"/s"}],
  "ips":[{"address":"10.1.0.1/16","interface":0},
         {"address":"10.1.0.5/16","gateway":"10.1.0.1","interface":1},{"address":"fd00::5/64","gateway":""}],
  "routes":[{"dst":"0.0.0.0/0"},{"dst":"fd01::/16","gw":"fd00::1","mtu":1300,"advmss":1200,"priority":7,
             "table":100,"scope":253}],
  "dns":{"nameservers":["10.1.0.1"],"domain":"d","search":["s"],"options":["o"]}})";

TEST(AddResult, NewestIsReadWhole) {
  const auto result = parse_result(kNewest, kNewestVersion);
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(result->interfaces.size(), 2u);
  EXPECT_EQ(result->interfaces[1].mtu, 1400u);
  EXPECT_EQ(result->interfaces[1].socket_path, "/s");
  ASSERT_EQ(result->ips.size(), 3u);
  EXPECT_EQ(kernel::format_ip(*result->ips[1].gateway), "10.1.0.1");
  EXPECT_FALSE(result->ips[2].gateway);
  ASSERT_EQ(result->routes.size(), 2u);
  EXPECT_EQ(result->routes[1].table, 100u);
  EXPECT_EQ(result->dns.options, std::vector<std::string>{"o"});
  // The bridge's own address is not the pod's.
  const auto inside = result->pod_ips();
  ASSERT_EQ(inside.size(), 2u);
  EXPECT_EQ(kernel::format_ip(inside[0].address), "10.1.0.5");
  EXPECT_EQ(parse_result(serialize_result(*result, kNewestVersion), kFirstVersion).value(), *result);
}

TEST(AddResult, OlderVersionsSayWhatTheyCan) {
  const auto result = parse_result(kNewest, kNewestVersion);
  ASSERT_TRUE(result);
  const std::string text = serialize_result(*result, {0, 4, 0});
  EXPECT_THAT(text, HasSubstr(R"("address":"10.1.0.5/16","gateway":"10.1.0.1","interface":1,"version":"4")"));
  EXPECT_THAT(text, HasSubstr(R"("version":"6")"));
  EXPECT_THAT(text, testing::Not(HasSubstr("mtu")));
  const auto again = parse_result(text, {0, 4, 0});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->ips, result->ips);
  const auto families = parse_result(serialize_result(*result, {0, 2, 0}), kNewestVersion);
  ASSERT_TRUE(families) << families.error().message();
  ASSERT_EQ(families->ips.size(), 2u);
  EXPECT_EQ(kernel::format_ip(families->ips[0].address), "10.1.0.1");
  EXPECT_EQ(families->routes.size(), 2u);
}

TEST(AddResult, FirstVersionsAreRead) {
  const auto result = parse_result(
      R"({"ip4":{"ip":"10.0.0.2/24","gateway":"10.0.0.1","routes":[{"dst":"0.0.0.0/0"}]},
          "ip6":{"ip":"fd00::2/64"},"dns":{"domain":"d"}})",
      {0, 2, 0});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->ips.size(), 2u);
  EXPECT_EQ(result->routes.size(), 1u);
  EXPECT_EQ(result->dns.domain, "d");
}

TEST(AddResult, ErrorsNameThePlace) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "not JSON"},
      {"null", "not a JSON object"},
      {R"({"cniVersion":"2.0.0"})", "2.0.0 was not asked for"},
      {R"({"cniVersion":"x"})", "cniVersion: 'x'"},
      {R"({"ips":{}})", "ips: not a list"},
      {R"({"ips":[{}]})", "ips[0].address: missing"},
      {R"({"ips":[{"address":"10.0.0.1"}]})", "ips[0].address: '10.0.0.1' is not an address with"},
      {R"({"ips":[{"address":"10.0.0.1/33"}]})", "ips[0].address"},
      {R"({"ips":[{"address":"10.0.0.1/8","gateway":"x"}]})", "ips[0].gateway: 'x' is not an address"},
      {R"({"ips":[{"address":"10.0.0.1/8","interface":0}]})", "ips: there is no interface of index 0"},
      {R"({"ips":[{"address":"10.0.0.1/8","interface":-1}]})", "ips[0].interface: not a whole number"},
      {R"({"interfaces":[{}]})", "interfaces[0].name: missing"},
      {R"({"routes":[{"dst":"x"}]})", "routes[0].dst: 'x'"},
      {R"({"dns":{"search":"x"}})", "dns.search: not a list"}};
  for (const auto& [text, expected] : rows) {
    const auto result = parse_result(text, kNewestVersion);
    ASSERT_FALSE(result) << text;
    EXPECT_THAT(result.error().message(), HasSubstr(expected)) << text;
  }
}

}  // namespace
}  // namespace fermata::cni
