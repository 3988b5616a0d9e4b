#include "cri/fixture.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "e2e/support/archives.h"
#include "e2e/support/cgroup_manager.h"
#include "e2e/support/host.h"
#include "e2e/support/isolation.h"
#include "e2e/support/snapshot.h"
#include "kernel/support/registry_process.h"
#include "scope/scope_name.h"

namespace fermata::cri_test {

namespace fs = std::filesystem;
using e2e::contains;
using e2e::run_program;

namespace {

std::optional<Kind> g_kind;

// What all tests of a program share: a directory, a registry with images, the daemon.
class Surroundings {
 public:
  Surroundings() {
    std::string name = "/tmp/fcrXXXXXX";
    EXPECT_NE(nullptr, ::mkdtemp(name.data()));
    directory_ = name;
    tag_ = "fermata-cri-" + name.substr(name.size() - 6);
    fs::create_directories(directory_ + "/registry/storage");
    fs::create_directories(directory_ + "/d");
    registry_ =
        std::make_unique<test::RegistryProcess>(directory_ + "/registry", test::RegistryProcess::Options{});
    EXPECT_TRUE(registry_->runs()) << "docker-registry does not start";
    push_images();
    daemon_ = std::make_unique<Daemon>(
        DaemonOptions{.kind = *g_kind, .directory = directory_ + "/d", .pause_image = host() + "/pause:1"});
    daemon_->start();
    pull();
  }
  ~Surroundings() {
    if (daemon_->runs()) {
      EXPECT_EQ(0, daemon_->stop()) << daemon_->log();
    }
    registry_.reset();
    EXPECT_TRUE(eventually([&] { return processes().empty(); }, 20)) << *processes().begin();
    remove_cgroups();
    run_program(
        {"sh", "-c", "grep -o ' " + directory_ + "[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l"});
    EXPECT_TRUE(run_program({"rm", "-rf", "--one-file-system", directory_}).ok());
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  Daemon& daemon() { return *daemon_; }
  std::string host() const { return registry_->host(); }
  const std::string& directory() const { return directory_; }
  const std::string& tag() const { return tag_; }
  std::set<std::string> processes() const {
    return e2e::engine_processes({.root = directory_, .run_root = directory_, .tag = tag_});
  }
  std::string find_cgroups(const std::string& action) const {
    return run_program(
               {"sh", "-c", "find /sys/fs/cgroup -depth -type d -path '*" + tag_ + "[/-]*' " + action})
        .out;
  }

 private:
  void push(const std::string& archive, const std::string& name) const {
    const e2e::Outcome pushed =
        run_program({"skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", archive,
                     "docker://" + host() + "/" + name},
                    {.seconds = 60});
    EXPECT_TRUE(pushed.ok()) << name << ": " << pushed;
  }
  void push_images() const {
    const std::string tar = directory_ + "/base.tar", archive = directory_ + "/archive.tar";
    e2e::pack_base(directory_ + "/base", tar);
    e2e::write_docker_archive({.layer_tar = tar, .name = "base:1"}, archive);
    push("docker-archive:" + archive, "base:1");
    e2e::write_docker_archive(
        {.layer_tar = tar, .name = "other:1", .command = R"(["/bin/probe", "exit", "8"])"}, archive);
    push("docker-archive:" + archive, "other:1");
    const e2e::Outcome made = run_program({e2e::kFermata, "pause-image", "--output",
                                           "oci-archive:" + directory_ + "/pause.tar", "--tag", "pause:1"});
    EXPECT_TRUE(made.ok()) << made;
    push("oci-archive:" + directory_ + "/pause.tar", "pause:1");
  }
  void pull() const {
    v1::PullImageRequest request;
    request.mutable_image()->set_image(host() + "/base:1");
    EXPECT_OK(daemon_->client().call(&ImageStore::PullImage, request)) << daemon_->log();
  }
  void remove_cgroups() const {
    run_program({"sh", "-c",
                 "find /sys/fs/cgroup -depth -type d -path '*" + tag_ + "*' -exec rmdir {} + 2>/dev/null"});
  }

  std::string directory_, tag_;
  std::unique_ptr<test::RegistryProcess> registry_;
  std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<Surroundings> g_surroundings;

Surroundings& surroundings() { return *g_surroundings; }

// Around all tests, while assertions still count.
class SurroundingsEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() != 0) return;
    g_surroundings = std::make_unique<Surroundings>();
    // Fatal: no test can run then.
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  void TearDown() override { g_surroundings.reset(); }
};

// The answer; without one the test has failed and ends here.
template <typename Message>
Message answer(const Reply<Message>& reply) {
  if (reply.ok()) return *reply;
  std::ostringstream words;
  words << reply;
  throw std::runtime_error(words.str());
}

template <typename Item>
std::set<std::string> ids(const std::vector<Item>& list) {
  std::set<std::string> result;
  for (const Item& item : list) result.insert(item.id());
  return result;
}

bool systemd_makes_groups() { return e2e::cgroup_manager() == "systemd"; }

// As a kubelet writes it; a slice's name has the names of those above it, with dashes between.
std::string cgroup_parent(std::string name) {
  const std::string& tag = surroundings().tag();
  if (!systemd_makes_groups()) return "/" + tag + "/pod_" + name;
  std::replace(name.begin(), name.end(), '-', '_');
  return "/" + scope::slice_directory(tag + "-pod_" + name + ".slice").value();
}

// Links that pods make; a bridge stays.
std::set<std::string> links() {
  std::set<std::string> result;
  for (const std::string& link : e2e::host_links())
    if (contains(link, "veth") || contains(link, "-h")) result.insert(link);
  return result;
}

}  // namespace

std::set<std::string> ids_of(const std::vector<v1::Container>& list) { return ids(list); }
std::set<std::string> ids_of(const std::vector<v1::PodSandbox>& list) { return ids(list); }

std::int64_t now() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

Daemon& CriTest::daemon() { return surroundings().daemon(); }
std::string CriTest::registry() { return surroundings().host(); }
std::string CriTest::image() { return registry() + "/base:1"; }
std::string CriTest::other_image() { return registry() + "/other:1"; }
std::string CriTest::scratch(const std::string& name) { return surroundings().directory() + "/" + name; }

void CriTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (!daemon().runs()) daemon().start();
  before_ = e2e::host_mounts();
}

