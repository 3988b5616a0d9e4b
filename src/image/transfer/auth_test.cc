#include "image/transfer/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(ParseChallenges, DockerHub) {
  const auto challenges = parse_challenges(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull")");
  ASSERT_EQ(challenges.size(), 1u);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_THAT(challenges[0].parameters,
              ElementsAre(Pair("realm", "https://auth.docker.io/token"), Pair("scope", "repository:a/b:pull"),
                          Pair("service", "registry.docker.io")));
}

TEST(ParseChallenges, SeveralInOneHeader) {
  const auto challenges = parse_challenges(
      R"(Negotiate, NTLM TlRMTVNTUAAB==, Basic realm="a, b=\"c\"", BEARER Realm = x , error=no)");
  ASSERT_EQ(challenges.size(), 4u);
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_EQ(challenges[1].scheme, "ntlm");
  EXPECT_THAT(challenges[1].parameters, ElementsAre());
  EXPECT_THAT(challenges[2].parameters, ElementsAre(Pair("realm", R"(a, b="c")")));
  EXPECT_EQ(challenges[3].scheme, "bearer");
  EXPECT_THAT(challenges[3].parameters, ElementsAre(Pair("error", "no"), Pair("realm", "x")));
}

TEST(ParseChallenges, KeepsWhatCameBeforeTheDamage) {
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges(" ,, ").empty());
  EXPECT_TRUE(parse_challenges("\"Basic\"").empty());
  const auto challenges = parse_challenges("Basic realm=\"x\", Bearer realm=\"never closed");
  ASSERT_EQ(challenges.size(), 2u);
  EXPECT_THAT(challenges[0].parameters, ElementsAre(Pair("realm", "x")));
  EXPECT_TRUE(challenges[1].parameters.empty());
  EXPECT_TRUE(parse_challenges("Bearer realm=\"x\\").at(0).parameters.empty());
}

TEST(ParseChallenges, FirstOfTwoEqualParametersCounts) {
  EXPECT_EQ(parse_challenges("Bearer realm=a,realm=b").at(0).parameters.at("realm"), "a");
}

Challenge bearer(std::map<std::string, std::string> parameters) { return {"bearer", std::move(parameters)}; }

TEST(TokenUrl, EncodesServiceScopeAndAccount) {
  const auto url = token_url(bearer({{"realm", "https://a/token"},
                                     {"service", "a b&c"},
                                     {"scope", "repository:x/y:pull repository:z:pull"}}),
                             "unused", "me@home");
  ASSERT_TRUE(url) << url.error().message();
  EXPECT_EQ(*url,
            "https://a/token?account=me%40home&service=a%20b%26c&scope=repository%3ax%2fy%3apull&"
            "scope=repository%3az%3apull");
}

TEST(TokenUrl, FallsBackToTheRepositorysScope) {
  EXPECT_EQ(token_url(bearer({{"realm", "http://a:1/t?x=1"}}), "repository:x:pull", "").value(),
            "http://a:1/t?x=1&scope=repository%3ax%3apull");
}

TEST(TokenUrl, RefusesOtherRealms) {
  for (const char* realm :
       {"", "/token", "file:///etc/shadow", "ftp://a/", "https://", "https://a/\r\nX: y", "https://a b"})
    EXPECT_FALSE(token_url(bearer({{"realm", realm}}), "s", "")) << realm;
}

TEST(ParseToken, EitherName) {
  EXPECT_EQ(parse_token(R"({"token":"abc.d-e_f","expires_in":300})").value(), "abc.d-e_f");
  EXPECT_EQ(parse_token(R"({"access_token":"xyz"})").value(), "xyz");
  EXPECT_EQ(parse_token(R"({"token":"","access_token":"xyz"})").value(), "xyz");
}

TEST(ParseToken, RefusesWhatIsNoHeaderLine) {
  for (const char* json :
       {"", "[]", "{}", "<html>", R"({"token":1})", R"({"token":"a\r\nX: y"})", R"({"token":"a b"})"})
    EXPECT_FALSE(parse_token(json)) << json;
  EXPECT_FALSE(parse_token(R"({"token":")" + std::string(1u << 20, 'x') + "\"}"));
}

TEST(BasicAuthorization, Base64) {
  EXPECT_EQ(basic_authorization({"user", "pass"}), "Basic dXNlcjpwYXNz");
  EXPECT_EQ(basic_authorization({"Aladdin", "open sesame"}), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(basic_authorization({"", ""}), "Basic Og==");
}

TEST(Authorizer, OffersBasicOnce) {
  HttpClient client({}, {});
  Authorizer authorizer(Credentials{"user", "pass"}, "repository:x:pull");
  EXPECT_EQ(authorizer.value(), "");
  EXPECT_TRUE(authorizer.renew(client, {"Basic realm=\"x\""}, "", true).value());
  EXPECT_EQ(authorizer.value(), "Basic dXNlcjpwYXNz");
  // Another thread, whose request went out before.
  EXPECT_TRUE(authorizer.renew(client, {"Basic realm=\"x\""}, "", true).value());
  EXPECT_FALSE(authorizer.renew(client, {"Basic realm=\"x\""}, authorizer.value(), true).value());
}

TEST(Authorizer, HasNothingToOffer) {
  HttpClient client({}, {});
  Authorizer anonymous(std::nullopt, "s");
  EXPECT_FALSE(anonymous.renew(client, {"Basic realm=\"x\""}, "", true).value());
  EXPECT_FALSE(anonymous.renew(client, {}, "", true).value());
  EXPECT_FALSE(anonymous.renew(client, {"Negotiate"}, "", true).value());
}

TEST(Authorizer, KeepsPasswordsOffPlainHttp) {
  HttpClient client({}, {});
  Authorizer authorizer(Credentials{"user", "pass"}, "s");
  const auto renewed = authorizer.renew(client, {"Bearer realm=\"http://registry.invalid/token\""}, "", true);
  ASSERT_FALSE(renewed);
  EXPECT_THAT(renewed.error().message(), HasSubstr("without TLS"));
}

TEST(Auth, AnIdentityTokenIsSentAsAForm) {
  const Challenge bearer{"bearer", {{"realm", "https://auth.example/token"}, {"service", "a b"}}};
  EXPECT_EQ(token_form(bearer, "repository:x:pull", "s&t"),
            "grant_type=refresh_token&client_id=fermata&service=a%20b&scope=repository%3ax%3apull"
            "&refresh_token=s%26t");
}

TEST(Auth, ARegistryTokenIsSentFromTheBeginning) {
  EXPECT_EQ(Authorizer(Credentials{.registry_token = "t"}, "").value(), "Bearer t");
  EXPECT_EQ(Authorizer(Credentials{.registry_token = "t\r\nX: y"}, "").value(), "");
}

}  // namespace
}  // namespace fermata::image
