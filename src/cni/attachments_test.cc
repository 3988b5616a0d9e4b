#include "cni/attachments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "cni/fake_plugins.h"
#include "cni/json_text.h"

namespace fermata::cni {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AttachmentsTest : public testing::Test {
 protected:
  void SetUp() override {
    fakes_.install("bridge");
    fakes_.install("portmap");
    auto opened = state::Database::open(fakes_.path() + "/db");
    ASSERT_TRUE(opened) << opened.error().message();
    database_.emplace(std::move(*opened));
    attachments_.emplace(*database_, plugins_, fakes_.path());
  }

  static NetworkConfiguration network(const std::string& more = R"("cniVersion":"1.0.0")",
                                      const std::string& name = "n") {
    return parse_network_list("{" + more + R"(,"name":")" + name +
                              R"(","plugins":[{"type":"bridge","k":1},
                                  {"type":"portmap","capabilities":{"mac":true}}]})")
        .value();
  }
  static Attachment pod(const std::string& id = "p") {
    return {.pod = id,
            .network_namespace = "/proc/self/ns/net",
            .arguments = {{"A", "1"}},
            .capabilities = R"({"mac":"c2:11:22:33:44:55"})"};
  }
  Json input(const std::string& type, const std::string& command) const {
    return Json::parse(fakes_.input(type, command));
  }

  FakePlugins fakes_;
  Plugins plugins_{{fakes_.path()}, std::chrono::seconds(20)};
  std::optional<state::Database> database_;
  std::optional<Attachments> attachments_;
};

TEST_F(AttachmentsTest, AddAndDelGoThroughTheChain) {
  fakes_.answer("portmap", "ADD",
                R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}'; exit 0)");
  const auto added = attachments_->add(network(), pod());
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(kernel::format_ip(added->ips[0].address), "10.9.9.9");
  EXPECT_THAT(fakes_.take_log(), ElementsAre("bridge ADD p eth0", "portmap ADD p eth0"));
  EXPECT_FALSE(input("bridge", "ADD").contains("prevResult"));
  EXPECT_FALSE(input("bridge", "ADD").contains("runtimeConfig"));
  EXPECT_EQ(input("portmap", "ADD")["prevResult"]["ips"][0]["address"], "10.1.0.5/24");
  EXPECT_EQ(input("portmap", "ADD")["runtimeConfig"]["mac"], "c2:11:22:33:44:55");
  const auto records = attachments_->attached("p");
  ASSERT_TRUE(records) << records.error().message();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ((*records)[0].result, *added);

  ASSERT_TRUE(attachments_->del("p"));
  EXPECT_THAT(fakes_.take_log(), ElementsAre("portmap DEL p eth0", "bridge DEL p eth0"));
  EXPECT_EQ(input("bridge", "DEL")["prevResult"]["ips"][0]["address"], "10.9.9.9/24");
  EXPECT_EQ(input("bridge", "DEL")["k"], 1);
  EXPECT_EQ(fakes_.variable("bridge", "DEL", "CNI_NETNS"), "/proc/self/ns/net");
  EXPECT_EQ(fakes_.variable("bridge", "DEL", "CNI_ARGS"), "A=1");
  EXPECT_THAT(attachments_->pods().value(), IsEmpty());
  ASSERT_TRUE(attachments_->del("p"));
  EXPECT_THAT(fakes_.take_log(), IsEmpty());
}

TEST_F(AttachmentsTest, FailedAddIsUndoneAtOnce) {
  fakes_.answer("portmap", "ADD", R"(echo '{"code":7,"msg":"no"}'; exit 1)");
  const auto added = attachments_->add(network(), pod());
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message(), "network 'n': plugin 'portmap' (ADD): no [code 7]");
  EXPECT_THAT(fakes_.take_log(), ElementsAre("bridge ADD p eth0", "portmap ADD p eth0", "portmap DEL p eth0",
                                             "bridge DEL p eth0"));
  EXPECT_FALSE(input("bridge", "DEL").contains("prevResult"));
  EXPECT_THAT(attachments_->pods().value(), IsEmpty());
}

TEST_F(AttachmentsTest, DelIsOwedUntilItSucceeds) {
  fakes_.answer("portmap", "ADD", "exit 1");
  fakes_.answer("bridge", "DEL", "exit 1");
  const auto added = attachments_->add(network(), pod());
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message(), HasSubstr("still to be removed"));
  EXPECT_THAT(attachments_->pods().value(), ElementsAre("p"));
  EXPECT_EQ(attachments_->check("p").error().kind(), ErrorKind::conflict);
  const auto failed = attachments_->del("p");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("network 'n': plugin 'bridge' (DEL): exit status 1"));
  // Another process goes on, without any configuration.
  auto database = state::Database::open(fakes_.path() + "/db");
  ASSERT_TRUE(database);
  Attachments later(*database, plugins_, fakes_.path());
  EXPECT_FALSE(later.del("p"));
  fakes_.forget_answer("bridge", "DEL");
  EXPECT_TRUE(later.del("p"));
  EXPECT_THAT(attachments_->pods().value(), IsEmpty());
}

