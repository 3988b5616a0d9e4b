// Debian's CNI plugins (package containernetworking-plugins) on the real kernel: root, and nothing but
// namespaces of the test's own. The "host" of each test is a new network namespace; /run, with the pins and
// the lock of iptables, is a tmpfs in a mount namespace of the program's own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "cni/attachments.h"
#include "cni/capabilities.h"
#include "cni/namespace_pin.h"
#include "kernel/netlink.h"
#include "kernel/network_namespace.h"
#include "kernel/support/sockets.h"
#include "network/network.h"

namespace fermata::cni {
namespace {

using kernel::NetworkNamespaceVisit;
using test::listen_in;
using test::new_namespace;
using test::tcp_reaches;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kDirectory = "/usr/lib/cni";
constexpr const char* kPins = kDefaultPinDirectory;
constexpr std::string_view kMasquerade = R"("ipMasq":true)";

// What the program prints, in the thread's network namespace; nft, ip.
std::string output_of(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), got);
  ::pclose(pipe);
  return text;
}

struct Pod {
  std::string id;
  UniqueFd space;
  std::string path;
};

class CniTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", "/run", "tmpfs", 0, nullptr), 0);
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access((std::string(kDirectory) + "/bridge").c_str(), X_OK) != 0)
      GTEST_SKIP() << "needs containernetworking-plugins";
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);  // the one before ends with its last pod
    UniqueFd host = open_file("/proc/thread-self/ns/net", O_RDONLY).value();
    ASSERT_TRUE(network::Network::prepare_isolated(host.get()));
    char name[] = "/tmp/fermata-cni-XXXXXX";
    directory_ = ::mkdtemp(name);
    database_.emplace(state::Database::open(directory_ + "/state.db").value());
    attachments_.emplace(*database_, plugins_, directory_);
  }
  void TearDown() override {
    const auto pins = list_pins(kPins).value();
    for (const std::string& id : pins) EXPECT_TRUE(unpin_network_namespace(kPins, id));
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  // `first`: the plugin that makes the interface, without its address management.
  NetworkConfiguration network(const std::string& first, const std::string& more = "") const {
    const std::string text = R"({"cniVersion":"1.0.0","name":"test-net","plugins":[{)" + first +
                             R"(,"ipMasq":true,"ipam":{"type":"host-local","dataDir":")" + directory_ +
                             R"(/ipam","ranges":[[{"subnet":"10.213.7.0/24"}],[{"subnet":"fd00:213::/64"}]],
                                "routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}})" +
                             more + "]}";
    const auto parsed = parse_network_list(text);
    EXPECT_TRUE(parsed) << parsed.error().message();
    return *parsed;
  }
  NetworkConfiguration bridge(const std::string& more = "") const {
    return network(R"("type":"bridge","bridge":"cnitest0","isGateway":true,"hairpinMode":true)", more);
  }

  static Pod make_pod(const std::string& id) {
    Pod pod{id, new_namespace(), ""};
    pod.path = pin_network_namespace(kPins, id, pod.space.get()).value();
    EXPECT_TRUE(network::Network::prepare_isolated(pod.space.get()));
    return pod;
  }
  static Attachment attachment(const Pod& pod, const Capabilities& capabilities = {}) {
    return {.pod = pod.id,
            .network_namespace = pod.path,
            .arguments = {{"IgnoreUnknown", "1"}, {"K8S_POD_NAME", pod.id}},
            .capabilities = capability_document(capabilities)};
  }
  AddResult add(const NetworkConfiguration& network, const Attachment& wanted) {
    auto added = attachments_->add(network, wanted);
    if (!added) ADD_FAILURE() << added.error().message();
    return added.value_or(AddResult{});
  }
  void del(const std::string& id) {
    const auto deleted = attachments_->del(id);
    EXPECT_TRUE(deleted) << deleted.error().message();
  }
  void check(const std::string& id) {
    const auto checked = attachments_->check(id);
    EXPECT_TRUE(checked) << checked.error().message();
  }
  static std::string inside(const Pod& pod, const std::string& command) {
    const auto visit = NetworkNamespaceVisit::enter(pod.space.get());
    return output_of(command);
  }
  static bool has_link(const Pod& pod, const std::string& name) {
    const auto visit = NetworkNamespaceVisit::enter(pod.space.get());
    return kernel::NetlinkSocket::open(NETLINK_ROUTE)->link_index(name) != 0;
  }
  // The addresses that host-local holds.
  std::vector<std::string> leases() const {
    std::vector<std::string> names;
    const std::string path = directory_ + "/ipam/test-net";
    if (std::filesystem::exists(path))
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with("last_reserved_ip") && name != "lock") names.push_back(name);
      }
    return names;
  }
  // Of any pod: links to it, leases, rules that name one, rows.
  void expect_nothing_left() {
    EXPECT_THAT(output_of("ip link show type veth"), Not(HasSubstr("veth")));
    EXPECT_THAT(leases(), testing::IsEmpty());
    const std::string rules = output_of("nft list ruleset");
    for (const std::string trace : {"10.213.7.", "fd00:213::", "8080", "pod-"})
      EXPECT_THAT(rules, Not(HasSubstr(trace)));
    EXPECT_THAT(attachments_->pods().value(), testing::IsEmpty());
  }

  std::string directory_;
  Plugins plugins_{{kDirectory}, std::chrono::minutes(1)};
  std::optional<state::Database> database_;
  std::optional<Attachments> attachments_;
};

