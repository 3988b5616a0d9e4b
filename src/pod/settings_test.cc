#include "pod/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

std::string problem(std::string_view text) {
  const auto settings = parse_settings(text, "config.toml");
  return settings ? "" : settings.error().message();
}

TEST(Settings, AreRead) {
  EXPECT_EQ(parse_settings("", "x")->infra_image, "");
  EXPECT_EQ(parse_settings("# nothing else\ninfra_image = \"mirror.example/pause:3.10\"\n", "x")->infra_image,
            "mirror.example/pause:3.10");
  EXPECT_EQ(parse_settings("infra_image = ''", "x")->infra_image, "");
}

TEST(Settings, ChooseWhoMakesControlGroups) {
  EXPECT_EQ(parse_settings("", "x")->cgroup_manager, CgroupManager::cgroupfs);
  EXPECT_EQ(parse_settings("cgroup_manager = 'cgroupfs'", "x")->cgroup_manager, CgroupManager::cgroupfs);
  EXPECT_EQ(parse_settings("cgroup_manager = 'systemd'", "x")->cgroup_manager, CgroupManager::systemd);
  EXPECT_EQ(problem("cgroup_manager = 'upstart'"),
            "config.toml:1: cgroup_manager is none of \"cgroupfs\", \"systemd\"");
  EXPECT_NE(problem("cgroup_manager = true"), "");
}

TEST(Settings, NameDirectoriesOfDevices) {
  EXPECT_THAT(parse_settings("", "x")->cdi_spec_dirs, testing::ElementsAre("/etc/cdi", "/var/run/cdi"));
  EXPECT_THAT(parse_settings("cdi_spec_dirs = ['/a', '/b']", "x")->cdi_spec_dirs,
              testing::ElementsAre("/a", "/b"));
  EXPECT_EQ(problem("cdi_spec_dirs = '/a'"), "config.toml:1: cdi_spec_dirs is not a list of strings");
  EXPECT_EQ(problem("cdi_spec_dirs = [\n'/a',\n'b']"), "config.toml:3: cdi_spec_dirs: 'b' is not an absolute path");
}

TEST(Settings, ProblemsNameTheirLine) {
  EXPECT_EQ(
      problem("\ninfra_imge = 'x'\n"),
      "config.toml:2: unknown setting 'infra_imge': there are cdi_spec_dirs, cgroup_manager, infra_image");
  EXPECT_EQ(problem("infra_image = 3"), "config.toml:1: infra_image is not a string");
  EXPECT_THAT(problem("infra_image = 'Not A Name'"),
              testing::StartsWith("config.toml:1: infra_image: invalid reference format"));
  EXPECT_THAT(problem("a\n= 3"), testing::StartsWith("config.toml:1: "));
}

TEST(Settings, OnlyAFileThatWasAskedForMustBeThere) {
  EXPECT_TRUE(read_settings("/nonexistent/config.toml", false));
  EXPECT_FALSE(read_settings("/nonexistent/config.toml", true));
}

}  // namespace
}  // namespace fermata::pod
