#include "image/transfer/registry_hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "image/transfer/hosts_file.h"
#include "image/transfer/registries_conf.h"

namespace fermata::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

oci::Reference reference(const char* text) { return *oci::parse_reference(text); }

class RegistryHostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/fermata-hosts-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root_ = pattern;
    files_ = {.conf = root_ + "/registries.conf", .hosts_dirs = {root_ + "/a", root_ + "/b"}};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void put(const std::string& name, const std::string& text) {
    const std::string path = root_ + "/" + name;
    ASSERT_TRUE(make_directories(path.substr(0, path.rfind('/'))));
    ASSERT_TRUE(write_file(path, text));
  }
  // "scheme host path repository" of each.
  std::vector<std::string> places(const char* image) {
    const auto hosts = registry_hosts(reference(image), files_, true);
    if (!hosts) return {hosts.error().message()};
    std::vector<std::string> out;
    for (const RegistryHost& host : *hosts)
      out.push_back(host.scheme + " " + host.host + " " + host.path + " " + host.repository +
                    (host.mirror ? " mirror" : "") + (host.trust.verify ? "" : " insecure"));
    return out;
  }
  std::string root_;
  RegistryFiles files_;
};

TEST_F(RegistryHostsTest, WithoutFilesTheRegistryItself) {
  EXPECT_THAT(places("nginx"), ElementsAre(" registry-1.docker.io /v2 library/nginx"));
  EXPECT_THAT(places("example.com:5000/a/b"), ElementsAre(" example.com:5000 /v2 a/b"));
}

TEST_F(RegistryHostsTest, MirrorsOfRegistriesConfComeFirst) {
  put("registries.conf", R"(
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "second.example"
pull-from-mirror = "digest-only"
[[registry]]
location = "docker.io/team"
blocked = true
[[registry]]
prefix = "*.corp.example"
location = "cache.example/corp"
)");
  EXPECT_THAT(places("nginx"), ElementsAre(" mirror.example:5000 /v2 hub/library/nginx mirror insecure",
                                           " registry-1.docker.io /v2 library/nginx"));
  const std::string digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(places(("nginx@" + digest).c_str()).size(), 3u);
  EXPECT_THAT(places("team/app"), ElementsAre(HasSubstr("registry docker.io/team is blocked in ")));
  EXPECT_THAT(places("x.corp.example/app"), ElementsAre(" cache.example /v2 corp/app"));
}

TEST_F(RegistryHostsTest, DropInsReplaceARule) {
  put("registries.conf", "[[registry]]\nlocation = \"a.example\"\nblocked = true\n");
  put("registries.conf.d/10-a.conf", "[[registry]]\nlocation = \"a.example\"\n");
  EXPECT_THAT(places("a.example/x"), ElementsAre(" a.example /v2 x"));
}

TEST_F(RegistryHostsTest, AHostsFileCountsInItsOrder) {
  put("registries.conf", "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n");
  put("b/docker.io/ca.pem", "PEM");
  put("b/docker.io/hosts.toml", R"(
server = "https://docker.io"
[host."http://z.example:5000"]
  capabilities = ["pull", "resolve"]
[host."https://a.example/proxy"]
  capabilities = ["pull", "resolve"]
  ca = "ca.pem"
  client = [["/c.cert", "/c.key"]]
[host."https://b.example/v2/all"]
  override_path = true
  skip_verify = true
[host."https://blobs.example"]
  capabilities = ["pull"]
)");
  EXPECT_THAT(places("nginx"), ElementsAre("http z.example:5000 /v2 library/nginx mirror",
                                           "https a.example /proxy/v2 library/nginx mirror",
                                           "https b.example /v2/all library/nginx mirror insecure",
                                           "https registry-1.docker.io /v2 library/nginx"));
  const auto hosts = registry_hosts(reference("nginx"), files_, true);
  EXPECT_EQ((*hosts)[1].trust.authorities, "PEM\n");
  EXPECT_EQ((*hosts)[1].trust.certificate, "/c.cert");
  EXPECT_EQ((*hosts)[1].trust.key, "/c.key");
}

TEST_F(RegistryHostsTest, AServerNamedAmongItsMirrorsIsAskedOnce) {
  put("a/k8s.io/hosts.toml", "server = \"http://m.example\"\n[host.\"http://m.example\"]\n");
  EXPECT_THAT(places("k8s.io/x"), ElementsAre("http m.example /v2 x"));
}

TEST_F(RegistryHostsTest, DefaultHostsAndCertificates) {
  put("a/_default/hosts.toml", "[host.\"https://all.example\"]\n");
  put("b/all.example/one.crt", "ONE");
  put("b/all.example/two.crt", "TWO");
  put("b/all.example/me.cert", "");
  EXPECT_THAT(places("r.example:5000/x"),
              ElementsAre("https all.example /v2 x mirror", " r.example:5000 /v2 x"));
  const auto hosts = registry_hosts(reference("r.example:5000/x"), files_, true);
  EXPECT_EQ((*hosts)[0].trust.authorities, "ONE\nTWO\n");
  EXPECT_EQ((*hosts)[0].trust.key, root_ + "/b/all.example/me.key");
}

TEST_F(RegistryHostsTest, TheColonOfAPortMayBeSpelledOut) {
  put("a/r.example_5000_/hosts.toml", "[host.\"m.example\"]\n");
  EXPECT_THAT(places("r.example:5000/x"), ElementsAre(" m.example /v2 x mirror", " r.example:5000 /v2 x"));
}

TEST_F(RegistryHostsTest, BrokenFilesAreNamedWithTheirLine) {
  put("a/docker.io/hosts.toml", "\nserver = ");
  EXPECT_THAT(places("nginx"), ElementsAre(HasSubstr("/a/docker.io/hosts.toml:2: ")));
  put("registries.conf", "[[registry]]\ninsecure = true\n");
  EXPECT_THAT(places("example.com/x"), ElementsAre(HasSubstr("registries.conf:1: the registry has neither")));
}

}  // namespace
}  // namespace fermata::image
