#include "scope/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::scope {
namespace {

TEST(CallTest, ComesOutAsItWentIn) {
  Call call = {.method = Method::set_properties,
               .request = {.slice = "machine.slice",
                           .unit = "fermata-1.scope",
                           .description = "a \"pod\"",
                           .pid = 42,
                           .properties = {{"Delegate", true},
                                          {"MemoryMax", std::uint64_t{18446744073709551615u}},
                                          {"Slice", std::string("a.slice")},
                                          {"AllowedCPUs", std::vector<std::uint8_t>{3, 0, 255}, true},
                                          {"DeviceAllow", std::vector<AllowedDevice>{{"char-*", "m"}}}}}};
  const auto again = parse_call(format_call(call));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->method, call.method);
  EXPECT_EQ(again->request.slice, call.request.slice);
  EXPECT_EQ(again->request.unit, call.request.unit);
  EXPECT_EQ(again->request.description, call.request.description);
  EXPECT_EQ(again->request.pid, call.request.pid);
  ASSERT_EQ(again->request.properties.size(), call.request.properties.size());
  for (std::size_t i = 0; i < call.request.properties.size(); ++i) {
    EXPECT_EQ(again->request.properties[i].name, call.request.properties[i].name);
    EXPECT_EQ(again->request.properties[i].value, call.request.properties[i].value);
    EXPECT_EQ(again->request.properties[i].optional, call.request.properties[i].optional);
  }
}

TEST(CallTest, TellsWhatIsNone) {
  for (const char* text : {"", "[]", "{}", R"({"method":0,"slice":1})"}) {
    const auto call = parse_call(text);
    ASSERT_FALSE(call) << text;
    EXPECT_THAT(call.error().message(), testing::HasSubstr("not a call"));
  }
}

TEST(ReplyTest, IsAPathOrTheError) {
  const auto path = parse_reply(format_reply("machine.slice/fermata-1.scope"));
  ASSERT_TRUE(path) << path.error().message();
  EXPECT_EQ(*path, "machine.slice/fermata-1.scope");

  const auto failed =
      parse_reply(format_reply(tl::unexpected(Error(ErrorKind::conflict, 17, "it is there"))));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::conflict);
  EXPECT_EQ(failed.error().error_number(), 17);
  EXPECT_EQ(failed.error().message(), "it is there");

  EXPECT_FALSE(parse_reply("fermata-systemd: error while loading shared libraries"));
}

}  // namespace
}  // namespace fermata::scope
