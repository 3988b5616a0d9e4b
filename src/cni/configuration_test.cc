#include "cni/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cni/configuration_directory.h"
#include "cni/fake_plugins.h"

namespace fermata::cni {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto network = parse_network_list(text);
  return network ? "" : network.error().message();
}

TEST(NetworkConfiguration, ListIsReadWhole) {
  const auto network = parse_network_list(R"({"cniVersion":"0.4.0","cniVersions":["1.1.0","1.0.0","9.0.0"],
      "name":"a.b_c-1","disableCheck":true,"disableGC":"true","plugins":[
      {"type":"bridge","x":[1.5,{"y":null}]},
      {"type":"portmap","capabilities":{"portMappings":true,"mac":false}}]})");
  ASSERT_TRUE(network) << network.error().message();
  EXPECT_EQ(network->name, "a.b_c-1");
  EXPECT_THAT(network->versions, ElementsAre(Version{0, 4, 0}, Version{1, 0, 0}, Version{1, 1, 0}));
  EXPECT_TRUE(network->disable_check);
  EXPECT_TRUE(network->disable_gc);
  EXPECT_FALSE(network->load_only_inlined);
  ASSERT_EQ(network->plugins.size(), 2u);
  EXPECT_EQ(network->plugins[0].document, R"({"type":"bridge","x":[1.5,{"y":null}]})");
  EXPECT_THAT(network->plugins[1].capabilities, ElementsAre("portMappings"));
}

TEST(NetworkConfiguration, WithoutVersionItIsTheFirst) {
  const auto network = parse_network_list(R"({"name":"n","plugins":[{"type":"a"}]})");
  ASSERT_TRUE(network);
  EXPECT_THAT(network->versions, ElementsAre(kFirstVersion));
}

TEST(NetworkConfiguration, ErrorsNameThePlace) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "not JSON"},
      {"[]", "not a JSON object"},
      {R"({"plugins":[{"type":"a"}]})", "name: missing"},
      {R"({"name":"-a","plugins":[{"type":"a"}]})", "name: '-a' must begin"},
      {R"({"name":"a/b","plugins":[{"type":"a"}]})", "name: 'a/b'"},
      {R"({"name":5,"plugins":[{"type":"a"}]})", "name: not a string"},
      {R"({"name":"a","plugins":[]})", "plugins: not a list of one"},
      {R"({"name":"a","plugins":{}})", "plugins: not a list of one"},
      {R"({"name":"a","plugins":[1]})", "plugins[0]: not an object"},
      {R"({"name":"a","plugins":[{"type":"a"},{}]})", "plugins[1].type: missing"},
      {R"({"name":"a","plugins":[{"type":"../a"}]})", "plugins[0].type: '../a' is not the name"},
      {R"({"name":"a","plugins":[{"type":"a","capabilities":{"x":1}}]})", "plugins[0].capabilities"},
      {R"({"name":"a","cniVersion":"1","plugins":[{"type":"a"}]})", "cniVersion: '1' is not a version"},
      {R"({"name":"a","cniVersion":"2.0.0","plugins":[{"type":"a"}]})", "2.0.0 is newer than"},
      {R"({"name":"a","cniVersions":["x"],"plugins":[{"type":"a"}]})", "cniVersions: 'x'"},
      {R"({"name":"a","disableCheck":"yes","plugins":[{"type":"a"}]})", "disableCheck: 'yes'"},
      {R"({"name":"a","disableGC":1,"plugins":[{"type":"a"}]})", "disableGC: not true or false"},
      {R"({"name":"a","loadOnlyInlinedPlugins":true})", "plugins: missing"}};
  for (const auto& [text, expected] : rows) EXPECT_THAT(error_of(text), HasSubstr(expected)) << text;
}

TEST(NetworkConfiguration, SinglePluginIsAListOfOne) {
  const auto network = parse_network_of_one(R"({"cniVersion":"0.3.1","name":"n","type":"ptp","k":1})");
  ASSERT_TRUE(network) << network.error().message();
  EXPECT_THAT(network->versions, ElementsAre(Version{0, 3, 1}));
  ASSERT_EQ(network->plugins.size(), 1u);
  EXPECT_EQ(network->plugins[0].type, "ptp");
  const auto list = parse_network_of_one(R"({"name":"n","plugins":[{"type":"a"}]})");
  ASSERT_FALSE(list);
  EXPECT_THAT(list.error().message(), HasSubstr(".conflist"));
}

