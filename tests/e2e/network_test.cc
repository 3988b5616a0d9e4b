// Networks and published ports, from the host, from containers and from another machine.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class Network : public EndToEnd {
 protected:
  // What the host publishes for a port of a container, without the address.
  static int published(const std::string& name, const std::string& port) {
    const auto lines = lines_of(must({"port", name, port}));
    return lines.empty() ? 0 : std::atoi(lines[0].substr(lines[0].rfind(':') + 1).c_str());
  }
  static Outcome tcp_soon(const std::string& address, int port) {
    Outcome outcome;
    eventually([&] { return (outcome = tcp(address, port)).ok() && !outcome.out.empty(); }, 10);
    return outcome;
  }
  static Outcome udp_soon(const std::string& address, int port) {
    Outcome outcome;
    eventually([&] { return (outcome = udp(address, port)).ok(); }, 10);
    return outcome;
  }
};

TEST_F(Network, APublishedPortAnswersOnEveryAddress) {
  const int port = free_port();
  start_probe("web", {"-p", std::to_string(port) + ":80"}, {"echo", "80"});
  for (const std::string& address :
       {std::string("127.0.0.1"), std::string("::1"), host_ipv4(), host_ipv6()}) {
    if (address.empty()) continue;
    EXPECT_THAT(tcp_soon(address, port).out, HasSubstr("hello")) << address;
  }
  EXPECT_EQ("0.0.0.0:" + std::to_string(port) + "\n[::]:" + std::to_string(port),
            must({"port", "web", "80"}));
}

TEST_F(Network, APortOnOneAddressAnswersOnlyThere) {
  const int port = free_port();
  start_probe("v4", {"-p", "127.0.0.1:" + std::to_string(port) + ":80"}, {"echo", "80"});
  EXPECT_THAT(tcp_soon("127.0.0.1", port).out, HasSubstr("hello"));
  EXPECT_NE(0, tcp("::1", port).code);
  EXPECT_NE(0, tcp(host_ipv4(), port).code);
  const int other = free_port();
  start_probe("v6", {"-p", "[::1]:" + std::to_string(other) + ":80"}, {"echo", "80"});
  EXPECT_THAT(tcp_soon("::1", other).out, HasSubstr("hello"));
  EXPECT_NE(0, tcp("127.0.0.1", other).code);
}

TEST_F(Network, DatagramsArePublished) {
  const int port = free_port();
  start_probe("dns", {"-p", std::to_string(port) + ":53/udp"}, {"datagrams", "53"});
  for (const std::string& address :
       {std::string("127.0.0.1"), std::string("::1"), host_ipv4(), host_ipv6()}) {
    if (address.empty()) continue;
    EXPECT_THAT(udp_soon(address, port).out, HasSubstr("hello")) << address;
  }
  EXPECT_NE(0, tcp("127.0.0.1", port).code);
}

TEST_F(Network, ARestartedUdpServerIsReachedAtOnce) {
  const int port = free_port();
  const std::string flag = std::to_string(port) + ":53/udp";
  start_probe("dns", {"-p", flag}, {"datagrams", "53"});
  ASSERT_TRUE(udp_soon("127.0.0.1", port).ok());
  must({"rm", "-f", "dns"});
  start_probe("dns", {"-p", flag}, {"datagrams", "53"});
  EXPECT_TRUE(udp_soon(host_ipv4(), port).ok());
}

TEST_F(Network, RandomPortsAndPublishAll) {
  start_probe("random", {"-p", "80"}, {"echo", "80"});
  const int port = published("random", "80/tcp");
  EXPECT_GT(port, 1023);
  EXPECT_THAT(tcp_soon("127.0.0.1", port).out, HasSubstr("hello"));
  host().import("e2e/exposed:1", {"EXPOSE 80 53/udp", "ENTRYPOINT [\"/bin/probe\"]"});
  must({"run", "-d", "--name", "all", "-P", "e2e/exposed:1", "echo", "80"});
  EXPECT_THAT(tcp_soon("127.0.0.1", published("all", "80/tcp")).out, HasSubstr("hello"));
  EXPECT_GT(published("all", "53/udp"), 1023);
}

TEST_F(Network, RangesArePublishedOneByOne) {
  const int first = free_port();
  const std::string range = std::to_string(first) + "-" + std::to_string(first + 2);
  const Outcome outcome = fermata(
      {"run", "-d", "--name", "range", "-p", "127.0.0.1:" + range + ":80-82", kProbeImage, "echo", "81"});
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_THAT(tcp_soon("127.0.0.1", first + 1).out, HasSubstr("hello"));
  EXPECT_EQ(first + 2, published("range", "82"));
  EXPECT_THAT(must({"ps"}), HasSubstr("127.0.0.1:" + std::to_string(first) + "->80/tcp, 127.0.0.1:"));
}

