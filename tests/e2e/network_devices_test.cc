// linux.netDevices, and the network of a container that has one of its own.
#include <sstream>

#include "e2e/support/oci.h"

namespace fermata::e2e {
namespace {

class NetworkDevices : public OciTest {
 protected:
  void SetUp() override {
    OciTest::SetUp();
    if (IsSkipped()) return;
    ip("link add dev0 type veth peer name far0");
    ip("link add dev1 type veth peer name far1");
    ip("link set far0 up");
    ip("link set dev0 up");
    ip("addr add 10.9.0.1/24 broadcast + dev dev0");
    ip("addr add fd00:9::1/64 dev dev0 nodad");
    ip("addr add 10.9.1.1 peer 10.9.1.2 dev dev1");
  }
  void TearDown() override {
    for (const char* name : {"far0", "far1"})
      (void)run_program({"ip", "link", "delete", name});  // gone with the other end, when that went
    OciTest::TearDown();
  }

  static void ip(const std::string& words) {
    Arguments arguments = {"ip"};
    std::istringstream stream(words);
    for (std::string word; stream >> word;) arguments.push_back(word);
    const Outcome outcome = run_program(arguments);
    ASSERT_TRUE(outcome.ok()) << "ip " << words << ": " << outcome;
  }
  static std::string addresses_of(const std::string& device) {
    return run_program({"ip", "addr", "show", device}).out;
  }
  Outcome run_with(const json& config) { return run("box", config); }
};

TEST_F(NetworkDevices, GoInUpWithTheirNewNamesAndTheirAddresses) {
  json changed = config({"sh", "-c", "ip addr"});
  changed["linux"]["netDevices"] = {{"dev0", {{"name", "lan"}}}, {"dev1", {{"name", "eth%d"}}}};
  const Outcome outcome = run_with(changed);
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_TRUE(contains(outcome.out, " lan@")) << outcome;
  EXPECT_TRUE(contains(outcome.out, "inet 10.9.0.1/24 brd 10.9.0.255 scope global lan")) << outcome;
  EXPECT_TRUE(contains(outcome.out, "inet6 fd00:9::1/64 scope global")) << outcome;
  EXPECT_TRUE(contains(outcome.out, " eth0@")) << outcome;
  EXPECT_TRUE(contains(outcome.out, "inet 10.9.1.1 peer 10.9.1.2/32 scope global eth0")) << outcome;
  const auto second = outcome.out.find(" eth0@");
  ASSERT_NE(std::string::npos, second);
  const std::string line = outcome.out.substr(second, outcome.out.find('\n', second) - second);
  EXPECT_TRUE(contains(line, ",UP")) << line;
}

TEST_F(NetworkDevices, ComeBackAsTheyWereWhenTheContainerCannotBeMade) {
  json changed = config({"sh", "-c", "true"});
  changed["linux"]["netDevices"] = {{"dev0", {{"name", "lan"}}}, {"dev1", json::object()}};
  changed["hooks"]["createRuntime"] = {{{"path", "/bin/false"}}};
  const Outcome outcome = run_with(changed);
  EXPECT_FALSE(outcome.ok());
  EXPECT_TRUE(contains(outcome.err, "createRuntime hook #0")) << outcome;
  EXPECT_TRUE(contains(addresses_of("dev0"), "10.9.0.1/24")) << addresses_of("dev0");
  EXPECT_TRUE(contains(addresses_of("dev0"), "fd00:9::1/64")) << addresses_of("dev0");
  EXPECT_TRUE(contains(addresses_of("dev0"), ",UP")) << addresses_of("dev0");
  EXPECT_TRUE(contains(addresses_of("dev1"), "peer 10.9.1.2/32")) << addresses_of("dev1");
  EXPECT_FALSE(contains(addresses_of("dev1"), ",UP")) << addresses_of("dev1");
}

TEST_F(NetworkDevices, AreLookedAtBeforeTheFirstOneMoves) {
  const std::pair<json, const char*> cases[] = {
      {{{"dev0", {{"name", "lan"}}}, {"dev1", {{"name", "lan"}}}}, "has an interface 'lan' already"},
      {{{"dev0", {{"name", "lo"}}}}, "has an interface 'lo' already"},
      {{{"dev0", {{"name", "lan"}}}, {"none", {{"name", "x"}}}}, "there is no interface 'none'"},
      {{{"dev0", {{"name", "lan"}}}, {"lo", {{"name", "lo1"}}}}, "'lo' belongs to its network namespace"}};
  for (const auto& [devices, message] : cases) {
    json changed = config({"sh", "-c", "true"});
    changed["linux"]["netDevices"] = devices;
    const Outcome outcome = run_with(changed);
    EXPECT_FALSE(outcome.ok());
    EXPECT_TRUE(contains(outcome.err, "linux.netDevices: ")) << outcome;
    EXPECT_TRUE(contains(outcome.err, message)) << outcome;
    EXPECT_TRUE(contains(addresses_of("dev0"), "10.9.0.1/24")) << message;
  }
}

TEST_F(NetworkDevices, NeedANetworkNamespace) {
  json changed = config({"sh", "-c", "true"});
  changed["linux"]["netDevices"] = {{"dev0", {{"name", "lan"}}}};
  changed["linux"]["namespaces"] = {{{"type", "mount"}}, {{"type", "pid"}}};
  changed.erase("hostname");
  const Outcome outcome = run_with(changed);
  EXPECT_FALSE(outcome.ok());
  EXPECT_TRUE(contains(outcome.err, "needs a network namespace")) << outcome;
}

TEST_F(NetworkDevices, LoopbackIsUpInANewNetworkNamespace) {
  const Outcome outcome = run_with(config({"sh", "-c", "ip addr show lo"}));
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_TRUE(contains(outcome.out, "inet 127.0.0.1/8")) << outcome;
  EXPECT_TRUE(contains(outcome.out, "inet6 ::1/128")) << outcome;
}

}  // namespace
}  // namespace fermata::e2e
