// Pulling over real sockets: from Debian's docker-registry (pushed to by skopeo), and from a server that
// fails on purpose. Loopback only. Needs the packages docker-registry, skopeo, openssl; runs without
// privilege but for the whiteouts that unpacking makes.
#include "image/transfer/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "base/files.h"
#include "kernel/support/http_server.h"
#include "kernel/support/registry_process.h"
#include "kernel/support/test_image.h"

namespace fermata {
namespace {

using image::FetchedImage;
using image::PullOptions;
using image::TransferContext;
using test::HttpServer;
using test::RegistryProcess;
using test::Reply;
using test::ServedRequest;
using test::TestImage;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// "secret" of user "alice" (bcrypt, its cheapest cost).
constexpr const char* kHtpasswd = "alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

class Registry : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fermata-registry-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    work_ = directory_ + "/work";
    ASSERT_TRUE(make_directories(work_));
    ASSERT_TRUE(make_directories(directory_ + "/storage"));
    context_.work_directory = work_;
    context_.have_layer = [this](const std::string& chain) { return layers_.contains(chain); };
    context_.stored_config = [this](const std::string& id) -> std::optional<std::string> {
      const auto found = images_.find(id);
      return found == images_.end() ? std::nullopt : std::optional(found->second);
    };
    options_.architecture = "amd64";
    options_.progress = [this](const image::Progress& progress) {
      const std::unique_lock lock(progress_mutex_, std::try_to_lock);
      EXPECT_TRUE(lock.owns_lock()) << "two threads report at once";
      statuses_.insert(progress.status);
    };
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(directory_)); }

  Result<FetchedImage> pull(const std::string& name) {
    const auto reference = oci::parse_reference(name);
    if (!reference) return tl::unexpected<Error>(reference.error());
    return image::pull_image(*reference, options_, context_);
  }
  std::string pull_error(const std::string& name) {
    const auto image = pull(name);
    return image ? "(it succeeded)" : image.error().message();
  }
  // All layers are there and hold their files.
  static void expect_image(const Result<FetchedImage>& image, const TestImage& expected) {
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_EQ(image->id, expected.config);
    EXPECT_EQ(image->config_json, expected.blobs.at(expected.config));
    EXPECT_EQ(image->manifest_digest, expected.manifest);
    ASSERT_EQ(image->layers.size(), expected.layers.size());
    std::string chain;
    for (std::size_t i = 0; i < image->layers.size(); ++i) {
      chain = image::chain_id(chain, expected.diff_ids[i]);
      EXPECT_EQ(image->layers[i].chain, chain);
      const auto file = read_file(image->layers[i].directory + "/file" + std::to_string(i));
      ASSERT_TRUE(file) << file.error().message();
      EXPECT_TRUE(file->starts_with(std::to_string(i)));
      EXPECT_EQ(image->layers[i].size, file->size());
    }
  }
  bool run(const std::string& command) const {
    return std::system((command + " >>" + directory_ + "/commands.log 2>&1").c_str()) == 0;
  }
  // Makes a layout and pushes it as `name`.
  void push(const TestImage& image, const std::string& name,
            const std::string& arguments = "--preserve-digests") const {
    const std::string layout = directory_ + "/layout";
    image.write_layout(layout);
    EXPECT_TRUE(run("skopeo copy --insecure-policy --dest-tls-verify=false " + arguments + " oci:" + layout +
                    ":latest docker://" + name))
        << read_file(directory_ + "/commands.log").value_or("");
  }

  std::string directory_, work_;
  std::set<std::string> layers_, statuses_;
  std::map<std::string, std::string> images_;  // configurations by id
  std::mutex progress_mutex_;
  PullOptions options_;
  TransferContext context_;
};

// --- a real registry

