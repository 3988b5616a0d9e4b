#include "image/images.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"

namespace fermata::image {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'd');
const std::string kImage = "sha256:" + std::string(64, 'a');

using Names = std::vector<std::string>;

class ImagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(directory_), nullptr);
    auto database = state::Database::open(path("/state.db"));
    ASSERT_TRUE(database);
    database_.emplace(std::move(*database));
    auto images = Images::open(directory_, *database_, "cli");
    ASSERT_TRUE(images);
    images_.emplace(std::move(*images));
  }
  void TearDown() override {
    images_.reset();
    database_.reset();
    EXPECT_TRUE(remove_tree(directory_));
  }
  std::string path(const std::string& name) const { return std::string(directory_) + name; }
  void run(const std::string& sql) {
    auto statement = database_->prepare(sql);
    ASSERT_TRUE(statement) << statement.error().message();
    ASSERT_TRUE(statement->run());
  }
  void add_image(const std::string& layers) {
    run("INSERT INTO images(id, config, layers, size, created) VALUES('" + kImage +
        R"(', '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}', ')" + layers +
        "', 1, 1)");
  }
  void add_name(const std::string& name) {
    run("INSERT INTO image_names(name, owner, image, digest) VALUES('" + name + "', 'cli', '" + kImage +
        "', '" + kDigest + "')");
  }
  void expect_removed(const std::string& name, const Names& untagged, bool deleted) {
    const auto removed = images_->remove(name, false, {});
    ASSERT_TRUE(removed) << name << ": " << removed.error().message();
    EXPECT_EQ(removed->untagged, untagged) << name;
    EXPECT_EQ(removed->deleted, deleted ? Names{kImage} : Names{}) << name;
  }
  std::int64_t count(const std::string& table) {
    auto row = database_->prepare("SELECT count(*) FROM " + table);
    return row && row->step() ? row->integer(0) : -1;
  }

  char directory_[32] = "/tmp/fermata-images-XXXXXX";
  std::optional<state::Database> database_;
  std::optional<Images> images_;
};

TEST_F(ImagesTest, AnUnderscoreInANameIsNoWildcard) {
  add_image("[]");
  add_name("docker.io/library/axb:1");
  const auto other = images_->find("a_b@" + kDigest);
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
  const auto own = images_->find("axb@" + kDigest);
  ASSERT_TRUE(own);
  EXPECT_TRUE(*own);
}

TEST_F(ImagesTest, ADigestIsListedOnce) {
  add_image("[]");
  add_name("docker.io/library/a:1");
  add_name("docker.io/library/a@" + kDigest);
  const auto image = images_->by_id(kImage);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->names, Names{"docker.io/library/a:1"});
  EXPECT_EQ(image->digest_names, Names{"docker.io/library/a@" + kDigest});
  EXPECT_EQ(image->repo_digests, image->digest_names);
}

TEST_F(ImagesTest, AnImageThatWasPulledByDigestIsRemoved) {
  for (const std::string& name : {"a@" + kDigest, kImage, std::string(12, 'a')}) {
    add_image("[]");
    add_name("docker.io/library/a@" + kDigest);
    expect_removed(name, {"a@" + kDigest}, true);
    EXPECT_EQ(count("image_names"), 0);
  }
}

TEST_F(ImagesTest, TheLastTagTakesTheDigestsOfItsRepositoryAlong) {
  add_image("[]");
  for (const char* name : {"a:1", "a:2", "b:1"}) add_name(std::string("docker.io/library/") + name);
  add_name("docker.io/library/a@" + kDigest);
  expect_removed("a:2", {"a:2"}, false);
  expect_removed("a:1", {"a:1", "a@" + kDigest}, false);
  expect_removed("b:1", {"b:1"}, true);
}

TEST_F(ImagesTest, ADigestIsRemovedFromATag) {
  add_image("[]");
  add_name("docker.io/library/a:1");
  expect_removed("a@" + kDigest, {"a@" + kDigest}, false);
  EXPECT_FALSE(images_->remove("a@" + kDigest, false, {}));
  expect_removed("a:1", {"a:1"}, true);
}

TEST_F(ImagesTest, AnIdDoesNotChooseAmongRepositories) {
  add_image("[]");
  add_name("docker.io/library/a:1");
  add_name("docker.io/library/b@" + kDigest);
  EXPECT_FALSE(images_->remove(kImage, false, {}));
  const auto removed = images_->remove(kImage, true, {});
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->deleted, Names{kImage});
}

TEST_F(ImagesTest, ARemovalThatRemovesNothingFails) {
  add_image("[]");
  run("INSERT INTO image_names(name, owner, image) VALUES('docker.io/library/a:1', 'cri', '" + kImage + "')");
  const auto removed = images_->remove(kImage, true, {});
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().message().find("another client's names"), std::string::npos);
  EXPECT_FALSE(images_->remove(kImage, true, {{kImage, "0123456789ab"}}));
}

TEST_F(ImagesTest, ADamagedNameIsAnError) {
  add_image("[]");
  add_name("docker.io/library/UPPER@:");
  EXPECT_FALSE(images_->by_id(kImage));
}

// Between the question who uses it and the removal, somebody creates a container.
TEST_F(ImagesTest, AnImageThatAContainerHasTakenStays) {
  add_image("[]");
  add_name("docker.io/library/axb:1");
  run("INSERT INTO pods(id, name, owner, created, config) VALUES('p', 'p', 'cli', 1, '{}')");
  run("INSERT INTO containers(id, name, owner, pod, image, created, state, config) VALUES('c', 'c', 'cli', "
      "'p', '" +
      kImage + "', 1, 'created', '{}')");
  const auto removed = images_->remove("axb:1", false, {});
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(removed->untagged, std::vector<std::string>{"axb:1"});
  EXPECT_TRUE(removed->deleted.empty());
  EXPECT_EQ(count("images"), 1);
  EXPECT_EQ(count("intents"), 0);
}

TEST_F(ImagesTest, ARowWithoutItsDirectoryIsForgotten) {
  add_image(R"(["here","lost"])");
  run("INSERT INTO layers(name, chain, size) VALUES('here', 'sha256:1', 1), ('lost', 'sha256:2', 1)");
  ASSERT_TRUE(make_directories(path("/layers/here")));
  ASSERT_TRUE(make_directories(path("/layers/unknown")));
  ASSERT_TRUE(images_->reconcile());
  EXPECT_EQ(count("layers WHERE name = 'here'"), 1);
  EXPECT_EQ(count("layers"), 1);
  EXPECT_EQ(::access(path("/layers/here").c_str(), F_OK), 0);
  EXPECT_NE(::access(path("/layers/unknown").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace fermata::image
