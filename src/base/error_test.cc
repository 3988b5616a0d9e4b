#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace fermata {
namespace {

Result<int> fails() { return fail(ENOENT, "open '{}'", "/x"); }
Result<std::unique_ptr<int>> moves() { return std::make_unique<int>(7); }

Result<int> passes_on() {
  TRY(const auto pointer, moves());
  TRY(fails());
  return *pointer;
}

TEST(Error, NamesTheObjectAndTheCause) {
  const auto result = passes_on();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "open '/x': no such file or directory");
  EXPECT_EQ(result.error().kind(), ErrorKind::not_found);
  EXPECT_EQ(result.error().error_number(), ENOENT);
}

TEST(Error, GrowsContextInFront) {
  auto result = fails();
  const Result<int> outer = fail_with(std::move(result.error()), "pod 'web'");
  EXPECT_EQ(outer.error().message(), "pod 'web': open '/x': no such file or directory");
  EXPECT_EQ(outer.error().kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace fermata