TEST_F(Registry, PullsWhatSkopeoPushed) {
  const RegistryProcess registry(directory_, {});
  ASSERT_TRUE(registry.runs());
  const TestImage image = test::make_image(7, 300000);
  push(image, registry.host() + "/a/b:1");
  const auto pulled = pull(registry.host() + "/a/b:1");
  expect_image(pulled, image);
  EXPECT_EQ(pulled->repo_digest, image.manifest);
  EXPECT_THAT(statuses_,
              IsSupersetOf({"Pulling fs layer", "Downloading", "Verifying Checksum", "Pull complete"}));
  EXPECT_THAT(pull_error(registry.host() + "/a/b:2"),
              HasSubstr("manifest for " + registry.host() + "/a/b:2 not found: manifest unknown"));

  ASSERT_TRUE(remove_tree(work_) && make_directories(work_));
  expect_image(pull(registry.host() + "/a/b@" + image.manifest), image);
}

TEST_F(Registry, FetchesOnlyWhatIsMissing) {
  const RegistryProcess registry(directory_, {});
  const TestImage image = test::make_image(3);
  push(image, registry.host() + "/x:latest");
  const std::string lowest = image::chain_id("", image.diff_ids[0]);
  layers_ = {lowest, image::chain_id(lowest, image.diff_ids[1])};
  auto pulled = pull(registry.host() + "/x");
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_EQ(pulled->layers[0].directory, "");
  EXPECT_EQ(pulled->layers[1].directory, "");
  EXPECT_NE(pulled->layers[2].directory, "");
  EXPECT_TRUE(statuses_.contains("Already exists"));

  images_[image.config] = image.blobs.at(image.config);
  pulled = pull(registry.host() + "/x");
  ASSERT_TRUE(pulled);
  EXPECT_EQ(pulled->id, image.config);
  EXPECT_EQ(pulled->repo_digest, image.manifest);
  EXPECT_TRUE(pulled->layers.empty());
  options_.architecture = "arm64";
  EXPECT_THAT(pull_error(registry.host() + "/x"), HasSubstr("its platform (linux/amd64) does not match"));
}

TEST_F(Registry, PullsCompressedLayers) {
  const RegistryProcess registry(directory_, {});
  const TestImage image = test::make_image(4, 200000);
  for (const char* format : {"gzip", "zstd"}) {
    const std::string name = registry.host() + "/x:" + format;
    push(image, name, std::string("--dest-compress --dest-compress-format ") + format);
    ASSERT_TRUE(remove_tree(work_) && make_directories(work_));
    const auto pulled = pull(name);
    ASSERT_TRUE(pulled) << pulled.error().message();
    EXPECT_NE(pulled->manifest_digest, image.manifest) << "skopeo did not compress";
    for (int i = 0; i < 4; ++i)
      EXPECT_TRUE(
          read_file(pulled->layers[static_cast<std::size_t>(i)].directory + "/file" + std::to_string(i)));
  }
}

TEST_F(Registry, PasswordsOfHtpasswd) {
  const RegistryProcess registry(directory_, {.htpasswd = kHtpasswd});
  const TestImage image = test::make_image(2);
  const std::string name = registry.host() + "/private:1";
  push(image, name, "--preserve-digests --dest-creds alice:secret");
  EXPECT_THAT(pull_error(name),
              HasSubstr("pull access denied for " + registry.host() +
                        "/private, repository does not exist or may require authorization"));
  options_.credentials = image::Credentials{"alice", "wrong"};
  EXPECT_EQ(pull_error(name), name + ": unauthorized: authentication required");
  options_.credentials->password = "secret";
  expect_image(pull(name), image);
}

class TlsRegistry : public Registry {
 protected:
  RegistryProcess::Options make_certificate(const std::string& names) const {
    return RegistryProcess::make_certificate(directory_, names);
  }
  void TearDown() override {
    ::unsetenv("SSL_CERT_FILE");
    Registry::TearDown();
  }
};

