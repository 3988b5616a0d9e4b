#include "cri/registry_auth.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

const oci::Reference kImage{.registry = "docker.io", .repository = "library/nginx", .tag = "latest"};

TEST(RegistryAuth, UserAndPassword) {
  v1::AuthConfig auth;
  EXPECT_FALSE(credentials_of(auth, kImage)->has_value());
  auth.set_username("u");
  auth.set_password("p");
  const auto credentials = credentials_of(auth, kImage);
  ASSERT_TRUE(credentials && *credentials);
  EXPECT_EQ((*credentials)->user, "u");
  EXPECT_EQ((*credentials)->password, "p");
}

TEST(RegistryAuth, EncodedPairMayBePadded) {
  v1::AuthConfig auth;
  auth.set_auth("dTpwOnEAAA==");  // "u:p:q\0\0"
  const auto credentials = credentials_of(auth, kImage);
  ASSERT_TRUE(credentials && *credentials);
  EXPECT_EQ((*credentials)->user, "u");
  EXPECT_EQ((*credentials)->password, "p:q");
  auth.set_auth("!");
  EXPECT_FALSE(credentials_of(auth, kImage));
  auth.set_auth("dXA=");  // no colon
  EXPECT_FALSE(credentials_of(auth, kImage));
}

TEST(RegistryAuth, TokensNeedNoUser) {
  v1::AuthConfig auth;
  auth.set_identity_token("i");
  EXPECT_EQ((*credentials_of(auth, kImage))->identity_token, "i");
  auth.clear_identity_token();
  auth.set_registry_token("r");
  EXPECT_EQ((*credentials_of(auth, kImage))->registry_token, "r");
}

TEST(RegistryAuth, StaysWithItsServer) {
  v1::AuthConfig auth;
  auth.set_username("u");
  auth.set_server_address("https://index.docker.io/v1/");
  EXPECT_TRUE(credentials_of(auth, kImage)->has_value());
  auth.set_server_address("docker.io");
  EXPECT_TRUE(credentials_of(auth, kImage)->has_value());
  auth.set_server_address("https://example.com");
  EXPECT_FALSE(credentials_of(auth, kImage)->has_value());
}

}  // namespace
}  // namespace fermata::cri