void CriTest::TearDown() {
  if (::geteuid() != 0) return;
  for (const v1::PodSandbox& pod : pods()) remove_pod(pod.id());
  EXPECT_THAT(ids_of(pods()), testing::IsEmpty());
  EXPECT_THAT(ids_of(containers()), testing::IsEmpty());
  fs::remove_all(scratch("logs"));
  EXPECT_TRUE(eventually([] { return links().empty(); })) << "left behind: " << *links().begin();
  // The daemon itself may keep what it needs: only what pods had is looked for.
  EXPECT_TRUE(eventually([&] { return e2e::host_mounts() == before_; })) << "mounts are left behind";
  if (!is_containerd()) {
    const auto groups = [] { return surroundings().find_cgroups("-path '*pod_*/*'"); };
    // Scopes are systemd's, which takes them away after the call; all others are gone with it.
    if (systemd_makes_groups()) eventually([&] { return groups().empty(); });
    EXPECT_EQ("", groups()) << "cgroups are left behind";
  }
}

v1::PodSandboxConfig CriTest::pod_config(const std::string& name) {
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_uid(name + "-uid");
  config.mutable_metadata()->set_namespace_("tests");
  config.set_hostname(name);
  config.set_log_directory(scratch("logs/" + name));
  (*config.mutable_labels())["name"] = name;
  (*config.mutable_labels())["of"] = "tests";
  (*config.mutable_annotations())["note"] = "about " + name;
  config.mutable_linux()->set_cgroup_parent(cgroup_parent(name));
  return config;
}

std::string CriTest::run_pod(const v1::PodSandboxConfig& config) {
  fs::create_directories(config.log_directory());
  v1::RunPodSandboxRequest request;
  *request.mutable_config() = config;
  const std::string id = answer(client().call(&Runtime::RunPodSandbox, request)).pod_sandbox_id();
  configs_[id] = config;
  return id;
}

Reply<v1::StopPodSandboxResponse> CriTest::ask_stop_pod(const std::string& id) {
  v1::StopPodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  return client().call(&Runtime::StopPodSandbox, request);
}

Reply<v1::RemovePodSandboxResponse> CriTest::ask_remove_pod(const std::string& id) {
  v1::RemovePodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  return client().call(&Runtime::RemovePodSandbox, request);
}

void CriTest::remove_pod(const std::string& id) {
  stop_pod(id);
  EXPECT_OK(ask_remove_pod(id));
}

v1::PodSandboxStatus CriTest::pod_status(const std::string& id) {
  v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(id);
  return answer(client().call(&Runtime::PodSandboxStatus, request)).status();
}

v1::ContainerConfig CriTest::container_config(const Arguments& command, const std::string& name) {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name(name);
  config.mutable_image()->set_image(image());
  for (const std::string& word : command) config.add_command(word);
  config.set_log_path(name + ".log");
  (*config.mutable_labels())["name"] = name;
  (*config.mutable_annotations())["note"] = "about " + name;
  config.mutable_linux();
  return config;
}

Reply<v1::CreateContainerResponse> CriTest::try_create(const std::string& pod,
                                                       const v1::ContainerConfig& config) {
  v1::CreateContainerRequest request;
  request.set_pod_sandbox_id(pod);
  *request.mutable_config() = config;
  const auto found = configs_.find(pod);
  *request.mutable_sandbox_config() = found == configs_.end() ? pod_config() : found->second;
  return client().call(&Runtime::CreateContainer, request);
}

