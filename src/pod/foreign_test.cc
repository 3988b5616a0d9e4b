#include "pod/foreign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::pod {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ContainerRow container() {
  ContainerRow row;
  row.id = "c1";
  row.config.runtime = "/usr/bin/crun";
  return row;
}

TEST(Foreign, AnInfraContainerIsOurs) {
  ContainerRow row = container();
  EXPECT_TRUE(is_foreign(row));
  row.config.infra = true;
  EXPECT_FALSE(is_foreign(row));
  row.config.infra = false;
  row.runtime.resolved.pause = true;
  EXPECT_FALSE(is_foreign(row));
  EXPECT_FALSE(is_foreign({}));
}

TEST(Foreign, TellsARuntimeWhatToDo) {
  const ForeignContainer foreign("/run/f", container());
  const auto commands = foreign.create_commands({});
  EXPECT_EQ("/run/f/runtimes/c1/pid", commands.pid_file);
  EXPECT_THAT(commands.make,
              ElementsAre("/usr/bin/crun", "--root", "/run/f/runtimes/state", "--log",
                          "/run/f/runtimes/c1/log", "--log-format", "json", "create", "--bundle",
                          "/run/f/runtimes/c1", "--pid-file", "/run/f/runtimes/c1/pid", "c1"));
  EXPECT_EQ("start", commands.start[commands.start.size() - 2]);
  const auto exec = foreign.exec_commands("s", {});
  EXPECT_THAT(exec.start, IsEmpty());
  EXPECT_EQ("/run/f/runtimes/c1/s.pid", exec.pid_file);
}

TEST(Foreign, FindsWhatARuntimeComplainsAbout) {
  EXPECT_EQ("", last_message(""));
  EXPECT_EQ("", last_message("not JSON"));
  EXPECT_EQ("no such file",
            last_message("{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"no such "
                         "file\"}\n{\"level\":\"warning\",\"msg\":\"deprecated\"}\n"));
}

TEST(Foreign, KnowsFeaturesOfARuntimeThatTellsThem) {
  EXPECT_TRUE(parse_runtime_features(R"({"mountOptions":["ro","rro"]})").recursive_read_only);
  EXPECT_FALSE(parse_runtime_features(R"({"mountOptions":["ro"]})").recursive_read_only);
  EXPECT_FALSE(parse_runtime_features("unknown command").recursive_read_only);
}

}  // namespace
}  // namespace fermata::pod
