#include "image/transfer/refusal.h"

#include <gtest/gtest.h>

namespace fermata::image {
namespace {

std::string words(long status, const std::string& body, Wanted wanted = Wanted::manifest,
                  bool authenticated = false, const std::string& type = "application/json") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = body;
  answer.content_type = type;
  answer.host = "r.example";
  const auto reference = oci::parse_reference("r.example/x:1");
  return refusal(*reference, answer, wanted, authenticated).value().message();
}

TEST(Refusal, Access) {
  EXPECT_EQ(words(401, ""),
            "pull access denied for r.example/x, repository does not exist or may require authorization");
  EXPECT_EQ(words(403, R"({"errors":[{"code":"DENIED","message":"go away"}]})", Wanted::manifest, true),
            "pull access denied for r.example/x, repository does not exist or may require authorization: "
            "denied: go "
            "away");
  EXPECT_EQ(words(401, "", Wanted::manifest, true), "unauthorized: authentication required");
}

TEST(Refusal, Missing) {
  EXPECT_EQ(words(404, ""), "manifest for r.example/x:1 not found: manifest unknown");
  EXPECT_EQ(words(404, R"({"errors":[{"code":"NAME_UNKNOWN","message":"none"}]})"),
            "repository r.example/x not found: name unknown: none");
  EXPECT_EQ(words(404, "", Wanted::blob), "blob unknown to registry r.example");
  EXPECT_EQ(
      words(404, "<html>", Wanted::manifest, false, "text/html"),
      "manifest for r.example/x:1 not found: manifest unknown: the registry at r.example answered with a web "
      "page, not with an image manifest");
}

TEST(Refusal, OtherStatuses) {
  EXPECT_EQ(words(500, "<html>oops", Wanted::manifest, false, "text/html"),
            "received unexpected HTTP status: 500 Internal Server Error");
  EXPECT_EQ(words(429, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]})"),
            "toomanyrequests: slow down");
  EXPECT_EQ(words(429, ""), "toomanyrequests: r.example limits how often it is asked");
}

TEST(ParseRegistryError, IsHarmlessOnATerminal) {
  EXPECT_EQ(parse_registry_error("{\"errors\":[{\"code\":\"X\",\"message\":\"a\\u001b[2Jb\\nc\"}]}").message,
            "a [2Jb c");
  EXPECT_EQ(parse_registry_error(R"({"message":"plain"})").message, "plain");
  for (const char* body : {"", "[", "[]", R"({"errors":1})", R"({"errors":[]})", R"({"errors":[1]})",
                           R"({"errors":[{"code":1,"message":[]}]})"})
    EXPECT_EQ(parse_registry_error(body).code + parse_registry_error(body).message, "") << body;
}

}  // namespace
}  // namespace fermata::image
