#include "oci/image_config.h"

#include <gtest/gtest.h>

namespace fermata::oci {
namespace {

TEST(ImageConfig, ReadsWhatItWrites) {
  ImageConfig config;
  config.architecture = "amd64";
  config.os = "linux";
  config.env = {"A=b", "C=d=e"};
  config.cmd = {"sh", "-c", "x"};
  config.labels = {{"k", "v"}};
  config.exposed_ports = {"80/tcp"};
  config.volumes = {"/data"};
  config.comment = "by hand";
  config.diff_ids = {"sha256:" + std::string(64, '0')};
  const std::string json = serialize_image_config(config);
  const auto read = parse_image_config(json);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->cmd, config.cmd);
  EXPECT_EQ(read->exposed_ports, config.exposed_ports);
  EXPECT_EQ(read->comment, config.comment);
  EXPECT_EQ(serialize_image_config(*read), json);
}

TEST(ImageConfig, NullIsAbsent) {
  const auto read = parse_image_config(R"({"config":{"Cmd":null,"Labels":null},"rootfs":{"diff_ids":null}})");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->cmd.empty());
}

TEST(ImageConfig, TheLastStepsCommentIsTheImages) {
  const std::string history = R"("history":[{"comment":"first"},{"comment":"last"}])";
  EXPECT_EQ(parse_image_config("{" + history + "}")->comment, "last");
  EXPECT_EQ(parse_image_config(R"({"comment":"own",)" + history + "}")->comment, "own");
  EXPECT_EQ(parse_image_config(R"({"history":[{}]})")->comment, "");
}

TEST(ImageConfig, WrongTypesAreRefused) {
  for (const char* text : {"", "[]", "{", R"({"os":1})", R"({"config":[]})", R"({"config":{"Cmd":"x"}})",
                           R"({"config":{"Cmd":[1]}})", R"({"config":{"Labels":{"a":1}}})",
                           R"({"rootfs":{"diff_ids":["../x"]}})"})
    EXPECT_FALSE(parse_image_config(text)) << text;
  EXPECT_FALSE(parse_image_config("{\"a\":" + std::string(100000, '[')));
}

}  // namespace
}  // namespace fermata::oci
