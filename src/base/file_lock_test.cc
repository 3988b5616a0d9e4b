#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace fermata {
namespace {

TEST(FileLock, ExcludesOthersUntilItEnds) {
  char path[] = "/tmp/fermata-lock-XXXXXX";
  ::close(::mkstemp(path));
  using Mode = FileLock::Mode;
  {
    const auto first = FileLock::acquire(path);
    ASSERT_TRUE(first);
    EXPECT_FALSE(FileLock::try_acquire(path).value());
    EXPECT_FALSE(FileLock::try_acquire(path, Mode::shared, 7).value());
  }
  {
    const auto one = FileLock::acquire(path, Mode::exclusive, 1),
               two = FileLock::acquire(path, Mode::exclusive, 2);
    ASSERT_TRUE(one && two);
    EXPECT_FALSE(FileLock::try_acquire(path, Mode::exclusive, 2).value());
    EXPECT_TRUE(FileLock::try_acquire(path, Mode::exclusive, std::int64_t{1} << 60).value());
  }
  const auto reader = FileLock::acquire(path, Mode::shared);
  ASSERT_TRUE(reader);
  EXPECT_TRUE(FileLock::try_acquire(path, Mode::shared).value());
  EXPECT_FALSE(FileLock::try_acquire(path).value());
  ::unlink(path);
}

}  // namespace
}  // namespace fermata
