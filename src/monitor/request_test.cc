#include "monitor/request.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace fermata::monitor {
namespace {

template <class T>
std::vector<unsigned char> packet(Type type, const T& payload, std::size_t extra = 0) {
  Header header = {};
  header.version = kProtocolVersion;
  header.type = type;
  header.size = static_cast<std::uint32_t>(sizeof payload + extra);
  std::vector<unsigned char> bytes(sizeof header + sizeof payload + extra);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &payload, sizeof payload);
  return bytes;
}

int decode(const std::vector<unsigned char>& bytes, std::uint32_t fds = 0) {
  Request request;
  return decode_request(bytes.data(), bytes.size(), fds, request);
}

Wait wait_for(const char* id) {
  Wait wait = {};
  std::strncpy(wait.id, id, sizeof wait.id);
  return wait;
}

TEST(Request, Good) {
  Request request;
  const auto bytes = packet(Type::wait, wait_for("abc-1"));
  ASSERT_EQ(decode_request(bytes.data(), bytes.size(), 0, request), 0);
  EXPECT_EQ(request.type, Type::wait);
  EXPECT_STREQ(request.payload.wait.id, "abc-1");
}

TEST(Request, SizesMustAddUp) {
  auto bytes = packet(Type::wait, wait_for("a"));
  EXPECT_EQ(decode(bytes, 1), EPROTO);
  bytes.pop_back();
  EXPECT_EQ(decode(bytes), EPROTO);
  bytes.resize(10);
  EXPECT_EQ(decode(bytes), EPROTO);
  bytes.clear();
  EXPECT_EQ(decode(bytes), EPROTO);
}

TEST(Request, FieldsOfANewerEngineAreIgnored) { EXPECT_EQ(decode(packet(Type::wait, wait_for("a"), 16)), 0); }

TEST(Request, LaunchOfAnOlderEngineIsShorter) {
  Launch launch = {};
  std::strcpy(launch.id, "a");
  std::strcpy(launch.container, "a");
  launch.limit_count = 5;
  auto bytes = packet(Type::launch, launch);
  Request request;
  ASSERT_EQ(decode_request(bytes.data(), bytes.size(), 0, request), 0);
  EXPECT_EQ(request.payload.launch.limit_count, 5u);
  bytes.resize(sizeof(Header) + offsetof(Launch, stream_owner));
  auto* header = reinterpret_cast<Header*>(bytes.data());
  header->size = offsetof(Launch, stream_owner);
  EXPECT_EQ(decode(bytes), EINVAL);
  header->version = 2;
  ASSERT_EQ(decode_request(bytes.data(), bytes.size(), 0, request), 0);
  EXPECT_EQ(request.payload.launch.limit_count, 0u);
  EXPECT_EQ(request.data_size, 0u);
  launch.limit_count = kMaxLimits + 1;
  EXPECT_EQ(decode(packet(Type::launch, launch)), EINVAL);
}

TEST(Request, UnknownTypesAndVersions) {
  EXPECT_EQ(decode(packet(static_cast<Type>(77), wait_for("a"))), ENOSYS);
  EXPECT_EQ(decode(packet(Type::reply, wait_for("a"))), ENOSYS);
  auto bytes = packet(Type::wait, wait_for("a"));
  bytes[0] = 99;
  EXPECT_EQ(decode(bytes), EPROTONOSUPPORT);
  auto hello = packet(Type::hello, wait_for("a"));
  hello[0] = 99;
  EXPECT_EQ(decode(hello), 0);
}

TEST(Request, IdsAreChecked) {
  EXPECT_EQ(decode(packet(Type::wait, wait_for(""))), EINVAL);
  EXPECT_EQ(decode(packet(Type::wait, wait_for("../x"))), EINVAL);
  Wait endless;
  std::memset(&endless, 'a', sizeof endless);
  EXPECT_EQ(decode(packet(Type::wait, endless)), EINVAL);
  EXPECT_EQ(decode(packet(Type::kill_group, endless)), EINVAL);
  EXPECT_EQ(decode(packet(Type::kill_group, wait_for("a"))), 0);
  Signal signal = {};
  std::strcpy(signal.id, "a");
  EXPECT_EQ(decode(packet(Type::signal, signal)), EINVAL);
  signal.signal = 65;
  EXPECT_EQ(decode(packet(Type::signal, signal)), EINVAL);
  signal.signal = 9;
  EXPECT_EQ(decode(packet(Type::signal, signal)), 0);
}

TEST(Request, FramesCarryTheirData) {
  Frame frame = {.stream = Stream::resize, .reserved = 0};
  EXPECT_EQ(decode(packet(Type::frame, frame)), EINVAL);
  EXPECT_EQ(decode(packet(Type::frame, frame, 8)), 0);
  frame.stream = Stream::standard_input;
  EXPECT_EQ(decode(packet(Type::frame, frame, kMaxFrameData)), 0);
  EXPECT_EQ(decode(packet(Type::frame, frame, kMaxFrameData + 1)), EINVAL);
}

}  // namespace
}  // namespace fermata::monitor
