#include "pod/checkpoint_records.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fermata::pod {
namespace {

using nlohmann::json;

TEST(CheckpointRecordsTest, TellWhatTheContainerWas) {
  const json config = json::parse(config_dump({.id = "abc",
                                               .name = "web",
                                               .image = "docker.io/library/nginx:1",
                                               .image_id = "sha256:12",
                                               .runtime = "fermata",
                                               .created = 1'700'000'000'000'000'000,
                                               .checkpointed = 1'700'000'001'500'000'000}));
  EXPECT_EQ(config["id"], "abc");
  EXPECT_EQ(config["name"], "web");
  EXPECT_EQ(config["rootfsImageName"], "docker.io/library/nginx:1");
  EXPECT_EQ(config["rootfsImageRef"], "sha256:12");
  EXPECT_EQ(config["runtime"], "fermata");
  EXPECT_EQ(config["createdTime"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(config["checkpointedTime"], "2023-11-14T22:13:21.5Z");
  EXPECT_EQ(config["restoredTime"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(config["restored"], false);
}

TEST(CheckpointRecordsTest, ListMountsAndWhatIsGone) {
  const json binds = json::parse(
      bind_mounts({{.source = "/srv/data", .destination = "/data", .directory = true, .permissions = 0755},
                   {.source = "/srv/x", .destination = "/x", .permissions = 0600}}));
  EXPECT_EQ(binds[0]["file_type"], "directory");
  EXPECT_EQ(binds[0]["permissions"], 0755);
  EXPECT_EQ(binds[1]["file_type"], "file");
  EXPECT_EQ(binds[1]["destination"], "/x");
  EXPECT_EQ(json::parse(deleted_files({"/etc/gone", "/a\xff"})), json({"/etc/gone", "/a\uFFFD"}));
}

}  // namespace
}  // namespace fermata::pod
