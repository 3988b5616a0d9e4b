// Images: pulled from a registry of the test's own, told of, removed.
#include <algorithm>
#include <filesystem>

#include "cri/fixture.h"
#include "kernel/support/registry_process.h"

namespace fermata::cri_test {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// "secret" of user "alice" (bcrypt, its cheapest cost).
constexpr const char* kHtpasswd = "alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

class Images : public CriTest {
 protected:
  void TearDown() override {
    CriTest::TearDown();  // first: an image in use stays
    for (const std::string& name : made_) EXPECT_OK(remove_image(name));
  }
  // Another name in a registry for the image that nobody has pulled.
  std::string copy_as(const std::string& name, const std::string& host = registry(),
                      const Arguments& flags = {}) {
    Arguments command{"skopeo", "--insecure-policy",      "copy",
                      "-q",     "--src-tls-verify=false", "--dest-tls-verify=false"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"docker://" + other_image(), "docker://" + host + "/" + name});
    const e2e::Outcome copied = e2e::run_program(command);
    EXPECT_TRUE(copied.ok()) << copied;
    return host + "/" + name;
  }
  Reply<v1::PullImageResponse> pull(const std::string& name, const v1::AuthConfig& auth = {}) {
    v1::PullImageRequest request;
    request.mutable_image()->set_image(name);
    *request.mutable_auth() = auth;
    auto reply = client().call(&ImageStore::PullImage, request);
    if (reply.ok()) made_.push_back(name);
    return reply;
  }
  static std::string answered(const Reply<v1::PullImageResponse>& reply) {
    EXPECT_OK(reply);
    return reply->image_ref();
  }
  static v1::ImageStatusResponse image_status(const std::string& name, bool verbose = false) {
    v1::ImageStatusRequest request;
    request.mutable_image()->set_image(name);
    request.set_verbose(verbose);
    const auto reply = client().call(&ImageStore::ImageStatus, request);
    EXPECT_OK(reply);
    return *reply;
  }
  static bool is_there(const std::string& name) { return image_status(name).has_image(); }
  static std::vector<v1::Image> images(const std::string& filter = "") {
    v1::ListImagesRequest request;
    if (!filter.empty()) request.mutable_filter()->mutable_image()->set_image(filter);
    const auto reply = client().call(&ImageStore::ListImages, request);
    EXPECT_OK(reply);
    return {reply->images().begin(), reply->images().end()};
  }
  static Reply<v1::RemoveImageResponse> remove_image(const std::string& name) {
    v1::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    return client().call(&ImageStore::RemoveImage, request);
  }

 private:
  std::vector<std::string> made_;
};

