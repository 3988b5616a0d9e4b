#include "cni/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cni/capabilities.h"
#include "cni/json_text.h"
#include "cni/plugin_error.h"

namespace fermata::cni {
namespace {

using testing::ElementsAre;

NetworkConfiguration network_of(const std::string& plugin) {
  return parse_network_list(R"({"cniVersion":"1.0.0","name":"n","plugins":[)" + plugin + "]}").value();
}

Json input_of(const Request& request) { return Json::parse(request.input); }

TEST(Request, InputIsWhatWasWrittenAndWhatTheRuntimeAdds) {
  const auto network = network_of(
      R"({"type":"a","name":"other","cniVersion":"0.1.0","k":[1,2.5],"args":{"x":1},"cni.dev/k":1,
          "capabilities":{"portMappings":true,"mac":true,"bandwidth":false}})");
  Attachment attachment{
      .pod = "p1", .network_namespace = "/run/netns/x", .arguments = {{"A", "1"}, {"B", ""}}};
  attachment.capabilities = capability_document(
      {.port_mappings = {{8080, 80, "tcp", "127.0.0.1"}}, .bandwidth = Bandwidth{1, 2, 3, 4}});
  const Request request =
      compose_request(Command::add, network, {1, 0, 0}, network.plugins[0], attachment, std::nullopt);
  EXPECT_EQ(input_of(request), Json::parse(R"({"type":"a","name":"n","cniVersion":"1.0.0","k":[1,2.5],
      "args":{"x":1},"runtimeConfig":{"portMappings":[
      {"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":"127.0.0.1"}]}})"));
  EXPECT_THAT(request.variables, ElementsAre("CNI_COMMAND=ADD", "CNI_CONTAINERID=p1",
                                             "CNI_NETNS=/run/netns/x", "CNI_IFNAME=eth0", "CNI_ARGS=A=1;B="));
}

TEST(Request, EarlierResultGoesToThoseThatKnowIt) {
  const auto network = network_of(R"({"type":"a"})");
  const Attachment attachment{.pod = "p", .network_namespace = "/x", .arguments = {}};
  AddResult result;
  result.interfaces.push_back({.name = "eth0", .mac = "", .sandbox = "", .socket_path = "", .pci_id = ""});
  const auto has_previous = [&](Command command, const Version& version) {
    const Request request =
        compose_request(command, network, version, network.plugins[0], attachment, result);
    const Json input = input_of(request);
    return input.contains("prevResult") && input["prevResult"]["cniVersion"] == format_version(version);
  };
  EXPECT_TRUE(has_previous(Command::add, {0, 3, 0}));
  EXPECT_FALSE(has_previous(Command::del, {0, 3, 1}));
  EXPECT_TRUE(has_previous(Command::del, {0, 4, 0}));
  EXPECT_TRUE(has_previous(Command::check, {1, 1, 0}));
}

TEST(Request, GcNamesWhatIsValidUnderBothNames) {
  const auto network = network_of(R"({"type":"a","capabilities":{"mac":true}})");
  const Request request = compose_gc_request(network, {1, 1, 0}, network.plugins[0], {{"p", "eth0"}});
  const Json input = input_of(request);
  EXPECT_EQ(input["cni.dev/valid-attachments"], Json::parse(R"([{"containerID":"p","ifname":"eth0"}])"));
  EXPECT_EQ(input["cni.dev/attachments"], input["cni.dev/valid-attachments"]);
  EXPECT_FALSE(input.contains("capabilities"));
  EXPECT_THAT(request.variables, ElementsAre("CNI_COMMAND=GC"));
  EXPECT_EQ(input_of(compose_gc_request(network, {1, 1, 0}, network.plugins[0], {}))["cni.dev/attachments"],
            Json::array());
}

TEST(Request, EveryCapabilityHasItsForm) {
  const Capabilities all{.port_mappings = {{53, 5353, "udp", ""}},
                         .bandwidth = Bandwidth{.ingress_rate = 5, .ingress_burst = 6},
                         .ip_ranges = {{{"10.1.2.0/24", "10.1.2.3", "10.1.2.9", "10.1.2.1"}}},
                         .dns = DnsArguments{{"8.8.8.8"}, {"a.b"}, {"ndots:5"}},
                         .ips = {"10.1.2.3/24"},
                         .mac = "c2:11:22:33:44:55",
                         .cgroup_path = "/kubepods/x",
                         .annotations = {{"a", "b"}}};
  EXPECT_EQ(Json::parse(capability_document(all)), Json::parse(R"({
      "portMappings":[{"hostPort":53,"containerPort":5353,"protocol":"udp"}],
      "bandwidth":{"ingressRate":5,"ingressBurst":6},
      "ipRanges":[[{"subnet":"10.1.2.0/24","rangeStart":"10.1.2.3","rangeEnd":"10.1.2.9","gateway":"10.1.2.1"}]],
      "dns":{"servers":["8.8.8.8"],"searches":["a.b"],"options":["ndots:5"]},
      "ips":["10.1.2.3/24"],"mac":"c2:11:22:33:44:55","cgroupPath":"/kubepods/x",
      "io.kubernetes.cri.pod-annotations":{"a":"b"}})"));
  EXPECT_EQ(capability_document({}), "{}");
}

TEST(Request, HostLocalWithoutRangesNeedsThoseOfTheNode) {
  const auto needs = [](const std::string& capability, const std::string& ipam) {
    return needs_ip_ranges(
        network_of(R"({"type":"ptp","capabilities":{")" + capability + R"(":true},"ipam":)" + ipam + "}"));
  };
  EXPECT_TRUE(needs("ipRanges", R"({"type":"host-local"})"));
  EXPECT_TRUE(needs("ipRanges", R"({"type":"host-local","ranges":[]})"));
  EXPECT_FALSE(needs("ipRanges", R"({"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}]]})"));
  EXPECT_FALSE(needs("ipRanges", R"({"type":"host-local","subnet":"10.1.0.0/24"})"));
  EXPECT_FALSE(needs("portMappings", R"({"type":"host-local"})"));
  EXPECT_FALSE(needs("ipRanges", R"({"type":"dhcp"})"));
  EXPECT_FALSE(needs("ipRanges", R"({"type":7,"ranges":"odd"})"));
  EXPECT_FALSE(needs("ipRanges", R"("odd")"));
}

