// Pod networks on the real kernel: root, and nothing but namespaces of the test's own. Each test makes a
// "host" by unshare(CLONE_NEWNET), so that the machine's links and rules stay as they are; pods are further
// namespaces.
#include "network/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "kernel/ip_address.h"
#include "kernel/netlink.h"
#include "kernel/network_namespace.h"
#include "kernel/nftables.h"
#include "kernel/route.h"
#include "kernel/support/sockets.h"

namespace fermata::network {
namespace {

using kernel::NetworkNamespaceVisit;
using test::Address;
using test::address_of;
using test::listen_in;
using test::new_namespace;
using test::readable;
using test::tcp_reaches;
using test::udp_reaches;

// Runs a program of the host's (nft, iptables) in the thread's network namespace.
int run(const std::string& command) { return ::system((command + " >/dev/null 2>&1").c_str()); }

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    home_ = std::move(*open_file("/proc/thread-self/ns/net", O_RDONLY));
    host_ = new_namespace();
    ASSERT_EQ(::setns(host_.get(), CLONE_NEWNET), 0);
    up("lo");
    char name[] = "/tmp/fermata-network-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    options_ = {.run_directory = directory_, .bridge = "fmtest0"};
    open();
  }
  void TearDown() override {
    network_.reset();
    database_.reset();
    if (home_.get() >= 0) {
      ASSERT_EQ(::setns(home_.get(), CLONE_NEWNET), 0);
    }
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void open() {
    network_.reset();
    if (!database_) {
      auto database = state::Database::open(directory_ + "/state.db");
      ASSERT_TRUE(database) << database.error().message();
      database_.emplace(std::move(*database));
    }
    auto network = Network::open(*database_, options_);
    ASSERT_TRUE(network) << network.error().message();
    network_.emplace(std::move(*network));
  }

  static void up(const std::string& link) {
    auto socket = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    kernel::NetlinkBatch batch;
    kernel::set_link_up(batch, socket->link_index(link));
    ASSERT_TRUE(socket->execute(batch));
  }

  // A link of the host's with an address: its way to the outside.
  UniqueFd add_outside(const std::string& ip, const std::string& other, int prefix) {
    UniqueFd outside = new_namespace();
    auto route = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    kernel::NetlinkBatch batch;
    kernel::add_bridge(batch, "lan0", {0x0a, 0, 0, 0, 0, 1}, 1500);
    EXPECT_TRUE(route->execute(batch));
    kernel::NetlinkBatch more;
    kernel::add_veth(more, {.host_name = "lanport",
                            .master = route->link_index("lan0"),
                            .peer_name = "eth0",
                            .peer_namespace = outside.get(),
                            .peer_mac = {0x0a, 0, 0, 0, 0, 2}});
    kernel::add_address(more, route->link_index("lan0"), *kernel::parse_ip(ip), prefix);
    EXPECT_TRUE(route->execute(more));
    auto visit = NetworkNamespaceVisit::enter(outside.get());
    auto inside = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    kernel::NetlinkBatch peer;
    kernel::set_link_up(peer, inside->link_index("eth0"));
    kernel::add_address(peer, inside->link_index("eth0"), *kernel::parse_ip(other), prefix);
    EXPECT_TRUE(inside->execute(peer));
    return outside;
  }

  Reservation reserve(const std::string& pod, const std::vector<PortMapping>& ports) {
    auto reservation = network_->reserve(pod, ports);
    if (!reservation) ADD_FAILURE() << reservation.error().message();
    return reservation ? std::move(*reservation) : Reservation{};
  }
  Attachment attach(const std::string& pod, const UniqueFd& ns, const Reservation& reservation) {
    auto attachment = network_->attach(pod, ns.get(), reservation);
    if (!attachment) ADD_FAILURE() << attachment.error().message();
    return attachment.value_or(Attachment{});
  }
  void release(const std::string& pod) {
    auto released = network_->release(pod);
    EXPECT_TRUE(released) << released.error().message();
  }
  std::vector<std::string> set_ranges(const std::string& text) {
    auto kept = network_->set_pod_ranges(parse_pod_ranges(text).value());
    if (!kept) ADD_FAILURE() << kept.error().message();
    return kept.value_or(std::vector<std::string>{});
  }
  void take_down() {
    auto taken = network_->take_down();
    EXPECT_TRUE(taken) << taken.error().message();
  }
  std::int64_t count(const std::string& sql) {
    auto statement = database_->prepare(sql);
    return statement && statement->step().value_or(false) ? statement->integer(0) : -1;
  }
  static std::string links() {
    std::string names;
    auto route = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    for (int i = 1; i < 1000; ++i)
      if (const std::string name = route->link_name(i); !name.empty() && name != "lo") names += name + " ";
    return names;
  }
  static bool table_stands(const std::string& name) {
    auto netfilter = kernel::NetlinkSocket::open(NETLINK_NETFILTER);
    return kernel::nft_table_user_data(*netfilter, 1 /* NFPROTO_INET */, name)->has_value();
  }
  // A veth goes a moment after its namespace.
  static bool links_become(const std::string& expected) {
    for (int i = 0; i < 300; ++i, ::usleep(10'000))
      if (links() == expected) return true;
    return links() == expected;
  }

  UniqueFd home_, host_;
  std::string directory_;
  Options options_;
  std::optional<state::Database> database_;
  std::optional<Network> network_;
};

TEST_F(NetworkTest, AttachGivesAddressesRoutesAndSysctls) {
  const UniqueFd pod = new_namespace();
  const Attachment given = attach("p", pod, {});
  EXPECT_EQ(given.ipv4, "10.88.0.2");
  EXPECT_EQ(given.ipv4_gateway, "10.88.0.1");
  EXPECT_EQ(given.mac, "0a:58:0a:58:00:02");
  EXPECT_EQ(given.ipv6.substr(0, 2), "fd");
  EXPECT_TRUE(given.warnings.empty()) << given.warnings[0];
  {
    auto visit = NetworkNamespaceVisit::enter(pod.get());
    EXPECT_EQ(read_file("/proc/thread-self/net/dev_mcast").value_or("").find("eth0") == std::string::npos,
              false);
    EXPECT_EQ(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start").value(), "0\n");
    EXPECT_EQ(read_file("/proc/sys/net/ipv4/ping_group_range").value(), "0\t2147483647\n");
  }
  EXPECT_EQ(read_file("/proc/sys/net/ipv4/ip_forward").value(), "1\n");
  EXPECT_EQ(read_file("/proc/sys/net/ipv6/conf/all/forwarding").value(), "1\n");
  // Again: the same.
  const Attachment again = attach("p", pod, {});
  EXPECT_EQ(again.ipv4, given.ipv4);
  EXPECT_EQ(again.ipv6, given.ipv6);
  release("p");
  release("p");
}

TEST_F(NetworkTest, PodsTheHostAndEachOtherAreReached) {
  const UniqueFd one = new_namespace(), two = new_namespace();
  const Attachment first = attach("one", one, {}), second = attach("two", two, {});
  const UniqueFd server4 = listen_in(one.get(), "0.0.0.0", 80, SOCK_STREAM);
  const UniqueFd server6 = listen_in(one.get(), "::1", 81, SOCK_STREAM);
  const UniqueFd any6 = listen_in(one.get(), first.ipv6, 82, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(two.get(), first.ipv4, 80, server4));
  EXPECT_TRUE(tcp_reaches(two.get(), first.ipv6, 82, any6));
  EXPECT_TRUE(tcp_reaches(one.get(), "::1", 81, server6));
  EXPECT_TRUE(tcp_reaches(-1, first.ipv4, 80, server4));
  EXPECT_TRUE(tcp_reaches(-1, first.ipv6, 82, any6));
  const UniqueFd host = listen_in(host_.get(), second.ipv4_gateway, 83, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(two.get(), second.ipv4_gateway, 83, host));
}

TEST_F(NetworkTest, PublishedPortsAreReachedFromEverywhere) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  const UniqueFd pod = new_namespace(), other = new_namespace();
  const Reservation ports = reserve("web", {{"", 8080, 80}, {"", 5353, 53, "udp"}});
  const Attachment given = attach("web", pod, ports);
  (void)attach("other", other, {});
  const UniqueFd tcp = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  const UniqueFd tcp6 = listen_in(pod.get(), given.ipv6, 80, SOCK_STREAM);
  const UniqueFd udp = listen_in(pod.get(), "0.0.0.0", 53, SOCK_DGRAM);
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, tcp));
  EXPECT_TRUE(tcp_reaches(-1, "192.0.2.1", 8080, tcp));
  EXPECT_TRUE(tcp_reaches(-1, given.ipv4_gateway, 8080, tcp));
  EXPECT_TRUE(tcp_reaches(-1, given.ipv6_gateway, 8080, tcp6));
  EXPECT_TRUE(tcp_reaches(outside.get(), "192.0.2.1", 8080, tcp));
  EXPECT_TRUE(tcp_reaches(other.get(), "192.0.2.1", 8080, tcp));
  EXPECT_TRUE(tcp_reaches(other.get(), given.ipv4_gateway, 8080, tcp));
  EXPECT_TRUE(tcp_reaches(other.get(), given.ipv6_gateway, 8080, tcp6));
  EXPECT_TRUE(tcp_reaches(pod.get(), "192.0.2.1", 8080, tcp)) << "hairpin to itself";
  EXPECT_TRUE(tcp_reaches(pod.get(), given.ipv6_gateway, 8080, tcp6)) << "hairpin to itself, IPv6";
  EXPECT_TRUE(udp_reaches(-1, "127.0.0.1", 5353, udp));
  EXPECT_TRUE(udp_reaches(-1, "192.0.2.1", 5353, udp));
  EXPECT_TRUE(udp_reaches(outside.get(), "192.0.2.1", 5353, udp));
  EXPECT_TRUE(udp_reaches(other.get(), "192.0.2.1", 5353, udp));
  // [::1] is the relay's: its sockets take the connection, and the target is the pod.
  ASSERT_EQ(ports.relays.size(), 2u);
  const auto targets = Network::relay_targets(ports, given);
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].family, AF_INET);
  EXPECT_EQ(targets[0].port, 80);
  EXPECT_EQ(targets[1].datagram, 1);
  EXPECT_TRUE(tcp_reaches(-1, "::1", 8080, ports.relays[0]));
  EXPECT_TRUE(udp_reaches(-1, "::1", 5353, ports.relays[1]));
}

