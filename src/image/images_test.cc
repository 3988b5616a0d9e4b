#include "image/images.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"

namespace fermata::image {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'd');
const std::string kImage = "sha256:" + std::string(64, 'a');

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
