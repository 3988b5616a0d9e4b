#include <gtest/gtest.h>

#include "network/network.h"

namespace fermata::network {
namespace {

std::string error_of(std::string_view text) {
  auto parsed = parse_publish(text);
  return parsed ? "accepted" : parsed.error().message();
}

std::vector<PortMapping> parsed(std::string_view text) {
  auto mappings = parse_publish(text);
  if (!mappings) ADD_FAILURE() << text << ": " << mappings.error().message();
  return mappings.value_or(std::vector<PortMapping>{});
}

TEST(ParsePublish, AcceptsDockersForms) {
  using List = std::vector<PortMapping>;
  EXPECT_EQ(parsed("80"), (List{{.container_port = 80}}));
  EXPECT_EQ(parsed("8080:80"), (List{{.host_port = 8080, .container_port = 80}}));
  EXPECT_EQ(parsed("8080:80/udp"), (List{{.host_port = 8080, .container_port = 80, .protocol = "udp"}}));
  EXPECT_EQ(parsed("8080:80/TCP"), (List{{.host_port = 8080, .container_port = 80}}));
  EXPECT_EQ(parsed("127.0.0.1:8080:80"), (List{{"127.0.0.1", 8080, 80}}));
  EXPECT_EQ(parsed("127.0.0.1::80"), (List{{"127.0.0.1", 0, 80}}));
  EXPECT_EQ(parsed("[::1]:8080:80"), (List{{"::1", 8080, 80}}));
  EXPECT_EQ(parsed("::1:8080:80"), (List{{"::1", 8080, 80}}));
  EXPECT_EQ(parsed("[0:0:0:0::1]:8080:80"), (List{{"::1", 8080, 80}}));
  EXPECT_EQ(parsed("8000-8001:80-81"), (List{{"", 8000, 80}, {"", 8001, 81}}));
  EXPECT_EQ(parsed("80-81/udp"), (List{{"", 0, 80, "udp"}, {"", 0, 81, "udp"}}));
  EXPECT_EQ(parsed("8000-8010:80"), (List{{"", 8000, 80, "tcp", 8010}}));
  EXPECT_EQ(parsed("1-65535:1-65535").size(), 65535u);
}

TEST(ParsePublish, RefusesInDockersWords) {
  EXPECT_EQ(error_of("80x"), "invalid containerPort: 80x");
  EXPECT_EQ(error_of("70000:80"), "invalid hostPort: 70000");
  EXPECT_EQ(error_of("8080:65536"), "invalid containerPort: 65536");
  EXPECT_EQ(error_of("8080:0"), "invalid containerPort: 0");
  EXPECT_EQ(error_of("8080:"), "no port specified: 8080:<empty>");
  EXPECT_EQ(error_of(""), "no port specified: <empty>");
  EXPECT_EQ(error_of("/tcp"), "no port specified: /tcp<empty>");
  EXPECT_EQ(error_of("80/icmp"), "invalid proto: icmp");
  EXPECT_EQ(error_of("localhost:80:80"), "invalid IP address: localhost");
  EXPECT_EQ(error_of("[127.0.0.1]:80:80"), "invalid IP address: [127.0.0.1]");
  EXPECT_EQ(error_of("1.2.3:80:80"), "invalid IP address: 1.2.3");
  EXPECT_EQ(error_of("81-80:80"), "invalid hostPort: 81-80");
  EXPECT_EQ(error_of("-1:80"), "invalid hostPort: -1");
  EXPECT_EQ(error_of("8000-8002:80-81"),
            "invalid ranges specified for container and host Ports: 80-81 and 8000-8002");
}

TEST(DescribePorts, LooksLikeDockers) {
  EXPECT_EQ(describe_ports({}, {}), "");
  EXPECT_EQ(describe_ports({{"", 8080, 80}}, {}), "0.0.0.0:8080->80/tcp, :::8080->80/tcp");
  EXPECT_EQ(describe_ports({{"127.0.0.1", 80, 80}}, {}), "127.0.0.1:80->80/tcp");
  EXPECT_EQ(describe_ports({{"0.0.0.0", 8001, 8001}, {"0.0.0.0", 8000, 8000}, {"0.0.0.0", 8002, 8002}}, {}),
            "0.0.0.0:8000-8002->8000-8002/tcp");
  EXPECT_EQ(describe_ports({}, {"443/tcp", "80/tcp"}), "80/tcp, 443/tcp");
  EXPECT_EQ(describe_ports({}, {"80/tcp", "81/tcp", "53/udp"}), "53/udp, 80-81/tcp");
  EXPECT_EQ(describe_ports({{"0.0.0.0", 8080, 80}}, {"80/tcp", "443/tcp"}), "443/tcp, 0.0.0.0:8080->80/tcp");
  EXPECT_EQ(describe_ports({}, {"nonsense", "80-70/tcp"}), "");
}

}  // namespace
}  // namespace fermata::network