TEST_F(NetworkTest, OutboundTrafficHasTheHostsAddress) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  const UniqueFd pod = new_namespace();
  (void)attach("p", pod, {});
  const UniqueFd server = listen_in(outside.get(), "192.0.2.2", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(pod.get(), "192.0.2.2", 80, server));  // outside has no route to 10.88/16
}

TEST_F(NetworkTest, UnpublishedPortsStayClosedToNeighbours) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  const UniqueFd pod = new_namespace();
  const Attachment given = attach("p", pod, {});
  const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  {
    auto visit = NetworkNamespaceVisit::enter(outside.get());
    auto inside = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    kernel::NetlinkBatch batch;
    kernel::add_default_route(batch, inside->link_index("eth0"), *kernel::parse_ip("192.0.2.1"));
    ASSERT_TRUE(inside->execute(batch));
  }
  EXPECT_FALSE(tcp_reaches(outside.get(), given.ipv4, 80, server));
}

TEST_F(NetworkTest, OneAddressOnlyIsOneAddressOnly) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  const UniqueFd pod = new_namespace();
  const Reservation ports =
      reserve("p", {{"127.0.0.1", 8080, 80}, {"192.0.2.1", 8081, 80}, {"::1", 8082, 80}});
  (void)attach("p", pod, ports);
  const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  EXPECT_FALSE(tcp_reaches(outside.get(), "192.0.2.1", 8080, server));
  EXPECT_TRUE(tcp_reaches(outside.get(), "192.0.2.1", 8081, server));
  EXPECT_FALSE(tcp_reaches(-1, "127.0.0.1", 8081, server));
  ASSERT_EQ(ports.relays.size(), 1u);
  EXPECT_TRUE(tcp_reaches(-1, "::1", 8082, ports.relays[0]));
}