TEST_F(TlsRegistry, TrustIsAsked) {
  const RegistryProcess registry(directory_, make_certificate("IP:127.0.0.1"));
  ASSERT_TRUE(registry.runs());
  const TestImage image = test::make_image(4, 50000);
  const std::string name = registry.host() + "/x:1";
  push(image, name);
  EXPECT_THAT(
      pull_error(name),
      AllOf(HasSubstr(name +
                      ": tls: failed to verify certificate: x509: certificate signed by unknown authority"),
            HasSubstr("/usr/local/share/ca-certificates"), HasSubstr("--tls-verify=false")));
  options_.tls_verify = false;
  expect_image(pull(name), image);
  options_.tls_verify = true;
  ASSERT_TRUE(remove_tree(work_) && make_directories(work_));
  ::setenv("SSL_CERT_FILE", (directory_ + "/ca.crt").c_str(), 1);
  expect_image(pull(name), image);
}

TEST_F(TlsRegistry, ACertificateOfAnotherName) {
  const RegistryProcess registry(directory_, make_certificate("DNS:registry.example"));
  ASSERT_TRUE(registry.runs());
  ::setenv("SSL_CERT_FILE", (directory_ + "/ca.crt").c_str(), 1);
  EXPECT_THAT(pull_error(registry.host() + "/x:1"),
              HasSubstr("x509: certificate is not valid for " + registry.host()));
}

// --- a server that fails

Reply not_found() {
  return {.status = 404, .body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]})"};
}

// What a registry without faults says about `image`, under any repository and tag.
Reply serve(const TestImage& image, const ServedRequest& request) {
  const std::string last = request.path.substr(request.path.rfind('/') + 1);
  if (request.path.find("/manifests/") != std::string::npos) {
    const auto found = image.blobs.find(last.starts_with("sha256:") ? last : image.manifest);
    if (found == image.blobs.end()) return not_found();
    return {.body = found->second, .headers = {"Docker-Content-Digest: " + found->first}};
  }
  const auto found = image.blobs.find(last);
  return found == image.blobs.end() ? not_found() : Reply{.body = found->second};
}

bool asks_for(const ServedRequest& request, const std::string& digest) {
  return request.path.find(digest) != std::string::npos;
}

TEST_F(Registry, StatusesInDockersWords) {
  int status = 0;
  const HttpServer server([&](const ServedRequest&) { return Reply{.status = status, .body = ""}; });
  const std::string name = server.host() + "/x:1";
  const std::map<int, std::string> words = {
      {401, "pull access denied for " + server.host() +
                "/x, repository does not exist or may require authorization"},
      {403, "pull access denied for " + server.host() +
                "/x, repository does not exist or may require authorization"},
      {404, "manifest for " + name + " not found: manifest unknown"},
      {500, name + ": received unexpected HTTP status: 500 Internal Server Error"},
      {503, name + ": received unexpected HTTP status: 503 Service Unavailable"},
      {429, name + ": toomanyrequests: " + server.host() + " limits how often it is asked"},
      {418, name + ": received unexpected HTTP status: 418"},
  };
  for (const auto& [code, text] : words) {
    status = code;
    EXPECT_EQ(pull_error(name), text);
  }
}

TEST_F(Registry, WebPages) {
  bool typed = true;
  const HttpServer server([&](const ServedRequest&) {
    return Reply{
        .body = "\n<!doctype html><html>hello</html>",
        .headers = {typed ? "Content-Type: text/html; charset=utf-8" : "Content-Type: application/json"}};
  });
  for (const bool with_type : {true, false}) {
    typed = with_type;
    EXPECT_EQ(pull_error(server.host() + "/x:1"),
              server.host() + "/x:1: the registry at " + server.host() +
                  " answered with a web page, not with an image manifest");
  }
}