constexpr std::string_view kPortmap =
    R"(,{"type":"portmap","snat":true,"capabilities":{"portMappings":true}})";
constexpr std::string_view kFirewall = R"(,{"type":"firewall","backend":"iptables"})";

TEST_F(CniTest, BridgeGivesAddressRouteAndPort) {
  const auto configured = bridge(std::string(kPortmap) + std::string(kFirewall));
  const Pod pod = make_pod("pod-1");
  const AddResult result = add(configured, attachment(pod, {.port_mappings = {{8080, 80, "tcp", ""}}}));
  ASSERT_EQ(result.pod_ips().size(), 2u);
  const std::string address = kernel::format_ip(result.pod_ips()[0].address);
  EXPECT_THAT(address, HasSubstr("10.213.7."));
  EXPECT_THAT(inside(pod, "ip addr show eth0"), HasSubstr(address + "/24"));
  EXPECT_THAT(inside(pod, "ip addr show eth0"), HasSubstr("fd00:213::"));
  EXPECT_THAT(inside(pod, "ip route"), HasSubstr("default via 10.213.7.1 dev eth0"));
  const UniqueFd server = listen_in(pod.space.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(-1, address, 80, server));
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  EXPECT_TRUE(tcp_reaches(-1, "10.213.7.1", 8080, server));

  del(pod.id);
  EXPECT_FALSE(has_link(pod, "eth0"));
  EXPECT_FALSE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  expect_nothing_left();
  del(pod.id);
}

// Without portmap, whose CHECK looks for the rules of IPv4 among those of IPv6 when a pod has both.
TEST_F(CniTest, CheckSeesWhatIsGone) {
  const Pod pod = make_pod("pod-1");
  add(bridge(std::string(kFirewall)), attachment(pod));
  check(pod.id);
  inside(pod, "ip route del default");
  const auto checked = attachments_->check(pod.id);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("network 'test-net': plugin 'bridge' (CHECK)"));
  del(pod.id);
  expect_nothing_left();
}

TEST_F(CniTest, PtpAndOlderVersions) {
  for (const Version version : {Version{0, 3, 1}, Version{0, 4, 0}}) {
    auto configured = network(R"("type":"ptp")", std::string(kPortmap));
    configured.versions = {version};
    const Pod pod = make_pod("pod-" + format_version(version));
    const AddResult result = add(configured, attachment(pod, {.port_mappings = {{8080, 80, "tcp", ""}}}));
    EXPECT_EQ(result.pod_ips().size(), 2u);
    const UniqueFd server = listen_in(pod.space.get(), "0.0.0.0", 80, SOCK_STREAM);
    EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
    del(pod.id);
    expect_nothing_left();
  }
}

