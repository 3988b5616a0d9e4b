#include "cli/runtime_flag.h"

#include <gtest/gtest.h>

namespace fermata::cli {
namespace {

TEST(RuntimeFlag, IsTheEngineAPathOrAProgramInPath) {
  EXPECT_EQ("", find_runtime("fermata", "/bin").value());
  EXPECT_EQ("/opt/x", find_runtime("/opt/x", "").value());
  EXPECT_EQ("/bin/sh", find_runtime("sh", "relative:/nowhere:/bin").value());
  EXPECT_FALSE(find_runtime("no-such-runtime", "/bin"));
  EXPECT_FALSE(find_runtime("./sh", "/bin"));
  EXPECT_FALSE(find_runtime("", "/bin"));
}

}  // namespace
}  // namespace fermata::cli