TEST_F(Registry, ManifestsThatAreNone) {
  std::string body;
  const HttpServer server([&](const ServedRequest&) {
    return Reply{.body = body, .headers = {"Content-Type: application/vnd.oci.image.manifest.v1+json"}};
  });
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1,2"), std::string(5u << 20, ' ')}) {
    body = text;
    EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr(server.host() + "/x")) << text.size();
  }
  body = "{}";
  EXPECT_EQ(pull_error(server.host() + "/x:1"),
            server.host() + "/x:1: malformed manifest: neither an image manifest nor an index");
  body = R"({"schemaVersion":1,"name":"x","fsLayers":[]})";
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("manifest schema 1 is not supported"));
}

TEST_F(Registry, NobodyListens) {
  std::string host;
  {
    host = HttpServer([](const ServedRequest&) { return Reply{}; }).host();
  }
  EXPECT_EQ(pull_error(host + "/x:1"), host + "/x:1: dial tcp " + host + ": connect: connection refused");
}

TEST_F(Registry, AServerThatWaitsForMoreThanATlsGreeting) {
  const TestImage image = test::make_image(1);
  const HttpServer server([&](const ServedRequest& request) { return serve(image, request); }, true);
  expect_image(pull(server.host() + "/x:1"), image);
}

TEST_F(Registry, ProxiesOfTheEnvironment) {
  const TestImage image = test::make_image(1);
  const HttpServer server([&](const ServedRequest& request) { return serve(image, request); });
  ::setenv("https_proxy", ("http://" + server.host()).c_str(), 1);
  ::setenv("http_proxy", ("http://" + server.host()).c_str(), 1);
  EXPECT_EQ(pull_error("registry.example/x:1"),
            "registry.example/x:1: dial tcp registry.example: CONNECT tunnel failed, response 400");
  const auto direct = pull(server.host() + "/x:1");
  ::unsetenv("https_proxy");
  ::unsetenv("http_proxy");
  expect_image(direct, image);
  for (const auto& request : server.requests()) EXPECT_TRUE(request.path.starts_with("/v2/")) << "by proxy";
}

class BrokenDownload : public Registry, public ::testing::WithParamInterface<std::tuple<bool, bool>> {};

TEST_P(BrokenDownload, GoesOnWhereItBroke) {
  const auto [knows_range, reset] = GetParam();
  const TestImage image = test::make_image(2, 400000);
  std::atomic<int> breaks = 0;
  const HttpServer server([&, knows_range = knows_range, reset = reset](const ServedRequest& request) {
    Reply reply = serve(image, request);
    if (!asks_for(request, image.layers[1])) return reply;
    const std::string range = request.header("range");
    if (knows_range && !range.empty()) {
      const std::size_t from = std::strtoull(range.c_str() + std::string("bytes=").size(), nullptr, 10);
      reply.status = 206;
      reply.headers.push_back("Content-Range: bytes " + std::to_string(from) + "-" +
                              std::to_string(reply.body.size() - 1) + "/" +
                              std::to_string(reply.body.size()));
      reply.body.erase(0, from);
    }
    if (++breaks <= 2) {
      reply.cut = 100000 * static_cast<std::size_t>(breaks);
      reply.reset = reset;
    }
    return reply;
  });
  expect_image(pull(server.host() + "/x:1"), image);
  EXPECT_EQ(breaks, 3);
  std::size_t ranges = 0;
  for (const auto& request : server.requests()) ranges += request.header("range").empty() ? 0 : 1;
  // A reset may have thrown away what had arrived.
  if (!reset) {
    EXPECT_EQ(ranges, 2u);
  }
}
INSTANTIATE_TEST_SUITE_P(Ways, BrokenDownload, ::testing::Combine(::testing::Bool(), ::testing::Bool()));

TEST_F(Registry, ADownloadThatAlwaysBreaksEnds) {
  const TestImage image = test::make_image(1, 100000);
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = serve(image, request);
    if (asks_for(request, image.layers[0])) reply.cut = 1000;
    return reply;
  });
  EXPECT_EQ(pull_error(server.host() + "/x:1"),
            server.host() + "/x:1: layer " + image.layers[0] + ": " + server.host() +
                " closed the connection in the middle of the answer: unexpected EOF");
  EXPECT_LE(server.requests().size(), 8u);
}