// Without ranges in the file: host-local has those of the node, which a kubelet has told.
TEST_F(CniTest, AddressesAreOfTheRangesGiven) {
  const std::string text =
      R"({"cniVersion":"1.0.0","name":"test-net","plugins":[{"type":"ptp","capabilities":{"ipRanges":true},)"
      R"("ipam":{"type":"host-local","dataDir":")" +
      directory_ + R"(/ipam"}}]})";
  const auto configured = parse_network_list(text);
  ASSERT_TRUE(configured) << configured.error().message();
  const Pod pod = make_pod("pod-1");
  EXPECT_TRUE(needs_ip_ranges(*configured));
  const AddResult result =
      add(*configured,
          attachment(pod, {.ip_ranges = {{{.subnet = "10.213.7.0/24"}}, {{.subnet = "fd00:213::/64"}}}}));
  ASSERT_EQ(result.pod_ips().size(), 2u);
  EXPECT_EQ(kernel::format_ip(result.pod_ips()[0].address), "10.213.7.2");
  EXPECT_EQ(kernel::format_ip(result.pod_ips()[1].address), "fd00:213::2");
  EXPECT_EQ(leases().size(), 2u);
  // DEL knows them as well, whatever the node has now.
  del(pod.id);
  expect_nothing_left();
}