TEST_F(Images, TellWhatWasPulled) {
  const std::string name = copy_as("told:1");
  const auto pulled = pull(name);
  ASSERT_OK(pulled);
  const v1::Image found = image_status(name).image();
  EXPECT_THAT(found.id(), StartsWith("sha256:"));
  EXPECT_EQ(found.id(), image_status(pulled->image_ref()).image().id()) << "by what the pull has answered";
  EXPECT_THAT(found.repo_tags(), Contains(name));
  EXPECT_THAT(found.repo_digests(), Contains(StartsWith(registry() + "/told@sha256:")));
  EXPECT_GT(found.size(), 100'000U);
  EXPECT_FALSE(found.pinned());
  EXPECT_EQ(0, found.uid().value());
}

TEST_F(Images, AreToldInFullWhenAskedTo) {
  EXPECT_TRUE(image_status(image()).info().empty());
  EXPECT_FALSE(image_status(image(), true).info().empty());
}

TEST_F(Images, OneWithoutATagIsTheLatest) {
  copy_as("latest:latest");
  const std::string name = registry() + "/latest";
  ASSERT_OK(pull(name));
  EXPECT_TRUE(is_there(name + ":latest"));
  EXPECT_THAT(image_status(name).image().repo_tags(), Contains(name + ":latest"));
}

TEST_F(Images, CanBePulledByDigest) {
  const std::string told = image_status(answered(pull(copy_as("told:1")))).image().repo_digests(0);
  const std::string digest = told.substr(told.find('@'));
  copy_as("digested:1");
  const std::string name = registry() + "/digested" + digest;
  ASSERT_OK(pull(name));
  const v1::Image found = image_status(name).image();
  EXPECT_THAT(found.repo_digests(), Contains(name));
  EXPECT_THAT(found.repo_tags(), Not(Contains(StartsWith(registry() + "/digested"))));
}

TEST_F(Images, OfTheSameContentAreOneWithManyNames) {
  const std::string one = copy_as("same:1"), two = copy_as("same:2");
  ASSERT_OK(pull(one));
  ASSERT_OK(pull(two));
  const v1::Image found = image_status(one).image();
  EXPECT_EQ(found.id(), image_status(two).image().id());
  EXPECT_THAT(found.repo_tags(), testing::IsSupersetOf({one, two}));
  const auto all = images();
  EXPECT_EQ(1, std::count_if(all.begin(), all.end(),
                             [&](const v1::Image& each) { return each.id() == found.id(); }));
}

TEST_F(Images, AreListedByName) {
  if (is_containerd()) GTEST_SKIP() << "this containerd lists all images, whatever the filter";
  const std::string name = copy_as("listed:1");
  EXPECT_THAT(images(name), IsEmpty());
  ASSERT_OK(pull(name));
  const auto found = images(name);
  ASSERT_EQ(1U, found.size());
  EXPECT_THAT(found[0].repo_tags(), Contains(name));
}

TEST_F(Images, AreListedAsAStreamToo) {
  const auto streamed = client().collect(&ImageStore::StreamImages, v1::StreamImagesRequest());
  if (too_old_for(streamed)) GTEST_SKIP() << "this containerd has no streamed lists";
  ASSERT_OK(streamed);
  std::set<std::string> ids;
  for (const auto& part : *streamed)
    for (const v1::Image& each : part.images()) EXPECT_TRUE(ids.insert(each.id()).second) << "twice";
  std::set<std::string> listed;
  for (const v1::Image& each : images()) listed.insert(each.id());
  EXPECT_EQ(listed, ids);
}

TEST_F(Images, LeaveByTheirIdWithAllNames) {
  const std::string one = copy_as("leaving:1"), two = copy_as("leaving:2");
  ASSERT_OK(pull(one));
  ASSERT_OK(pull(two));
  ASSERT_OK(remove_image(image_status(one).image().id()));
  EXPECT_FALSE(is_there(one));
  EXPECT_FALSE(is_there(two));
}

TEST_F(Images, AreRemovedAsOftenAsOneLikes) {
  const std::string name = copy_as("leaving:1");
  ASSERT_OK(pull(name));
  ASSERT_OK(remove_image(name));
  EXPECT_FALSE(is_there(name));
  EXPECT_OK(remove_image(name)) << "what is gone is no error";
}

TEST_F(Images, ThatNobodyHasAreNoErrorOfTheStatus) {
  EXPECT_FALSE(is_there(registry() + "/nobody:1"));
  EXPECT_FALSE(is_there("sha256:" + std::string(64, '0')));
}

TEST_F(Images, ThatTheRegistryHasNotAreNotFound) {
  const auto reply = pull(registry() + "/nobody:1");
  EXPECT_EQ(grpc::NOT_FOUND, reply.code()) << reply;
  EXPECT_THAT(reply.error(), HasSubstr(registry() + "/nobody:1"));
}

TEST_F(Images, OfARegistryThatIsNotThereAreNotPulled) {
  const auto reply = pull("127.0.0.1:9/nobody:1");
  EXPECT_FALSE(reply.ok());
  EXPECT_THAT(reply.error(), HasSubstr("127.0.0.1:9"));
}

TEST_F(Images, WithANameThatIsNoneAreRefused) {
  EXPECT_FALSE(pull("Not A Name").ok());
  EXPECT_FALSE(pull("").ok());
}

TEST_F(Images, OfAPrivateRegistryNeedTheirPassword) {
  const std::string directory = scratch("private");
  std::filesystem::create_directories(directory + "/storage");
  const test::RegistryProcess guarded(directory, {.htpasswd = kHtpasswd});
  const std::string name = copy_as("guarded:1", guarded.host(), {"--dest-creds", "alice:secret"});

  EXPECT_FALSE(pull(name).ok());
  v1::AuthConfig auth;
  auth.set_username("alice");
  auth.set_password("wrong");
  const auto wrong = pull(name, auth);
  EXPECT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error(), Not(HasSubstr("wrong"))) << "the password is told";
  auth.set_password("secret");
  ASSERT_OK(pull(name, auth));
  EXPECT_TRUE(is_there(name));
  ASSERT_OK(remove_image(name));

  v1::AuthConfig encoded;
  encoded.set_auth("YWxpY2U6c2VjcmV0");  // alice:secret
  EXPECT_OK(pull(name, encoded));
}

TEST_F(Images, RunInContainersByNameIdAndDigest) {
  const std::string name = copy_as("used:1");
  const auto pulled = pull(name);
  ASSERT_OK(pulled);
  const std::string pod = run_pod();
  int attempt = 0;
  for (const std::string& how : {name, image_status(name).image().id(), pulled->image_ref()}) {
    v1::ContainerConfig config = container_config({"true"});
    config.mutable_metadata()->set_attempt(attempt++);
    config.mutable_image()->set_image(how);
    EXPECT_EQ(0, wait_exited(run(pod, config)).exit_code()) << how;
  }
}

TEST_F(Images, TakeSpaceThatIsTold) {
  const auto reply = client().call(&ImageStore::ImageFsInfo, v1::ImageFsInfoRequest());
  ASSERT_OK(reply);
  ASSERT_GE(reply->image_filesystems_size(), 1);
  const v1::FilesystemUsage& usage = reply->image_filesystems(0);
  EXPECT_TRUE(std::filesystem::is_directory(usage.fs_id().mountpoint())) << usage.fs_id().mountpoint();
  EXPECT_GT(usage.timestamp(), 0);
  // containerd measures a while later.
  EXPECT_TRUE(eventually(
      [] {
        const auto later = client().call(&ImageStore::ImageFsInfo, v1::ImageFsInfoRequest());
        return later->image_filesystems_size() > 0 &&
               later->image_filesystems(0).used_bytes().value() > 100'000;
      },
      30));
}

}  // namespace
}  // namespace fermata::cri_test
