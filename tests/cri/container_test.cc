// Containers: their life from created to removed, how they end, and the process that their configuration asks
// for.
#include <filesystem>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class Container : public CriTest {
 protected:
  static v1::LinuxContainerSecurityContext* security(v1::ContainerConfig& config) {
    return config.mutable_linux()->mutable_security_context();
  }
  // Of a process that such a container starts.
  std::string field_of_status(v1::ContainerConfig config, const std::string& field) {
    for (const std::string& word : {std::string("grep"), field + ":", std::string("/proc/self/status")})
      config.add_command(word);
    const std::string text = output(run_pod(), config);
    return text.substr(text.find('\t') + 1);
  }
};

TEST_F(Container, GoesFromCreatedToExited) {
  const std::string pod = run_pod();
  const std::int64_t before = now();
  const std::string id = create(pod, container_config({"sh", "-c", "sleep 0.5; exit 7"}));
  v1::ContainerStatus at = status(id);
  EXPECT_EQ(v1::CONTAINER_CREATED, at.state());
  EXPECT_EQ(id, at.id());
  EXPECT_EQ("main", at.metadata().name());
  EXPECT_THAT(at.labels(), UnorderedElementsAre(Pair("name", "main")));
  EXPECT_THAT(at.annotations(), UnorderedElementsAre(Pair("note", "about main")));
  EXPECT_EQ(image(), at.image().image());
  EXPECT_NE("", at.image_ref());
  EXPECT_EQ(scratch("logs/pod/main.log"), at.log_path());
  EXPECT_GE(at.created_at(), before);
  EXPECT_EQ(0, at.started_at());
  EXPECT_EQ(0, at.finished_at());

  ASSERT_OK(start(id));
  at = status(id);
  EXPECT_EQ(v1::CONTAINER_RUNNING, at.state());
  EXPECT_GE(at.started_at(), at.created_at());

  at = wait_exited(id);
  EXPECT_EQ(7, at.exit_code());
  EXPECT_EQ("Error", at.reason());
  EXPECT_GE(at.finished_at(), at.started_at());
  EXPECT_LE(at.finished_at(), now());
}

TEST_F(Container, IsCompletedWhenItSucceeds) {
  const v1::ContainerStatus at = wait_exited(run(run_pod(), {"true"}));
  EXPECT_EQ(0, at.exit_code());
  EXPECT_EQ("Completed", at.reason());
}