TEST_F(AttachmentsTest, DelOfAMissingPluginIsOwed) {
  ASSERT_TRUE(attachments_->add(network(), pod()));
  fakes_.uninstall("bridge");
  const auto failed = attachments_->del("p");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("plugin 'bridge' is in none of the directories"));
  EXPECT_THAT(attachments_->pods().value(), ElementsAre("p"));
  fakes_.install("bridge");
  EXPECT_TRUE(attachments_->del("p"));
}

TEST_F(AttachmentsTest, UnknownContainerNeedsNoDel) {
  ASSERT_TRUE(attachments_->add(network(), pod()));
  fakes_.answer("portmap", "DEL", R"(echo '{"code":3,"msg":"unknown"}'; exit 1)");
  EXPECT_TRUE(attachments_->del("p"));
  EXPECT_THAT(attachments_->pods().value(), IsEmpty());
}

TEST_F(AttachmentsTest, NamespaceThatIsGoneIsNotNamed) {
  Attachment attachment = pod();
  attachment.network_namespace = fakes_.path() + "/absent";
  ASSERT_TRUE(attachments_->add(network(), attachment));
  ASSERT_TRUE(attachments_->del("p"));
  EXPECT_EQ(fakes_.variable("bridge", "DEL", "CNI_NETNS"), "");
}

TEST_F(AttachmentsTest, LeftoverOfAnInterfaceIsRemovedFirst) {
  ASSERT_TRUE(attachments_->add(network(), pod()));
  ASSERT_TRUE(attachments_->add(network(R"("cniVersion":"0.4.0")", "other"), pod()));
  EXPECT_THAT(fakes_.take_log(), ElementsAre("bridge ADD p eth0", "portmap ADD p eth0", "portmap DEL p eth0",
                                             "bridge DEL p eth0", "bridge ADD p eth0", "portmap ADD p eth0"));
  EXPECT_EQ(input("bridge", "DEL")["name"], "n");
  EXPECT_EQ(input("bridge", "ADD")["name"], "other");
}

TEST_F(AttachmentsTest, SeveralNetworksGoInReverse) {
  Attachment second = pod();
  second.interface = interface_name(1);
  ASSERT_TRUE(attachments_->add(network(), pod()));
  ASSERT_TRUE(attachments_->add(network(R"("cniVersion":"1.0.0")", "m"), second));
  fakes_.take_log();
  fakes_.answer("bridge", "DEL", "[ $CNI_IFNAME = eth0 ] || exit 1");
  EXPECT_FALSE(attachments_->del("p"));
  EXPECT_THAT(fakes_.take_log(), ElementsAre("portmap DEL p eth1", "bridge DEL p eth1", "portmap DEL p eth0",
                                             "bridge DEL p eth0"));
  EXPECT_EQ(attachments_->attached("p").value().size(), 1u);
}

TEST_F(AttachmentsTest, CheckAsksUnlessItMustNot) {
  ASSERT_TRUE(attachments_->add(network(), pod()));
  ASSERT_TRUE(attachments_->add(network(R"("cniVersion":"1.0.0","disableCheck":true)"), pod("q")));
  ASSERT_TRUE(attachments_->add(network(R"("cniVersion":"0.3.1")"), pod("r")));
  fakes_.take_log();
  EXPECT_TRUE(attachments_->check("p"));
  EXPECT_THAT(fakes_.take_log(), ElementsAre("bridge CHECK p eth0", "portmap CHECK p eth0"));
  EXPECT_TRUE(input("bridge", "CHECK").contains("prevResult"));
  EXPECT_TRUE(attachments_->check("q"));
  EXPECT_TRUE(attachments_->check("r"));
  EXPECT_THAT(fakes_.take_log(), IsEmpty());
  fakes_.answer("portmap", "CHECK", R"(echo '{"code":100,"msg":"rule is gone"}'; exit 1)");
  EXPECT_THAT(attachments_->check("p").error().message(), HasSubstr("rule is gone"));
}

TEST_F(AttachmentsTest, NewestVersionThatAllHaveIsUsed) {
  const std::string choice = R"("cniVersions":["0.3.1","0.4.0","1.0.0","1.1.0"])";
  fakes_.install("portmap", R"("0.3.1","0.4.0")");
  ASSERT_TRUE(attachments_->add(network(choice), pod()));
  EXPECT_EQ(input("bridge", "ADD")["cniVersion"], "0.4.0");
  // What was used is what counts, also once plugins have been upgraded.
  fakes_.install("portmap", R"("1.0.0")");
  ASSERT_TRUE(attachments_->del("p"));
  EXPECT_EQ(input("bridge", "DEL")["cniVersion"], "0.4.0");
  fakes_.install("portmap", R"("2.0.0")");
  const auto none = attachments_->add(network(choice), pod());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind(), ErrorKind::unsupported);
}