TEST_F(Registry, TheWrongRangeIsRefused) {
  const TestImage image = test::make_image(1, 100000);
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = serve(image, request);
    if (!asks_for(request, image.layers[0])) return reply;
    if (request.header("range").empty()) {
      reply.cut = 50000;
    } else {
      reply.status = 206;
      reply.headers.push_back("Content-Range: bytes 0-1/2");
    }
    return reply;
  });
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("another range than it was asked for"));
}

TEST_F(Registry, WrongDigests) {
  const TestImage image = test::make_image(3, 1000);
  std::string damaged;
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = serve(image, request);
    if (asks_for(request, damaged) && !reply.body.empty()) reply.body[reply.body.size() / 2] ^= 1;
    return reply;
  });
  const auto name = [&](const std::string& suffix) { return server.host() + "/x" + suffix; };
  damaged = image.layers[1];
  EXPECT_THAT(pull_error(name(":1")),
              HasSubstr("/x:1: layer " + damaged + ": digest does not match: got sha256:"));
  damaged = image.config;
  EXPECT_THAT(pull_error(name(":1")),
              HasSubstr("configuration " + damaged + ": digest does not match: got sha256:"));
  damaged = "/manifests/";
  EXPECT_THAT(pull_error(name(":1")),
              HasSubstr("manifest " + image.manifest + ": digest does not match: got sha256:"));
  EXPECT_THAT(pull_error(name("@" + image.manifest)),
              HasSubstr("manifest " + image.manifest + ": digest does not match: got sha256:"));
}

TEST_F(Registry, WrongLengths) {
  const TestImage image = test::make_image(1, 1000);
  bool longer = true;
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = serve(image, request);
    if (asks_for(request, image.layers[0])) reply.body.resize(longer ? 1u << 20 : 512);
    return reply;
  });
  EXPECT_THAT(pull_error(server.host() + "/x:1"),
              HasSubstr("digest does not match: the registry sends more"));
  longer = false;
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("digest does not match: got sha256:"));
}

TEST_F(Registry, ConfigurationsThatLie) {
  TestImage image;
  image.add_layer("x", test::tar_of("file0", "0"));  // the diff id of something else
  image.finish();
  const HttpServer server([&](const ServedRequest& request) { return serve(image, request); });
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("digest of the unpacked layer does not match"));
  options_.architecture = "s390x";
  EXPECT_THAT(pull_error(server.host() + "/x:1"),
              HasSubstr("its platform (linux/amd64) does not match the specified platform (linux/s390x)"));
}

TEST_F(Registry, AnIndexGivesTheMachinesImage) {
  TestImage all = test::make_image(1);
  const TestImage wanted = all;
  TestImage other;
  const std::string tar = test::tar_of("file0", "0 of arm");
  other.add_layer(tar, tar);
  other.finish("arm64");
  all.blobs.merge(other.blobs);
  const std::string index =
      all.add(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
              all.descriptor(TestImage::kManifestType, other.manifest,
                             R"(,"platform":{"architecture":"arm64","os":"linux"})") +
              "," +
              all.descriptor(TestImage::kManifestType, wanted.manifest,
                             R"(,"platform":{"architecture":"amd64","os":"linux"})") +
              "]}");
  all.manifest = index;
  const HttpServer server([&](const ServedRequest& request) { return serve(all, request); });
  const auto pulled = pull(server.host() + "/x:1");
  expect_image(pulled, wanted);
  EXPECT_EQ(pulled->repo_digest, index);
  options_.architecture = "riscv64";
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("no matching manifest for linux/riscv64"));
}

// --- tokens and redirects