std::string CriTest::create(const std::string& pod, const v1::ContainerConfig& config) {
  return answer(try_create(pod, config)).container_id();
}

Reply<v1::StartContainerResponse> CriTest::start(const std::string& id) {
  v1::StartContainerRequest request;
  request.set_container_id(id);
  return client().call(&Runtime::StartContainer, request);
}

std::string CriTest::run(const std::string& pod, const v1::ContainerConfig& config) {
  std::string id = create(pod, config);
  answer(start(id));
  return id;
}

std::string CriTest::output(const std::string& pod, const v1::ContainerConfig& config) {
  const std::string id = run(pod, config);
  const v1::ContainerStatus ended = wait_exited(id);
  const std::string path = configs_[pod].log_directory() + "/" + config.log_path();
  std::string text;
  for (const std::string& line : e2e::lines_of(e2e::slurp(path))) {
    // "TIME stdout F words"
    const auto tag = line.find(" F ");
    text += tag == std::string::npos ? line : line.substr(tag + 3);
    text += "\n";
  }
  EXPECT_EQ(v1::CONTAINER_EXITED, ended.state());
  EXPECT_EQ(0, ended.exit_code()) << text;
  EXPECT_OK(remove(id));
  fs::remove(path);
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

Reply<v1::StopContainerResponse> CriTest::stop(const std::string& id, int seconds) {
  v1::StopContainerRequest request;
  request.set_container_id(id);
  request.set_timeout(seconds);
  return client().call(&Runtime::StopContainer, request);
}

Reply<v1::RemoveContainerResponse> CriTest::remove(const std::string& id) {
  v1::RemoveContainerRequest request;
  request.set_container_id(id);
  return client().call(&Runtime::RemoveContainer, request);
}

v1::ContainerStatus CriTest::status(const std::string& id) {
  v1::ContainerStatusRequest request;
  request.set_container_id(id);
  return answer(client().call(&Runtime::ContainerStatus, request)).status();
}

v1::ContainerStatus CriTest::wait_for(const std::string& id, v1::ContainerState state, double seconds) {
  v1::ContainerStatus last;
  EXPECT_TRUE(eventually([&] { return (last = status(id)).state() == state; }, seconds))
      << v1::ContainerState_Name(last.state());
  return last;
}

Reply<v1::ExecSyncResponse> CriTest::exec(const std::string& id, const Arguments& command, int seconds) {
  v1::ExecSyncRequest request;
  request.set_container_id(id);
  request.set_timeout(seconds);
  for (const std::string& word : command) request.add_cmd(word);
  return client().call(&Runtime::ExecSync, request);
}

std::string CriTest::inside(const std::string& id, const Arguments& command) {
  const v1::ExecSyncResponse ended = answer(exec(id, command));
  EXPECT_EQ(0, ended.exit_code()) << ended.stderr();
  const std::string text = ended.stdout();
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

std::vector<v1::Container> CriTest::containers(const v1::ContainerFilter& filter) {
  v1::ListContainersRequest request;
  *request.mutable_filter() = filter;
  const auto all = answer(client().call(&Runtime::ListContainers, request));
  return {all.containers().begin(), all.containers().end()};
}

std::vector<v1::PodSandbox> CriTest::pods(const v1::PodSandboxFilter& filter) {
  v1::ListPodSandboxRequest request;
  *request.mutable_filter() = filter;
  const auto all = answer(client().call(&Runtime::ListPodSandbox, request));
  return {all.items().begin(), all.items().end()};
}

std::vector<std::string> CriTest::log_lines(const std::string& name, const std::string& pod) {
  return e2e::lines_of(e2e::slurp(scratch("logs/" + pod + "/" + name + ".log")));
}

std::vector<std::string> CriTest::logged(const std::string& name, const std::string& pod) {
  std::vector<std::string> lines = log_lines(name, pod);
  for (std::string& line : lines) line = line.substr(line.find(' ') + 1);
  return lines;
}

}  // namespace fermata::cri_test

int main(int argc, char** argv) {
  using namespace fermata::cri_test;
  fermata::e2e::enter_test_host();
  testing::InitGoogleTest(&argc, argv);
  const std::string name = argc == 2 ? argv[1] : "";
  if (name == "fermatad") g_kind = Kind::fermatad;
  if (name == "containerd") g_kind = Kind::containerd;
  if (!g_kind) {
    std::cerr << "usage: " << argv[0] << " fermatad|containerd\n";
    return 2;
  }
  testing::AddGlobalTestEnvironment(new SurroundingsEnvironment);
  return RUN_ALL_TESTS();
}