TEST_F(Container, EndsByItsStopSignal) {
  const std::string id =
      run(run_pod(), {"sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_TRUE(eventually([&] { return !logged().empty(); }));
  EXPECT_OK(stop(id, 20));
  const v1::ContainerStatus at = status(id);
  EXPECT_EQ(v1::CONTAINER_EXITED, at.state()) << "when the call returns";
  EXPECT_EQ(3, at.exit_code());
}

TEST_F(Container, IsKilledAfterItsGracePeriod) {
  const std::string id = run(run_pod(), {"sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_TRUE(eventually([&] { return !logged().empty(); }));
  const std::int64_t before = now();
  EXPECT_OK(stop(id, 1));
  EXPECT_GE(now() - before, 1'000'000'000);
  EXPECT_EQ(137, status(id).exit_code());
}

TEST_F(Container, IsKilledAtOnceWithoutAGracePeriod) {
  const std::string id = run(run_pod(), {"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"});
  EXPECT_OK(stop(id, 0));
  EXPECT_EQ(137, status(id).exit_code());
}

TEST_F(Container, CanBeRemovedWhileItRuns) {
  const std::string id = run(run_pod(), {"sleep", "1000"});
  EXPECT_OK(remove(id));
  EXPECT_THAT(containers(), IsEmpty());
}

TEST_F(Container, WhoseProgramIsMissingDoesNotStart) {
  const std::string id = create(run_pod(), container_config({"/no/such/program"}));
  const auto reply = start(id);
  EXPECT_FALSE(reply.ok());
  EXPECT_THAT(reply.error(), HasSubstr("/no/such/program"));
  const v1::ContainerStatus at = status(id);
  EXPECT_EQ(v1::CONTAINER_EXITED, at.state());
  EXPECT_NE(0, at.exit_code());
}

// Of one that runs, containerd calls it an error, and Fermata a call repeated.
TEST_F(Container, IsNotStartedAgainOnceItHasEnded) {
  const std::string id = run(run_pod(), {"true"});
  wait_exited(id);
  EXPECT_FALSE(start(id).ok());
}

TEST_F(Container, IsNotMadeInAPodThatHasStopped) {
  const std::string pod = run_pod();
  stop_pod(pod);
  EXPECT_FALSE(try_create(pod, container_config({"true"})).ok());
  EXPECT_THAT(containers(), IsEmpty());
}

TEST_F(Container, HasItsNameOnceAnAttempt) {
  const std::string pod = run_pod();
  const std::string first = create(pod, container_config({"true"}));
  v1::ContainerConfig config = container_config({"true"});
  config.mutable_metadata()->set_attempt(1);
  EXPECT_NE(first, create(pod, config));
}

TEST_F(Container, TakesArgumentsEnvironmentAndDirectory) {
  v1::ContainerConfig config = container_config({"sh", "-c"});
  config.add_args("echo $0 $COLOUR; pwd");
  config.add_args("zero");
  config.set_working_dir("/var/data");
  v1::KeyValue& variable = *config.add_envs();
  variable.set_key("COLOUR");
  variable.set_value("blue and green");
  EXPECT_EQ("zero blue and green\n/var/data", output(run_pod(), config));
}

TEST_F(Container, ArgumentsReplaceTheImagesCommandAlone) {
  // The image's command is {"/bin/probe", "exit", "7"}.
  const std::string pod = run_pod();
  EXPECT_EQ(7, wait_exited(run(pod, container_config({}, "none"))).exit_code());
  v1::ContainerConfig config = container_config({}, "replaced");
  for (const char* word : {"/bin/probe", "exit", "9"}) config.add_args(word);
  EXPECT_EQ(9, wait_exited(run(pod, config)).exit_code());
}

TEST_F(Container, SeesWhatIsMountedFromTheHost) {
  const std::string host = scratch("shared");
  std::filesystem::create_directories(host);
  e2e::spill(host + "/hello", "from the host\n");
  v1::ContainerConfig config = container_config(
      {"sh", "-c", "cat /rw/hello; echo back > /rw/answer; touch /ro/x 2>/dev/null || echo refused"});
  for (const bool readonly : {false, true}) {
    v1::Mount& mount = *config.add_mounts();
    mount.set_container_path(readonly ? "/ro" : "/rw");
    mount.set_host_path(host);
    mount.set_readonly(readonly);
  }
  EXPECT_EQ("from the host\nrefused", output(run_pod(), config));
  EXPECT_EQ("back\n", e2e::slurp(host + "/answer"));
  std::filesystem::remove_all(host);
}

TEST_F(Container, TellsItsMounts) {
  const std::string host = scratch("shared");
  std::filesystem::create_directories(host);
  v1::ContainerConfig config = container_config({"true"});
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/there");
  mount.set_host_path(host);
  mount.set_readonly(true);
  const v1::ContainerStatus at = status(create(run_pod(), config));
  ASSERT_EQ(1, at.mounts_size());
  EXPECT_EQ("/there", at.mounts(0).container_path());
  EXPECT_EQ(host, at.mounts(0).host_path());
  EXPECT_TRUE(at.mounts(0).readonly());
  std::filesystem::remove_all(host);
}

TEST_F(Container, MakesADirectoryThatIsToBeMounted) {
  const std::string host = scratch("made/here");
  v1::ContainerConfig config = container_config({"touch", "/there/file"});
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/there");
  mount.set_host_path(host);
  output(run_pod(), config);
  EXPECT_TRUE(std::filesystem::exists(host + "/file"));
  std::filesystem::remove_all(scratch("made"));
}

TEST_F(Container, RunsAsAUserAndGroup) {
  v1::ContainerConfig config = container_config({"id"});
  security(config)->mutable_run_as_user()->set_value(1234);
  security(config)->mutable_run_as_group()->set_value(4321);
  security(config)->add_supplemental_groups(77);
  EXPECT_EQ("uid=1234 gid=4321 groups=77,4321", output(run_pod(), config));
}

TEST_F(Container, RunsAsAUserOfTheImageByName) {
  v1::ContainerConfig config = container_config({"id"});
  security(config)->set_run_as_username("web");
  EXPECT_EQ("uid=1000(web) gid=1001(web) groups=29(audio),44(video),1001(web)", output(run_pod(), config));
}

TEST_F(Container, CannotWriteToAReadOnlyRoot) {
  v1::ContainerConfig config =
      container_config({"sh", "-c", "touch /x 2>/dev/null && echo written || echo refused"});
  const std::string pod = run_pod();
  EXPECT_EQ("written", output(pod, config));
  security(config)->set_readonly_rootfs(true);
  EXPECT_EQ("refused", output(pod, config));
}

TEST_F(Container, GainsAndLosesCapabilities) {
  v1::ContainerConfig config = container_config({});
  security(config)->mutable_capabilities()->add_drop_capabilities("ALL");
  security(config)->mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  EXPECT_EQ("0000000000001000", field_of_status(config, "CapEff"));
}

TEST_F(Container, GainsNoPrivilegesWhenAskedNotTo) {
  v1::ContainerConfig config = container_config({});
  security(config)->set_no_new_privs(true);
  EXPECT_EQ("1", field_of_status(config, "NoNewPrivs"));
}

TEST_F(Container, IsConfinedBySeccompWhenAskedTo) {
  v1::ContainerConfig config = container_config({});
  security(config)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  EXPECT_EQ("2", field_of_status(config, "Seccomp"));
}

TEST_F(Container, IsUnconfinedBySeccompWhenAskedTo) {
  v1::ContainerConfig config = container_config({});
  security(config)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_EQ("0", field_of_status(config, "Seccomp"));
}

TEST_F(Container, SeesNothingBelowMaskedPaths) {
  v1::ContainerConfig config =
      container_config({"sh", "-c", "ls /var/data; touch /proc/sys/kernel/x 2>/dev/null || echo refused"});
  security(config)->add_masked_paths("/var/data");
  security(config)->add_readonly_paths("/proc/sys");
  EXPECT_EQ("refused", output(run_pod(), config));
}

TEST_F(Container, MayMountWhenItIsPrivileged) {
  v1::PodSandboxConfig pod = pod_config();
  pod.mutable_linux()->mutable_security_context()->set_privileged(true);
  v1::ContainerConfig config =
      container_config({"sh", "-c", "mount -t tmpfs none /tmp && echo mounted || echo refused"});
  const std::string id = run_pod(pod);
  EXPECT_THAT(output(id, config), HasSubstr("refused"));
  security(config)->set_privileged(true);
  EXPECT_EQ("mounted", output(id, config));
}

TEST_F(Container, TakesWhatItLeftInASharedPidNamespaceAlong) {
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sh", "-c", "sleep 1000 & exit 0"});
  wait_exited(id);
  EXPECT_OK(remove(id));
  const std::string other = run(pod, container_config({"sleep", "2000"}, "other"));
  EXPECT_TRUE(eventually([&] {
    return exec(other, {"pidof", "sleep"})->stdout().find(' ') == std::string::npos;
  })) << inside(other, {"pidof", "sleep"});
}

// What scripts of operators look for.
TEST_F(Container, VerboseStatusTellsTheWayIn) {
  v1::ContainerConfig config = container_config({"sleep", "1000"});
  v1::KeyValue& variable = *config.add_envs();
  variable.set_key("WORDS");
  variable.set_value("one two");
  const std::string id = run(run_pod(), config);
  v1::ContainerStatusRequest request;
  request.set_container_id(id);
  request.set_verbose(true);
  const auto reply = client().call(&Runtime::ContainerStatus, request);
  ASSERT_OK(reply);
  const std::string info = reply->info().at("info");
  EXPECT_THAT(info, testing::HasSubstr("\"runtimeSpec\":"));
  EXPECT_THAT(info, testing::ContainsRegex("\"path\":\"/proc/[0-9]+/ns/[a-z]+\""));
  EXPECT_THAT(info, testing::ContainsRegex("\"pid\":[1-9]"));
  if (!is_containerd()) {
    EXPECT_THAT(info, testing::HasSubstr("\"value\":\"one two\""));
  }
}

}  // namespace
}  // namespace fermata::cri_test