TEST_F(Network, APortInUseIsRefusedByName) {
  const std::string port = std::to_string(free_port());
  start_probe("first", {"-p", port + ":80"}, {"echo", "80"});
  Outcome outcome = fermata({"run", "-d", "--name", "second", "-p", port + ":80", kProbeImage, "echo", "80"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr(port));
  EXPECT_THAT(outcome.err, HasSubstr("first"));

  const UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  ASSERT_EQ(0, ::bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), size));
  ASSERT_EQ(0, ::listen(taken.get(), 1));
  ASSERT_EQ(0, ::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size));
  const std::string other = std::to_string(ntohs(address.sin_port));
  outcome = fermata({"run", "--rm", "-p", other + ":80", kProbeImage, "echo", "80"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr(other));
  EXPECT_THAT(outcome.err, HasSubstr("in use"));
}

TEST_F(Network, APublishedPortIsHeldAgainstOtherPrograms) {
  const int port = free_port();
  start_probe("web", {"-p", std::to_string(port) + ":80"}, {"echo", "80"});
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_NE(0, ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  must({"rm", "-f", "web"});
  EXPECT_TRUE(eventually([&] {
    const UniqueFd again(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::bind(again.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }));
}

TEST_F(Network, ContainersReachEachOtherAndTheHost) {
  start_probe("server", {}, {"echo", "7"});
  const std::string address = host().inspect("server", "{{.NetworkSettings.IPAddress}}");
  const std::string gateway = host().inspect("server", "{{.NetworkSettings.Gateway}}");
  EXPECT_THAT(in_container({}, {"probe", "connect", address, "7", "hello"}).out, HasSubstr("hello"));
  EXPECT_THAT(tcp_soon(address, 7).out, HasSubstr("peer " + gateway));
  EXPECT_EQ(0, in_container({}, {"ping", "-c", "1", "-W", "5", gateway}).code);
}

TEST_F(Network, AnotherMachineReachesThePortAndKeepsItsAddress) {
  OtherMachine other;
  if (!other.usable()) GTEST_SKIP() << "on the real host there is no cable to another machine";
  const std::string port = std::to_string(free_port());
  start_probe("web", {"-p", port + ":80"}, {"echo", "80"});
  Outcome outcome;
  EXPECT_TRUE(eventually(
      [&] {
        return (outcome = other.run({kProbe, "connect", "198.51.100.1", port, "hello"})).ok();
      },
      10));
  EXPECT_EQ("peer 198.51.100.2\nhello", outcome.line()) << "the client's address must not be translated";
  EXPECT_TRUE(eventually(
      [&] {
        return (outcome = other.run({kProbe, "connect", "fd00:e2e::1", port, "hello"})).ok();
      },
      10))
      << outcome;
  EXPECT_EQ("peer fd00:e2e::2\nhello", outcome.line());
}

TEST_F(Network, ContainersGoOutUnderTheHostsAddress) {
  OtherMachine other;
  if (!other.usable()) GTEST_SKIP() << "on the real host there is no cable to another machine";
  Outcome outcome;
  // The other machine knows no way to the pool, so an answer proves the masquerade.
  start_probe("client", {}, {"wait"});
  EXPECT_EQ(
      "",
      other.run({"sh", "-c", kProbe + " echo 4242 > /dev/null 2>&1 & echo $! > " + scratch("server")}).err);
  EXPECT_TRUE(eventually(
      [&] {
        return (outcome = fermata({"exec", "client", "probe", "connect", "198.51.100.2", "4242", "hello"}))
            .ok();
      },
      10))
      << outcome;
  EXPECT_EQ("peer 198.51.100.1\nhello", outcome.line());
  EXPECT_TRUE(eventually(
      [&] {
        return (outcome = fermata({"exec", "client", "probe", "connect", "fd00:e2e::2", "4242", "hello"}))
            .ok();
      },
      10))
      << outcome;
  EXPECT_EQ("peer fd00:e2e::1\nhello", outcome.line());
  ::kill(std::atoi(slurp(scratch("server")).c_str()), SIGKILL);
}

TEST_F(Network, AForwardPolicyOfDropDoesNotCutPodsOff) {
  OtherMachine other;
  if (!other.usable()) GTEST_SKIP() << "on the real host the firewall is left alone";
  // As docker, ufw and firewalld set it.
  ASSERT_TRUE(run_program({"nft",
                           "add table ip filter; add chain ip filter FORWARD { type filter hook forward "
                           "priority 0; policy drop; }"})
                  .ok());
  const std::string port = std::to_string(free_port());
  start_probe("web", {"-p", port + ":80"}, {"echo", "80"});
  Outcome outcome;
  EXPECT_TRUE(eventually(
      [&] {
        return (outcome = other.run({kProbe, "connect", "198.51.100.1", port, "hello"}, {.seconds = 3})).ok();
      },
      10))
      << outcome;
  const std::string address = host().inspect("web", "{{.NetworkSettings.IPAddress}}");
  EXPECT_THAT(in_container({}, {"probe", "connect", address, "80", "hello"}).out, HasSubstr("hello"));
  must({"rm", "-f", "web"});
  std::string left;
  EXPECT_TRUE(eventually([&] {
    left = run_program({"nft", "list", "chain", "ip", "filter", "FORWARD"}).out;
    return !contains(left, "fermata");
  })) << "rules of ours stay in a foreign chain: "
      << left;
  run_program({"nft", "delete", "table", "ip", "filter"});
}

TEST_F(Network, LoopbackPortsAreNotReachableFromOutside) {
  OtherMachine other;
  if (!other.usable()) GTEST_SKIP() << "on the real host there is no cable to another machine";
  const std::string port = std::to_string(free_port());
  start_probe("web", {"-p", "127.0.0.1:" + port + ":80"}, {"echo", "80"});
  ASSERT_TRUE(tcp_soon("127.0.0.1", std::atoi(port.c_str())).ok());
  EXPECT_FALSE(other.run({kProbe, "connect", "198.51.100.1", port, "hello"}, {.seconds = 3}).ok());
  // CVE-2020-8558: a neighbour routes 127.0.0.1 to us.
  other.run({"ip", "addr", "del", "127.0.0.1/8", "dev", "lo"});
  other.run({"ip", "route", "add", "127.0.0.1/32", "via", "198.51.100.1"});
  other.run({"sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/cable0/route_localnet"});
  EXPECT_FALSE(other.run({kProbe, "connect", "127.0.0.1", port, "hello"}, {.seconds = 3}).ok());
}

TEST_F(Network, NoNetworkIsOnlyLoopback) {
  const std::string list = in_container({"--net=none"}, {"ip", "-o", "addr"}).out;
  EXPECT_THAT(list, HasSubstr("127.0.0.1/8"));
  EXPECT_THAT(list, Not(HasSubstr("eth0")));
  EXPECT_EQ(0, in_container({"--net=none"}, {"ping", "-c", "1", "127.0.0.1"}).code);
}

TEST_F(Network, TheHostsNetworkIsTheHosts) {
  EXPECT_THAT(in_container({"--net=host"}, {"ip", "-o", "addr"}).out, HasSubstr(host_ipv4()));
  const int port = free_port();
  start_probe("web", {"--net=host"}, {"echo", std::to_string(port)});
  EXPECT_THAT(tcp_soon("127.0.0.1", port).out, HasSubstr("hello"));
  char host_name[256] = "";
  ::gethostname(host_name, sizeof host_name);
  EXPECT_EQ(host_name, in_container({"--net=host", "--uts=host"}, {"hostname"}).line());
}

TEST_F(Network, AnyoneMayBindLowPortsAndPing) {
  EXPECT_EQ("0", in_container({}, {"cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"}).line());
  EXPECT_EQ("0\t2147483647", in_container({}, {"cat", "/proc/sys/net/ipv4/ping_group_range"}).line());
  start_probe("web", {"-u", "1000", "--cap-drop", "ALL"}, {"echo", "80"});
  EXPECT_TRUE(logs_show("web", "ready"));
}

TEST_F(Network, HostsFilesArePerPod) {
  start_probe("one", {"--hostname", "box", "--add-host", "db:10.1.2.3", "--add-host", "gw:host-gateway"},
              {"wait"});
  const std::string hosts = inside("one", {"cat", "/etc/hosts"});
  const std::string address = host().inspect("one", "{{.NetworkSettings.IPAddress}}");
  EXPECT_THAT(hosts, HasSubstr(address + "\tbox"));
  EXPECT_THAT(hosts, HasSubstr("10.1.2.3\tdb"));
  EXPECT_THAT(hosts, HasSubstr(host().inspect("one", "{{.NetworkSettings.Gateway}}") + "\tgw"));
  start_probe("two", {"--net=container:one"}, {"wait"});
  EXPECT_EQ(hosts, inside("two", {"cat", "/etc/hosts"}));
  EXPECT_EQ("box", inside("two", {"hostname"}));
  EXPECT_EQ("box", inside("two", {"cat", "/etc/hostname"}));
}

TEST_F(Network, FlagsThatContradictAreRefused) {
  start_probe("one", {}, {"wait"});
  for (const Arguments& flags :
       {Arguments{"--net=container:one", "-p", "80"}, Arguments{"--net=container:one", "--dns", "192.0.2.1"},
        Arguments{"--net=container:one", "--add-host", "a:192.0.2.1"}, Arguments{"--net=nonsense"}}) {
    const Outcome outcome = in_container(flags, {"true"});
    EXPECT_EQ(125, outcome.code) << flags[0] << " " << flags.back() << ": " << outcome;
    EXPECT_NE("", outcome.err);
  }
}

TEST_F(Network, EveryPodHasItsOwnAddress) {
  std::set<std::string> addresses, macs;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "pod-" + std::to_string(i);
    start_probe(name, {}, {"wait"});
    addresses.insert(host().inspect(name, "{{.NetworkSettings.IPAddress}}"));
    macs.insert(host().inspect(name, "{{.NetworkSettings.MacAddress}}"));
  }
  EXPECT_EQ(8U, addresses.size());
  EXPECT_EQ(8U, macs.size());
}

}  // namespace
}  // namespace fermata::e2e
