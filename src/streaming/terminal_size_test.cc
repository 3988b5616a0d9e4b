#include "streaming/terminal_size.h"

#include <gtest/gtest.h>

#include "streaming/outcome.h"
#include "streaming/protocols.h"

namespace fermata::streaming {
namespace {

TEST(TerminalSizes, AreReadOneAfterTheOther) {
  TerminalSizeReader reader;
  auto size = reader.feed("{\"Width\":80,\"Height\":24}\n");
  ASSERT_TRUE(size && *size);
  EXPECT_EQ(**size, (TerminalSize{80, 24}));
  EXPECT_FALSE(*reader.feed("{\"Width\":1"));
  EXPECT_FALSE(*reader.feed("00"));
  size = reader.feed(",\"Height\":50}\n{\"Width\":2,\"Height\":3}");
  EXPECT_EQ(**size, (TerminalSize{2, 3}));
}

TEST(TerminalSizes, WhatIsNoneIsAnError) {
  EXPECT_FALSE(TerminalSizeReader().feed("}"));
  EXPECT_FALSE(TerminalSizeReader().feed("[1]}"));
  EXPECT_FALSE(TerminalSizeReader().feed("{\"Width\":-1}"));
  EXPECT_FALSE(TerminalSizeReader().feed("{\"Width\":65536}"));
  EXPECT_FALSE(TerminalSizeReader().feed("{\"Width\":\"x\"}"));
  EXPECT_FALSE(TerminalSizeReader().feed(std::string(2000, '{')));
}

TEST(Outcomes, AreAStatusFromVersion4On) {
  EXPECT_EQ(status_json({}), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(status_json({.exit_code = 3, .failure = std::nullopt}),
            R"({"details":{"causes":[{"message":"3","reason":"ExitCode"}]},)"
            R"("message":"command terminated with exit code 3","metadata":{},"reason":"NonZeroExitCode",)"
            R"("status":"Failure"})");
  EXPECT_EQ(status_json({.exit_code = 0, .failure = "no \"x\""}),
            R"({"code":500,"message":"no \"x\"","metadata":{},"reason":"InternalError","status":"Failure"})");
  EXPECT_NE(status_json({.exit_code = 0, .failure = "\xff"}), "");
}

TEST(Outcomes, AreASentenceBefore) {
  EXPECT_EQ(status_text({}), "");
  EXPECT_EQ(status_text({.exit_code = 3, .failure = std::nullopt}), "command terminated with exit code 3");
  EXPECT_EQ(status_text({.exit_code = 0, .failure = "gone"}), "gone");
}

TEST(Protocols, TheClientsOrderCounts) {
  const auto choose = [](Subject subject, Carrier carrier, std::string_view offered) {
    const Protocol* protocol = choose_protocol(subject, carrier, parse_list(offered));
    return protocol == nullptr ? std::string("-") : std::string(protocol->name);
  };
  EXPECT_EQ(choose(Subject::process, Carrier::spdy, "v6.channel.k8s.io, v4.channel.k8s.io,v5.channel.k8s.io"),
            "v4.channel.k8s.io");
  EXPECT_EQ(choose(Subject::process, Carrier::spdy, "v9"), "-");
  EXPECT_EQ(choose(Subject::process, Carrier::spdy, ""), "-");
  EXPECT_EQ(choose(Subject::process, Carrier::websocket, ""), "");
  EXPECT_EQ(choose(Subject::port, Carrier::spdy, "portforward.k8s.io"), "portforward.k8s.io");
  EXPECT_EQ(choose(Subject::port, Carrier::websocket, "SPDY/3.1+portforward.k8s.io"),
            "SPDY/3.1+portforward.k8s.io");
}

}  // namespace
}  // namespace fermata::streaming