TEST_F(AttachmentsTest, GcDetachesWhatIsNotValidAndTellsPlugins) {
  const auto newest = network(R"("cniVersion":"1.1.0")");
  for (const std::string id : {"a", "b", "c"}) ASSERT_TRUE(attachments_->add(newest, pod(id)));
  ASSERT_TRUE(attachments_->add(network(R"("cniVersion":"1.1.0")", "other"), pod("d")));
  fakes_.take_log();
  fakes_.answer("bridge", "GC", "exit 1");
  const std::set<std::string> valid = {"b", "c", "d"};
  const auto collected =
      attachments_->gc(newest, [&](const std::string& id) -> Result<bool> { return valid.contains(id); });
  ASSERT_FALSE(collected);
  EXPECT_THAT(collected.error().message(), HasSubstr("plugin 'bridge' (GC)"));
  EXPECT_THAT(fakes_.take_log(),
              ElementsAre("portmap DEL a eth0", "bridge DEL a eth0", "bridge GC", "portmap GC"));
  EXPECT_EQ(input("portmap", "GC")["cni.dev/valid-attachments"],
            Json::parse(R"([{"containerID":"b","ifname":"eth0"},{"containerID":"c","ifname":"eth0"}])"));
  EXPECT_THAT(attachments_->pods().value(), ElementsAre("b", "c", "d"));

  const auto none = [](const std::string&) -> Result<bool> { return false; };
  EXPECT_TRUE(attachments_->gc(network(R"("cniVersion":"1.1.0","disableGC":true)"), none));
  EXPECT_THAT(attachments_->pods().value(), IsEmpty());
  for (const std::string& line : fakes_.take_log()) EXPECT_THAT(line, HasSubstr(" DEL "));
  EXPECT_TRUE(attachments_->gc(network(), none));
  EXPECT_THAT(fakes_.take_log(), IsEmpty());
}

TEST_F(AttachmentsTest, StatusTellsWhyANetworkIsNotReady) {
  const auto newest = network(R"("cniVersion":"1.1.0")");
  EXPECT_TRUE(attachments_->status(newest).ready);
  EXPECT_THAT(fakes_.take_log(), ElementsAre("bridge STATUS", "portmap STATUS"));
  EXPECT_TRUE(attachments_->status(network()).ready);
  EXPECT_THAT(fakes_.take_log(), IsEmpty());
  fakes_.answer("bridge", "STATUS", R"(echo '{"code":50,"msg":"agent is down"}'; exit 1)");
  Status status = attachments_->status(newest);
  EXPECT_FALSE(status.ready);
  EXPECT_TRUE(status.connected);
  EXPECT_EQ(status.reason, "network 'n': plugin 'bridge' (STATUS): agent is down [code 50]");
  fakes_.answer("bridge", "STATUS", R"(echo '{"code":51,"msg":"agent is down"}'; exit 1)");
  EXPECT_FALSE(attachments_->status(newest).connected);
  fakes_.uninstall("portmap");
  EXPECT_THAT(attachments_->status(network()).reason, HasSubstr("plugin 'portmap' is in none"));
}

TEST_F(AttachmentsTest, ReplyThatIsNoResultIsAFailure) {
  fakes_.answer("bridge", "ADD", "echo hello; exit 0");
  const auto added = attachments_->add(network(), pod());
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message(), HasSubstr("plugin 'bridge' (ADD): result: not JSON"));
}

// One thread's ADD of a pod waits in the middle until another pod's has passed it; a third of the same pod
// and a GC come after it.
TEST_F(AttachmentsTest, PodsGoInParallelAndOnePodDoesNot) {
  fakes_.answer("bridge", "ADD",
                "if [ $CNI_CONTAINERID = slow ]; then i=0; while [ ! -f $d/go ] && [ $i -lt 1000 ]; do "
                "sleep 0.01; i=$((i+1)); done; echo slow done >> $d/log; fi");
  const auto in_thread = [&](auto act) {
    return std::thread([this, act] {
      auto database = state::Database::open(fakes_.path() + "/db");
      ASSERT_TRUE(database);
      Attachments own(*database, plugins_, fakes_.path());
      act(own);
    });
  };
  std::thread slow = in_thread([](Attachments& own) { EXPECT_TRUE(own.add(network(), pod("slow"))); });
  while (attachments_->pods().value().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::thread same = in_thread([](Attachments& own) { EXPECT_TRUE(own.del("slow")); });
  EXPECT_TRUE(attachments_->add(network(), pod("quick")));
  const auto before = fakes_.take_log();
  EXPECT_THAT(before, testing::Contains("portmap ADD quick eth0"));
  EXPECT_THAT(before, testing::Not(testing::Contains("portmap DEL slow eth0")));
  fakes_.put("go", "");
  slow.join();
  same.join();
  EXPECT_THAT(fakes_.take_log(), ElementsAre("slow done", "portmap ADD slow eth0", "portmap DEL slow eth0",
                                             "bridge DEL slow eth0"));
  EXPECT_THAT(attachments_->pods().value(), ElementsAre("quick"));
}

}  // namespace
}  // namespace fermata::cni