// Registry and token server in one; gives a new token each time and takes only the newest.
struct TokenRegistry {
  explicit TokenRegistry(const TestImage& content, bool password)
      : image(content), wants_password(password) {}

  Reply operator()(const ServedRequest& request) {
    const std::scoped_lock lock(mutex);
    if (request.path.starts_with("/token")) {
      if (wants_password && request.header("authorization") != "Basic YWxpY2U6c2VjcmV0")
        return {.status = 401};
      return {.body = R"({"access_token":"t)" + std::to_string(++tokens) + R"(","expires_in":60})"};
    }
    if (request.header("authorization") == "Bearer t" + std::to_string(tokens)) {
      if (asks_for(request, image.config)) ++tokens;  // it runs out in the middle
      return serve(image, request);
    }
    return {.status = 401,
            .headers = {"WWW-Authenticate: Bearer realm=\"http://" + request.header("host") +
                        "/token\",service=\"test\",scope=\"repository:x:pull\""}};
  }

  const TestImage& image;
  const bool wants_password;
  std::mutex mutex;
  int tokens = 0;
};

TEST_F(Registry, TokensForEverybody) {
  const TestImage image = test::make_image(5);
  TokenRegistry registry(image, false);
  const HttpServer server([&](const ServedRequest& request) { return registry(request); });
  expect_image(pull(server.host() + "/x:1"), image);
  EXPECT_EQ(server.requests().at(1).path, "/token?service=test&scope=repository%3ax%3apull");
  EXPECT_EQ(registry.tokens, 3) << "one, its end, one for all layers";
}

TEST_F(Registry, TokensForThosePermitted) {
  const TestImage image = test::make_image(2);
  TokenRegistry registry(image, true);
  const HttpServer server([&](const ServedRequest& request) { return registry(request); });
  const std::string name = server.host() + "/x:1";
  EXPECT_THAT(pull_error(name), HasSubstr("pull access denied for"));
  options_.credentials = image::Credentials{"alice", "wrong"};
  EXPECT_EQ(pull_error(name), name + ": unauthorized: authentication required");
  options_.credentials->password = "secret";
  expect_image(pull(name), image);
}

TEST_F(Registry, RedirectsDoNotCarryTheToken) {
  const TestImage image = test::make_image(2);
  const HttpServer storage([&](const ServedRequest& request) { return serve(image, request); });
  TokenRegistry registry(image, false);
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = registry(request);
    if (reply.status == 200 && request.path.find("/blobs/") != std::string::npos)
      reply = {.status = 307, .headers = {"Location: http://" + storage.host() + request.path}};
    return reply;
  });
  expect_image(pull(server.host() + "/x:1"), image);
  EXPECT_EQ(storage.requests().size(), 3u);
  for (const auto& request : storage.requests()) EXPECT_EQ(request.header("authorization"), "");
}

TEST_F(Registry, RedirectsWithoutEnd) {
  const HttpServer server([](const ServedRequest& request) {
    return Reply{.status = 302, .headers = {"Location: " + request.path + "x"}};
  });
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("redirects"));
  EXPECT_LE(server.requests().size(), 12u);
}

TEST_F(Registry, RedirectsToFilesAreNotFollowed) {
  const HttpServer server(
      [](const ServedRequest&) { return Reply{.status = 302, .headers = {"Location: file:///etc/passwd"}}; });
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("file"));
}

TEST_F(Registry, OneFailureEndsTheOthers) {
  const TestImage image = test::make_image(6, 100000);
  const HttpServer server([&](const ServedRequest& request) {
    if (asks_for(request, image.layers[0])) return not_found();
    Reply reply = serve(image, request);
    for (const std::string& digest : image.layers)
      if (asks_for(request, digest)) reply.cut = 10;  // would take seconds of tries
    return reply;
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(pull_error(server.host() + "/x:1"), HasSubstr("layer " + image.layers[0] + ": blob unknown"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

}  // namespace
}  // namespace fermata