TEST(NetworkConfiguration, SerializedItIsReadAgain) {
  auto network = parse_network_list(
      R"({"cniVersions":["0.4.0","1.0.0"],"name":"n","disableGC":true,
          "plugins":[{"type":"a","capabilities":{"mac":true}},{"type":"b"}]})");
  ASSERT_TRUE(network);
  const auto again = parse_network_list(serialize_network(*network, {0, 4, 0}));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_THAT(again->versions, ElementsAre(Version{0, 4, 0}));
  EXPECT_EQ(again->plugins, network->plugins);
  EXPECT_TRUE(again->disable_gc);
  EXPECT_TRUE(again->load_only_inlined);
}

std::string list_named(const std::string& name) {
  return R"({"cniVersion":"1.0.0","name":")" + name + R"(","plugins":[{"type":"a"}]})";
}

TEST(ConfigurationDirectory, FirstFileInTheOrderOfNamesIsUsed) {
  const FakePlugins files;
  EXPECT_TRUE(load_configuration(files.path() + "/absent").value().networks.empty());
  EXPECT_TRUE(load_configuration(files.path()).value().networks.empty());
  files.put("20-b.conflist", list_named("b"));
  files.put("10-a.conf", R"({"cniVersion":"1.0.0","name":"a","type":"ptp"})");
  files.put("00-not.txt", "x");
  files.put(".00-hidden.conf", "x");
  files.put("30-c.json", R"({"cniVersion":"1.0.0","name":"c","type":"ptp"})");
  const auto first = load_configuration(files.path());
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_EQ(first->networks.size(), 1u);
  EXPECT_EQ(first->networks[0].name, "a");
  EXPECT_EQ(first->networks[0].file, files.path() + "/10-a.conf");
  EXPECT_EQ(load_configuration(files.path(), 2).value().networks[1].name, "b");
  EXPECT_EQ(load_configuration(files.path(), 0).value().networks.size(), 3u);
  EXPECT_EQ(interface_name(1), "eth1");
}

TEST(ConfigurationDirectory, ErrorsNameTheFile) {
  const FakePlugins files;
  files.put("10-a.conflist", "{");
  files.put("20-b.conflist", list_named("b"));
  const auto broken = load_configuration(files.path());
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message(),
              HasSubstr("/10-a.conflist': network configuration: not JSON at line 1"));
  files.put("10-a.conflist", list_named("b"));
  const auto twice = load_configuration(files.path(), 0);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind(), ErrorKind::conflict);
  EXPECT_THAT(twice.error().message(), HasSubstr("/20-b.conflist': name: 'b'"));
}

TEST(ConfigurationDirectory, PluginsInFilesOfTheirOwnAreAdded) {
  const FakePlugins files;
  files.put("10-n.conflist", R"({"cniVersion":"1.1.0","name":"n"})");
  const auto empty = load_configuration(files.path());
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message(), HasSubstr("10-n.conflist': plugins: missing, and there are none in"));
  ASSERT_TRUE(make_directories(files.path() + "/n"));
  files.put("n/20-b.conf", R"({"type":"b"})");
  files.put("n/10-a.conf", R"({"type":"a"})");
  files.put("n/30-c.conflist", "x");
  const auto network = load_configuration(files.path());
  ASSERT_TRUE(network) << network.error().message();
  ASSERT_EQ(network->networks[0].plugins.size(), 2u);
  EXPECT_EQ(network->networks[0].plugins[0].type, "a");
  files.put("10-n.conflist", R"({"name":"n","loadOnlyInlinedPlugins":true,"plugins":[{"type":"z"}]})");
  EXPECT_EQ(load_configuration(files.path()).value().networks[0].plugins.size(), 1u);
  files.put("10-n.conflist", R"({"name":"n","plugins":[{"type":"z"}]})");
  EXPECT_EQ(load_configuration(files.path()).value().networks[0].plugins.size(), 3u);
  files.put("n/10-a.conf", "{}");
  const auto broken = load_configuration(files.path());
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message(), HasSubstr("/n/10-a.conf': type: missing"));
}

}  // namespace
}  // namespace fermata::cni
