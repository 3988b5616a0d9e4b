#include "pod/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace fermata::pod {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/fermata-store-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    directory_ = pattern;
    auto database = state::Database::open(directory_ + "/state.db");
    ASSERT_TRUE(database) << database.error().message();
    database_.emplace(std::move(*database));
    store_.emplace(*database_);
    ASSERT_TRUE(store_->insert(PodRow{.id = "pod1", .name = "web", .owner = "cli"}));
  }
  void TearDown() override {
    store_.reset();
    database_.reset();
    EXPECT_TRUE(remove_tree(directory_));
  }
  bool add(const std::string& id, const std::string& name, const std::string& owner = "cli") {
    return store_
        ->insert(ContainerRow{.id = id, .name = name, .owner = owner, .pod = "pod1", .image = "sha256:1"})
        .value();
  }

  std::string directory_;
  std::optional<state::Database> database_;
  std::optional<Store> store_;
};

TEST_F(StoreTest, FindsByIdNameAndUniquePrefix) {
  ASSERT_TRUE(add("abc123", "web"));
  ASSERT_TRUE(add("abd456", "abc123x"));
  ASSERT_TRUE(add("ffff", "abd456"));  // a name that is another's id
  EXPECT_EQ(store_->find("web", "cli")->id, "abc123");
  EXPECT_EQ(store_->find("/web", "cli")->id, "abc123");
  EXPECT_EQ(store_->find("abc", "cli")->id, "abc123");
  EXPECT_EQ(store_->find("abd456", "cli")->id, "abd456");
  EXPECT_EQ(store_->find("ab", "cli").error().message(), "multiple IDs found with provided prefix: ab");
  EXPECT_EQ(store_->find("nope", "cli").error().message(), "No such container: nope");
  EXPECT_EQ(store_->find("", "cli").error().kind(), ErrorKind::not_found);
  EXPECT_EQ(store_->find("%", "cli").error().kind(), ErrorKind::not_found);
}

TEST_F(StoreTest, AnOwnersNamesAreItsOwn) {
  ASSERT_TRUE(add("a1", "web"));
  EXPECT_FALSE(add("a2", "web"));
  EXPECT_TRUE(add("b1", "web", "cri"));
  EXPECT_EQ(store_->find("web", "cri")->id, "b1");
  EXPECT_EQ(store_->name_holder("cli", "web").value(), "a1");
  EXPECT_EQ(store_->containers("cli")->size(), 1u);
  EXPECT_EQ(store_->containers("")->size(), 2u);
}

TEST_F(StoreTest, StateAndPodSurvive) {
  ASSERT_TRUE(add("a1", "web"));
  auto row = store_->container("a1").value();
  row.state = ContainerState::exited;
  row.runtime.exit_code = 3;
  ASSERT_TRUE(store_->update_state(row));
  EXPECT_EQ(store_->container("a1")->runtime.exit_code, 3);
  EXPECT_EQ(store_->container("a1")->state, ContainerState::exited);
  auto pod = store_->pod("pod1").value();
  EXPECT_FALSE(store_->any_ready_pod().value());
  pod.ready = true;
  ASSERT_TRUE(store_->update(pod));
  EXPECT_TRUE(store_->any_ready_pod().value());
  EXPECT_FALSE(store_->remove_pod_if_empty("pod1").value());
  ASSERT_TRUE(store_->remove_container("a1"));
  EXPECT_TRUE(store_->remove_pod_if_empty("pod1").value());
}

TEST_F(StoreTest, IntentsNameTheirProcess) {
  const auto id = store_->add_intent("remove", "a1", true);
  ASSERT_TRUE(id);
  const auto intents = store_->intents().value();
  ASSERT_EQ(intents.size(), 1u);
  EXPECT_TRUE(intents[0].volumes);
  EXPECT_EQ(intents[0].pid, ::getpid());
  EXPECT_EQ(intents[0].pid_start, process_start(::getpid()));
  ASSERT_TRUE(store_->remove_intent(*id));
  EXPECT_TRUE(store_->intents()->empty());
}

TEST_F(StoreTest, AnonymousVolumesBelongToTheirContainer) {
  ASSERT_TRUE(store_->insert_volume("data", "cli", ""));
  ASSERT_TRUE(store_->insert_volume("data", "cli", ""));
  ASSERT_TRUE(store_->insert_volume("0123", "cli", "a1"));
  EXPECT_EQ(store_->anonymous_volumes("a1").value(), std::vector<std::string>{"0123"});
  ASSERT_TRUE(store_->orphan_volumes("a1"));
  EXPECT_TRUE(store_->anonymous_volumes("a1")->empty());
}

TEST_F(StoreTest, RevisionsChangeWithEveryRowOfAPod) {
  std::int64_t last = store_->pod_revision("pod1").value();
  const auto changed = [&] {
    const std::int64_t now = store_->pod_revision("pod1").value();
    return std::exchange(last, now) != now;
  };
  EXPECT_FALSE(changed());
  ASSERT_TRUE(add("a1", "web"));
  EXPECT_TRUE(changed());
  EXPECT_FALSE(add("a2", "web"));  // the name is taken: nothing was written
  EXPECT_FALSE(changed());
  auto row = store_->container("a1").value();
  ASSERT_TRUE(store_->update_state(row));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store_->update_config(row));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store_->update(store_->pod("pod1").value()));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store_->remove_container("a1"));
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store_->insert(PodRow{.id = "pod2", .name = "db", .owner = "cri", .created = 5}));
  EXPECT_FALSE(changed());
}

TEST_F(StoreTest, RevisionsAreListedByOwnerTheNewestPodFirst) {
  ASSERT_TRUE(store_->insert(PodRow{.id = "pod2", .name = "db", .owner = "cri", .created = 5}));
  ASSERT_TRUE(store_->insert(PodRow{.id = "pod3", .name = "mq", .owner = "cri", .created = 6}));
  const auto of_one = store_->pod_revisions("cri").value();
  ASSERT_EQ(of_one.size(), 2u);
  EXPECT_EQ(of_one[0].id, "pod3");
  EXPECT_EQ(of_one[1].id, "pod2");
  EXPECT_EQ(store_->pod_revisions("")->size(), 3u);
  ASSERT_TRUE(store_->remove_pod_if_empty("pod3").value());
  EXPECT_EQ(store_->pod_revisions("cri")->size(), 1u);
  EXPECT_EQ(store_->pod_revision("pod3").error().kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace fermata::pod