TEST_F(CniTest, BandwidthIsShaped) {
  // A bandwidth limit for the way in needs an ifb device.
  if (const std::string said =
          output_of("ip link add ifbprobe type ifb && ip link add bridgeprobe type veth "
                    "&& tc qdisc add dev bridgeprobe root tbf rate 1mbit burst 16k latency 1ms");
      !said.empty())
    GTEST_SKIP() << "needs ifb and tbf: " << said;
  output_of("ip link del ifbprobe; ip link del bridgeprobe");
  const auto configured = bridge(R"(,{"type":"bandwidth","capabilities":{"bandwidth":true}})");
  const Pod pod = make_pod("pod-1");
  add(configured, attachment(pod, {.bandwidth = Bandwidth{8'000'000, 800'000, 16'000'000, 1'600'000}}));
  EXPECT_THAT(output_of("tc qdisc show"), HasSubstr("rate 8Mbit"));
  EXPECT_THAT(output_of("tc qdisc show"), HasSubstr("rate 16Mbit"));
  check(pod.id);
  del(pod.id);
  EXPECT_THAT(output_of("tc qdisc show"), Not(HasSubstr("tbf")));
  expect_nothing_left();
}

// Without masquerading, whose rules bridge finds by the addresses inside and then leaves: a namespace should
// stay pinned until after DEL.
TEST_F(CniTest, DelWorksOnceTheNamespaceIsGone) {
  Pod pod = make_pod("pod-1");
  auto configured = bridge(std::string(kPortmap) + std::string(kFirewall));
  std::string& document = configured.plugins[0].document;
  document.replace(document.find(kMasquerade), kMasquerade.size(), R"("ipMasq":false)");
  add(configured, attachment(pod, {.port_mappings = {{8080, 80, "tcp", ""}}}));
  EXPECT_EQ(leases().size(), 2u);
  pod.space.reset();
  ASSERT_TRUE(unpin_network_namespace(kPins, pod.id));
  del(pod.id);
  // The kernel takes the namespace's links down in its own time.
  for (int i = 0; i < 500 && output_of("ip link show type veth").find("veth") != std::string::npos; ++i)
    ::usleep(10'000);
  expect_nothing_left();
}

TEST_F(CniTest, AddThatFailsHalfwayLeavesNothing) {
  const Pod pod = make_pod("pod-1");
  const auto added = attachments_->add(bridge(std::string(kPortmap) + R"(,{"type":"no-such-plugin"})"),
                                       attachment(pod, {.port_mappings = {{8080, 80, "tcp", ""}}}));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message(), HasSubstr("plugin 'no-such-plugin' is in none of the directories"));
  // DEL needs that plugin, too, which is what is owed then.
  ASSERT_TRUE(std::filesystem::create_directory(directory_ + "/bin"));
  ASSERT_TRUE(write_file(directory_ + "/bin/no-such-plugin", "#!/bin/sh\nexit 0\n", 0755));
  Plugins complete({kDirectory, directory_ + "/bin"});
  Attachments later(*database_, complete, directory_);
  const auto deleted = later.del(pod.id);
  EXPECT_TRUE(deleted) << deleted.error().message();
  EXPECT_FALSE(has_link(pod, "eth0"));
  expect_nothing_left();
}

TEST_F(CniTest, AddAfterABrokenOffOneStartsAnew) {
  const auto configured = bridge(std::string(kPortmap));
  const Capabilities port{.port_mappings = {{8080, 80, "tcp", ""}}};
  const Pod first = make_pod("pod-1");
  add(configured, attachment(first, port));
  add(configured, attachment(first, port));
  EXPECT_EQ(leases().size(), 2u);
  // The pod is made again, with another namespace under the same name.
  del("pod-1");
  const Pod second = make_pod("pod-1");
  const AddResult result = add(configured, attachment(second, port));
  EXPECT_EQ(leases().size(), 2u);
  const UniqueFd server = listen_in(second.space.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_TRUE(tcp_reaches(-1, "127.0.0.1", 8080, server));
  EXPECT_EQ(attachments_->attached("pod-1").value().at(0).result, result);
  del("pod-1");
  expect_nothing_left();
}

TEST_F(CniTest, GcRemovesTheStaleOne) {
  const auto configured = bridge(std::string(kFirewall));
  Pod stale = make_pod("pod-stale");
  const Pod valid = make_pod("pod-valid");
  add(configured, attachment(stale));
  add(configured, attachment(valid));
  const auto collected =
      attachments_->gc(configured, [](const std::string& pod) -> Result<bool> { return pod == "pod-valid"; });
  EXPECT_TRUE(collected) << collected.error().message();
  EXPECT_EQ(leases().size(), 2u);
  EXPECT_FALSE(has_link(stale, "eth0"));
  EXPECT_TRUE(has_link(valid, "eth0"));
  check(valid.id);
  EXPECT_THAT(attachments_->pods().value(), testing::ElementsAre("pod-valid"));
  del(valid.id);
  expect_nothing_left();
}

TEST_F(CniTest, PluginsTellTheirVersions) {
  const auto versions = plugins_.versions("bridge");
  ASSERT_TRUE(versions) << versions.error().message();
  EXPECT_THAT(*versions, testing::Contains(Version{1, 0, 0}));
  EXPECT_TRUE(attachments_->status(bridge()).ready);
}

TEST_F(CniTest, PinStaysIsReplacedAndGoes) {
  const UniqueFd one = new_namespace(), other = new_namespace();
  const std::string path = pin_network_namespace(kPins, "x", one.get()).value();
  EXPECT_EQ(path, std::string(kPins) + "/fermata-x");
  EXPECT_TRUE(is_namespace(path));
  EXPECT_EQ(pin_network_namespace(kPins, "x", one.get()).value(), path);
  EXPECT_EQ(pin_network_namespace(kPins, "x", other.get()).value(), path);
  struct stat pinned = {}, wanted = {};
  ASSERT_EQ(::stat(path.c_str(), &pinned), 0);
  ASSERT_EQ(::fstat(other.get(), &wanted), 0);
  EXPECT_EQ(pinned.st_ino, wanted.st_ino);
  // An attempt may have ended before the mount.
  ASSERT_TRUE(write_file(std::string(kPins) + "/fermata-y", ""));
  EXPECT_FALSE(is_namespace(std::string(kPins) + "/fermata-y"));
  EXPECT_THAT(list_pins(kPins).value(), testing::UnorderedElementsAre("x", "y"));
  EXPECT_TRUE(pin_network_namespace(kPins, "y", one.get()));
  for (const std::string id : {"x", "y", "y"}) EXPECT_TRUE(unpin_network_namespace(kPins, id));
  EXPECT_THAT(list_pins(kPins).value(), testing::IsEmpty());
  EXPECT_THAT(read_file("/proc/self/mountinfo").value(), Not(HasSubstr("fermata-")));
}

}  // namespace
}  // namespace fermata::cni