TEST_F(NetworkTest, LocalhostOfTheHostIsClosedToPods) {
  const UniqueFd pod = new_namespace();
  const Attachment given = attach("p", pod, {});
  const UniqueFd secret = listen_in(host_.get(), "127.0.0.1", 9000, SOCK_STREAM);
  {
    auto visit = NetworkNamespaceVisit::enter(pod.get());
    ASSERT_TRUE(write_kernel_file("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1"));
    ASSERT_TRUE(write_kernel_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1"));
    // A route to 127/8 through the host, before the local table.
    ASSERT_EQ(run("ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via " + given.ipv4_gateway +
                  " dev eth0"),
              0);
  }
  EXPECT_FALSE(tcp_reaches(pod.get(), "127.0.0.1", 9000, secret));
}

TEST_F(NetworkTest, TakenPortsAreRefusedByName) {
  ASSERT_TRUE(database_->execute(
      "INSERT INTO pods(id,name,owner,created,config) VALUES('pod1','pod1','cli',0,'{}')"));
  ASSERT_TRUE(
      database_->execute("INSERT INTO containers(id,name,owner,pod,image,created,state,config)"
                         " VALUES('c','web','cli','pod1','',0,'running','{}')"));
  const UniqueFd pod = new_namespace();
  for (const char* protocol : {"tcp", "udp"}) {
    const Reservation held = reserve("pod1", {{"", 8080, 80, protocol}});
    (void)attach("pod1", pod, held);
    for (const char* ip : {"", "0.0.0.0", "::", "127.0.0.1", "::1"}) {
      auto refused = network_->reserve("pod2", {{ip, 8080, 80, protocol}});
      ASSERT_FALSE(refused) << protocol << " on '" << ip << "'";
      EXPECT_EQ(refused.error().kind(), ErrorKind::conflict);
      EXPECT_NE(
          refused.error().message().find(fmt::format("port 8080/{} is in use by container 'web'", protocol)),
          std::string::npos)
          << refused.error().message();
    }
    // Nor can another program have it, whatever it sets.
    for (const char* ip : {"0.0.0.0", "::", "::1", "127.0.0.1"}) {
      const Address address = address_of(ip, 8080);
      const int type = protocol == std::string("tcp") ? SOCK_STREAM : SOCK_DGRAM;
      UniqueFd fd(::socket(address.get()->sa_family, type | SOCK_CLOEXEC, 0));
      const int on = 1;
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      EXPECT_NE(::bind(fd.get(), address.get(), address.size), 0) << protocol << " " << ip;
    }
  }
  const UniqueFd stranger = listen_in(host_.get(), "127.0.0.1", 8090, SOCK_STREAM);
  auto refused = network_->reserve("pod2", {{"", 8090, 80}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message(),
      "Bind for 0.0.0.0:8090 failed: port is already allocated: port 8090/tcp is in use by another program");
  auto twice = network_->reserve("pod2", {{"", 8091, 80}, {"", 8091, 81}});
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().message().find("published twice"), std::string::npos);
  auto elsewhere = network_->reserve("pod2", {{"203.0.113.9", 8092, 80}});
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().error_number(), EADDRNOTAVAIL);
}