TEST(Request, WhatNoPluginCouldTakeIsRefused) {
  const Attachment good{.pod = "p-1.x", .network_namespace = "", .arguments = {{"K8S_POD_NAME", "x"}}};
  EXPECT_TRUE(validate(good));
  for (const std::string id : {"", "-p", "a/b", "a b"}) {
    Attachment bad = good;
    bad.pod = id;
    EXPECT_FALSE(validate(bad)) << id;
  }
  for (const std::string name : {"", ".", "a/b", "a:b", "a b", "sixteen-bytes-xx"}) {
    Attachment bad = good;
    bad.interface = name;
    EXPECT_FALSE(validate(bad)) << name;
  }
  for (const std::string value : {"a;b", "a=b"}) {
    Attachment bad = good;
    bad.arguments.emplace_back("A", value);
    EXPECT_FALSE(validate(bad)) << value;
  }
}

TEST(Request, SupportedVersionsAreRead) {
  EXPECT_THAT(parse_supported_versions(R"({"supportedVersions":["0.4.0","new","1.0.0"]})").value(),
              ElementsAre(Version{0, 4, 0}, Version{1, 0, 0}));
  EXPECT_FALSE(parse_supported_versions("{}"));
}

TEST(PluginError, IsTakenFromWhereverItStands) {
  const auto full = parse_plugin_error(R"({"code":11,"msg":"m","details":"d"})", "log", "exit status 1");
  EXPECT_EQ(full.code, 11u);
  const Error error = to_error(full, "bridge", "ADD");
  EXPECT_EQ(error.message(), "plugin 'bridge' (ADD): m; d [code 11]");
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_EQ(parse_plugin_error("", " why\n", "exit status 2").message, "exit status 2: why");
  EXPECT_EQ(parse_plugin_error("oops", "", "exit status 2").message, "exit status 2: oops");
  EXPECT_EQ(parse_plugin_error("", "", "exit status 2").message, "exit status 2, and said nothing");
}

}  // namespace
}  // namespace fermata::cni
