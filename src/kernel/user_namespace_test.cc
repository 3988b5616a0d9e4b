#include "kernel/user_namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::kernel {
namespace {

TEST(IdMaps, AreWrittenAndReadAsTheKernelHasThem) {
  const std::vector<IdRange> ranges = {{0, 100000, 65536}, {65536, 1000, 1}};
  EXPECT_EQ(format_id_map(ranges), "0 100000 65536\n65536 1000 1\n");
  EXPECT_EQ(parse_id_map("         0     100000      65536\n     65536       1000          1\n").value(),
            ranges);
  EXPECT_EQ(parse_id_map("0 0 4294967295\n").value()[0].size, 4294967295u);
  EXPECT_TRUE(parse_id_map("").value().empty());
}

TEST(IdMaps, BrokenOnesAreRefused) {
  for (const char* text : {"0 1\n", "0 1 2 3\n", "a 1 2\n", "0 -1 2\n", "0 1 4294967296\n"})
    EXPECT_FALSE(parse_id_map(text)) << text;
}

}  // namespace
}  // namespace fermata::kernel