TEST_F(NetworkTest, FreePortsAreChosen) {
  const Reservation any = reserve("p", {{"", 0, 80}, {"", 0, 53, "udp"}, {"127.0.0.1", 0, 81}});
  ASSERT_EQ(any.ports.size(), 3u);
  for (const PortMapping& port : any.ports) EXPECT_GE(port.host_port, 32768);
  const Reservation first = reserve("p", {{"", 8000, 80, "tcp", 8002}});
  const Reservation second = reserve("p", {{"", 8000, 80, "tcp", 8002}});
  EXPECT_EQ(first.ports[0].host_port, 8000);
  EXPECT_EQ(second.ports[0].host_port, 8001);
  EXPECT_EQ(second.ports[0].host_port_end, 0);
}

TEST_F(NetworkTest, ReleaseLeavesNothing) {
  {
    const UniqueFd pod = new_namespace();
    const Reservation ports =
        reserve("p", {{"", 8080, 80}, {"127.0.0.1", 8081, 80, "udp"}, {"::1", 8082, 80}});
    (void)attach("p", pod, ports);
    EXPECT_TRUE(table_stands("fmtest0"));
    release("p");
    take_down();
  }
  EXPECT_FALSE(table_stands("fmtest0"));
  EXPECT_TRUE(links_become("")) << links();
  EXPECT_EQ(count("SELECT count(*) FROM leases WHERE pod<>''"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM ports"), 0);
}

TEST_F(NetworkTest, UdpFlowsFollowTheNewPod) {
  const UniqueFd first = new_namespace(), second = new_namespace();
  const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Address target = address_of("127.0.0.1", 5353);
  ASSERT_EQ(::connect(client.get(), target.get(), target.size), 0);
  (void)::send(client.get(), "early", 5, 0);  // to the host: an entry without translation
  for (const UniqueFd* pod : {&first, &second}) {
    const std::string name = pod == &first ? "first" : "second";
    const Reservation ports = reserve(name, {{"", 5353, 53, "udp"}});
    (void)attach(name, *pod, ports);
    const UniqueFd server = listen_in(pod->get(), "0.0.0.0", 53, SOCK_DGRAM);
    for (int i = 0; i < 2; ++i)
      (void)::send(client.get(), "x", 1, 0);  // the first may tell of an earlier ICMP error
    EXPECT_TRUE(readable(server.get())) << name;
    release(name);
  }
}

class ForeignFirewall : public NetworkTest, public testing::WithParamInterface<std::array<std::string, 3>> {};

TEST_P(ForeignFirewall, ForwardsOursAndIsLeftAsItWas) {
  const auto& [setup, listing, name] = GetParam();
  if (run("command -v " + setup.substr(0, setup.find(' '))) != 0)
    GTEST_SKIP() << "no program " << setup.substr(0, setup.find(' '));
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  if (run(setup) != 0) GTEST_SKIP() << "this kernel cannot: " << setup;
  const std::string before = directory_ + "/before", after = directory_ + "/after";
  const std::string filter =
      " | sed -E 's/counter packets [0-9]+ bytes [0-9]+//; s/\\[[0-9]+:[0-9]+\\]//; /^#/d'";
  ASSERT_EQ(::system((listing + filter + " > " + before).c_str()), 0);
  {
    const UniqueFd pod = new_namespace();
    const Reservation ports = reserve("p", {{"", 8080, 80}});
    const Attachment given = attach("p", pod, ports);
    EXPECT_TRUE(given.warnings.empty()) << given.warnings[0];
    const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
    EXPECT_TRUE(tcp_reaches(outside.get(), "192.0.2.1", 8080, server));
    const UniqueFd far = listen_in(outside.get(), "192.0.2.2", 80, SOCK_STREAM);
    EXPECT_TRUE(tcp_reaches(pod.get(), "192.0.2.2", 80, far));
    // A second pod adds no further rules.
    const UniqueFd other = new_namespace();
    (void)attach("q", other, {});
    release("q");
    release("p");
    take_down();
  }
  ASSERT_EQ(::system((listing + filter + " > " + after).c_str()), 0);
  EXPECT_EQ(read_file(before).value(), read_file(after).value());
}

INSTANTIATE_TEST_SUITE_P(
    Each, ForeignFirewall,
    testing::Values(
        std::array<std::string, 3>{"iptables-nft -P FORWARD DROP && iptables-nft -N DOCKER-USER && "
                                   "iptables-nft -A FORWARD -j DOCKER-USER",
                                   "iptables-nft-save", "docker"},
        std::array<std::string, 3>{"iptables-nft -P FORWARD DROP && ip6tables-nft -P FORWARD DROP",
                                   "iptables-nft-save", "ufw"},
        std::array<std::string, 3>{
            "nft 'add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook "
            "forward "
            "priority 10; }; add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited'",
            "nft list table inet firewalld", "firewalld"},
        std::array<std::string, 3>{"nft 'add table inet mine; add chain inet mine passing { type filter hook "
                                   "forward priority 0; policy drop; }'",
                                   "nft list table inet mine", "own"},
        std::array<std::string, 3>{"iptables-legacy -P FORWARD DROP", "iptables-legacy-save", "legacy"}),
    [](const auto& parameter) { return parameter.param[2]; });

TEST_F(NetworkTest, FirewallThatComesLaterIsOpenedByTheNextCommand) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  const UniqueFd pod = new_namespace();
  const Reservation ports = reserve("p", {{"", 8080, 80}});
  (void)attach("p", pod, ports);
  const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  ASSERT_EQ(
      run("nft 'flush ruleset; add table inet mine; add chain inet mine passing { type filter hook forward "
          "priority 0; policy drop; }'"),
      0);
  EXPECT_FALSE(tcp_reaches(outside.get(), "192.0.2.1", 8080, server));
  ASSERT_TRUE(network_->maintain());
  EXPECT_TRUE(tcp_reaches(outside.get(), "192.0.2.1", 8080, server));
}

TEST_F(NetworkTest, BridgeAndTableStayUntilTheyAreTakenDown) {
  for (const char* name : {"first", "second"}) {
    const UniqueFd pod = new_namespace();
    (void)attach(name, pod, reserve(name, {{"", 8080, 80}}));
    EXPECT_FALSE(network_->idle_since().value());
    ASSERT_TRUE(network_->take_down());
    EXPECT_TRUE(table_stands("fmtest0"));
    release(name);
    EXPECT_TRUE(network_->idle_since().value());
    EXPECT_TRUE(table_stands("fmtest0"));
    EXPECT_NE(links().find("fmtest0"), std::string::npos);
  }
  // Somebody is about to do it.
  ASSERT_TRUE(network_->maintain());
  EXPECT_TRUE(table_stands("fmtest0"));
  take_down();
  EXPECT_FALSE(network_->idle_since().value());
  EXPECT_TRUE(links_become("")) << links();
}

TEST_F(NetworkTest, WhatNobodyTookDownTheNextCommandDoes) {
  {
    const UniqueFd pod = new_namespace();
    (void)attach("p", pod, {});
    release("p");
  }
  ASSERT_TRUE(database_->execute("UPDATE leases SET used=used-6000000000"));
  open();  // another command
  ASSERT_TRUE(network_->maintain());
  EXPECT_FALSE(table_stands("fmtest0"));
  EXPECT_TRUE(links_become("")) << links();
}

TEST_F(NetworkTest, UnfinishedAttachmentsAreFinishedOrReleased) {
  const UniqueFd pod = new_namespace();
  (void)attach("p", pod, reserve("p", {{"", 8080, 80}}));
  // As if the command had died before the element, and before the link was noted.
  ASSERT_TRUE(database_->execute("UPDATE leases SET ifindex=0"));
  ASSERT_EQ(run("nft flush map inet fmtest0 ports4"), 0);
  const Attachment again = attach("p", pod, Reservation{});
  EXPECT_EQ(again.ipv4, "10.88.0.2");
  const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  ASSERT_EQ(run("nft flush map inet fmtest0 ports4"), 0);
  release("p");
  take_down();
  EXPECT_FALSE(table_stands("fmtest0"));
}

TEST_F(NetworkTest, AddressLongestUnusedGoesFirst) {
  options_.ipv4_pool = "10.99.0.0/29";  // .2 to .6
  open();
  std::map<std::string, UniqueFd> pods;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    pods[name] = new_namespace();
    (void)attach(name, pods[name], {});
  }
  const UniqueFd extra = new_namespace();
  auto full = network_->attach("f", extra.get(), {});
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().message().find("no free address in 10.99.0.0/29"), std::string::npos);
  const auto end = [&](const char* name) {
    release(name);
    auto route = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    const std::string veth = fmt::format("veth0a6300{:02x}", 2 + name[0] - 'a');
    EXPECT_NE(route->link_index(veth), 0);
    // Released, but its link lives as long as its namespace: the address is not given away.
    EXPECT_FALSE(network_->attach("x", extra.get(), {}));
    pods.erase(name);
    for (int i = 0; i < 300 && route->link_index(veth) != 0; ++i) ::usleep(10'000);
    EXPECT_EQ(route->link_index(veth), 0);
  };
  end("c");
  const UniqueFd f = new_namespace();
  EXPECT_EQ(attach("f", f, {}).ipv4, "10.99.0.4");
  end("d");
  release("b");
  pods.erase("b");
  ::usleep(200'000);
  const UniqueFd g = new_namespace(), h = new_namespace();
  EXPECT_EQ(attach("g", g, {}).ipv4, "10.99.0.5");
  EXPECT_EQ(attach("h", h, {}).ipv4, "10.99.0.3");
}

TEST_F(NetworkTest, PoolThatIsRoutedElsewhereIsAvoided) {
  const UniqueFd outside = add_outside("10.88.7.1", "10.88.7.2", 24);
  const UniqueFd pod = new_namespace();
  EXPECT_EQ(attach("p", pod, {}).ipv4, "10.89.0.2");
}

TEST_F(NetworkTest, RangesThatTheNodeWasGivenAreTaken) {
  UniqueFd before = new_namespace();
  (void)attach("before", before, {});
  // Not before the last pod of the former network is gone.
  EXPECT_EQ(set_ranges("10.244.3.0/24,fd00:10:244:3::/64").size(), 2u);
  const UniqueFd pod = new_namespace();
  EXPECT_EQ(attach("p", pod, {}).ipv4, "10.88.0.3");
  release("before");
  release("p");
  EXPECT_TRUE(set_ranges("10.244.3.0/24,fd00:10:244:3::/64").empty());
  EXPECT_FALSE(table_stands("fmtest0"));
  const UniqueFd next = new_namespace(), last = new_namespace();
  const Attachment given = attach("next", next, reserve("next", {{"", 8080, 80}}));
  EXPECT_TRUE(given.ipv4.starts_with("10.244.3.")) << given.ipv4;
  EXPECT_EQ(given.ipv4_prefix, 24);
  EXPECT_EQ(given.ipv4_gateway, "10.244.3.1");
  EXPECT_TRUE(given.ipv6.starts_with("fd00:10:244:3::")) << given.ipv6;
  EXPECT_EQ(given.ipv6_gateway, "fd00:10:244:3::af4:301");
  EXPECT_TRUE(given.warnings.empty()) << given.warnings[0];
  (void)attach("last", last, {});
  const UniqueFd server = listen_in(next.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(last.get(), given.ipv4, 80, server));
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  // Another engine on the store knows as well.
  open();
  EXPECT_EQ(format_pod_ranges(*network_->pod_ranges()), "10.244.3.0/24,fd00:10:244:3::/64");
}

TEST_F(NetworkTest, GivenRangeThatIsRoutedElsewhereIsToldOf) {
  const UniqueFd outside = add_outside("10.244.3.1", "10.244.3.2", 24);
  EXPECT_TRUE(set_ranges("10.244.3.0/24").empty());
  const UniqueFd pod = new_namespace();
  const Attachment given = attach("p", pod, {});
  EXPECT_EQ(given.ipv4, "10.88.0.2");
  ASSERT_EQ(given.warnings.size(), 1u);
  EXPECT_NE(given.warnings[0].find("10.244.3.0/24, which this node was given"), std::string::npos);
}

TEST_F(NetworkTest, GivenRangeThatDoesNotSuitIsToldOf) {
  const auto told = set_ranges("10.244.3.4/32,fd00:10:244:3::/112");
  ASSERT_EQ(told.size(), 2u);
  EXPECT_NE(told[0].find("10.244.3.4/32: the built-in network takes"), std::string::npos) << told[0];
  const UniqueFd pod = new_namespace();
  EXPECT_EQ(attach("p", pod, {}).ipv4, "10.88.0.2");
}

TEST_F(NetworkTest, HostWithoutIpv6GivesIpv4AndAWarning) {
  ASSERT_TRUE(write_kernel_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"));
  ASSERT_TRUE(write_kernel_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"));
  const UniqueFd pod = new_namespace();
  const Reservation ports = reserve("p", {{"", 8080, 80}});
  const Attachment given = attach("p", pod, ports);
  EXPECT_EQ(given.ipv6, "");
  ASSERT_EQ(given.warnings.size(), 1u);
  EXPECT_NE(given.warnings[0].find("IPv6 is off on this host"), std::string::npos);
  const UniqueFd server = listen_in(pod.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
}

TEST_F(NetworkTest, RouterAdvertisementsSurviveForwarding) {
  const UniqueFd outside = add_outside("192.0.2.1", "192.0.2.2", 24);
  ASSERT_EQ(read_file("/proc/sys/net/ipv6/conf/lan0/accept_ra").value(), "1\n");
  const UniqueFd pod = new_namespace();
  (void)attach("p", pod, {});
  EXPECT_EQ(read_file("/proc/sys/net/ipv6/conf/lan0/accept_ra").value(), "2\n");
  EXPECT_EQ(read_file("/proc/sys/net/ipv6/conf/fmtest0/accept_ra").value(), "0\n");
}

TEST_F(NetworkTest, IsolatedPodHasLoopbackOnly) {
  const UniqueFd pod = new_namespace();
  ASSERT_TRUE(Network::prepare_isolated(pod.get()));
  const UniqueFd server = listen_in(pod.get(), "127.0.0.1", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(pod.get(), "127.0.0.1", 80, server));
}

TEST_F(NetworkTest, ManyCyclesLeaveNothingAndStayFast) {
  const UniqueFd keeper = new_namespace();
  std::vector<double> took, gone;
  const auto since = [](auto start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  const auto first = std::chrono::steady_clock::now();
  (void)attach("keeper", keeper, {});
  std::printf("attach of the first pod, with bridge and table: %.2f ms\n", since(first));
  for (int i = 0; i < 200; ++i) {
    const std::string name = "pod" + std::to_string(i);
    const UniqueFd pod = new_namespace();
    const Reservation ports = reserve(name, {{"", 8080, 80}});
    auto start = std::chrono::steady_clock::now();
    (void)attach(name, pod, ports);
    took.push_back(since(start));
    start = std::chrono::steady_clock::now();
    release(name);
    gone.push_back(since(start));
  }
  std::sort(took.begin(), took.end());
  std::sort(gone.begin(), gone.end());
  std::printf("attach %.2f ms, release %.2f ms (medians)\n", took[100], gone[100]);
  const auto start = std::chrono::steady_clock::now();
  release("keeper");
  take_down();
  std::printf("release of the last pod, with bridge and table: %.2f ms\n", since(start));
  EXPECT_FALSE(table_stands("fmtest0"));
  EXPECT_EQ(count("SELECT count(*) FROM leases WHERE pod<>''"), 0);
}

}  // namespace
}  // namespace fermata::network
