#include "image/transfer/byte_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace fermata::image {
namespace {

TEST(ByteQueue, CarriesMoreThanItHolds) {
  std::string sent;
  for (int i = 0; i < 100000; ++i) sent += static_cast<char>(i * 7 % 251);
  ByteQueue queue(1000);
  std::thread writer([&] {
    for (std::size_t i = 0; i < sent.size(); i += 333)
      EXPECT_TRUE(queue.push(std::string_view(sent).substr(i, 333)));
    EXPECT_TRUE(queue.push(""));
    queue.finish();
  });
  std::string got;
  char buffer[77];
  while (true) {
    const auto count = queue.read(buffer, sizeof buffer);
    ASSERT_TRUE(count);
    if (*count == 0) break;
    got.append(buffer, *count);
  }
  writer.join();
  EXPECT_EQ(got, sent);
}

TEST(ByteQueue, GivesTheWritersErrorAfterTheBytes) {
  ByteQueue queue(10);
  EXPECT_TRUE(queue.push("abc"));
  queue.fail_reader(Error(ErrorKind::unavailable, 0, "gone"));
  char buffer[10];
  EXPECT_EQ(queue.read(buffer, 10).value(), 3u);
  EXPECT_EQ(queue.read(buffer, 10).error().message(), "gone");
}

TEST(ByteQueue, AReaderThatEndsFreesTheWriter) {
  for (const bool satisfied : {true, false}) {
    ByteQueue queue(4);
    std::thread reader([&] {
      char buffer[2];
      EXPECT_TRUE(queue.read(buffer, 2));
      queue.close_reader(satisfied);
    });
    EXPECT_EQ(queue.push(std::string(1000, 'x')), satisfied);
    EXPECT_EQ(queue.push("more"), satisfied);
    reader.join();
  }
}

}  // namespace
}  // namespace fermata::image
