// An infra image of the user's choice in place of the built-in pause: by flag, by configuration, and when it
// cannot be had.
#include <filesystem>
#include <fstream>

#include "e2e/support/fixture.h"
#include "kernel/support/registry_process.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

constexpr char kReference[] = "out-of-house/pause:3.9";

class InfraImage : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    fs::create_directories(scratch("infra/root"));
    fs::copy_file(program(), scratch("infra/root/pause"), fs::copy_options::overwrite_existing);
    ASSERT_TRUE(
        run_program({"tar", "-C", scratch("infra/root"), "-cf", scratch("infra/root.tar"), "pause"}).ok());
    must({"import", "-c", "ENTRYPOINT [\"/pause\"]", "-c", "USER 65535:65535", scratch("infra/root.tar"),
          kReference});
  }
  void TearDown() override {
    EXPECT_TRUE(host().remove_all());
    must({"rmi", kReference});
    fs::remove_all(scratch("infra"));
    EndToEnd::TearDown();
  }
  // The pause of bench/, written the usual way: with a libc and signal handlers.
  static std::string program() { return programs_directory() + "/e2e_static_pause"; }
  static std::string path(const std::string& name) { return scratch("infra/" + name); }
  static bool runs_reference(const std::string& container) {
    return slurp("/proc/" + std::to_string(host().pid_of(container)) + "/exe") == slurp(program());
  }
  static Arguments run_pause(const Arguments& more) {
    Arguments arguments{"run", "-d", "--name", "pause"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back(kPause);
    return arguments;
  }
  static std::string infra_flag(const std::string& image) { return "--infra-image=" + image; }
  void expect_sandbox_failure(const std::string& image, const std::string& cause) {
    const Outcome outcome = fermata(run_pause({infra_flag(image)}), {.seconds = 60});
    EXPECT_EQ(125, outcome.code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("failed to create pod sandbox: failed to get sandbox image \"" +
                                       image + "\": failed to pull " + image + ": "));
    EXPECT_THAT(outcome.err, HasSubstr(cause));
    EXPECT_THAT(outcome.err, HasSubstr("\nHint: "));
    EXPECT_EQ("", must({"ps", "-aq"}));
  }
};

TEST_F(InfraImage, HoldsThePodAsTheBuiltInOneDoes) {
  must(run_pause({infra_flag(kReference), "--ipc=shareable"}));
  ASSERT_TRUE(runs_reference("pause"));
  EXPECT_THAT(must({"ps", "--format", "{{.Image}}"}), testing::Eq(kReference));
  start_probe("member", {"--net=container:pause", "--ipc=container:pause", "--pid=container:pause"},
              {"wait"});
  for (const char* kind : {"net", "ipc", "pid"})
    EXPECT_EQ(host().namespaces_of("pause").at(kind), host().namespaces_of("member").at(kind)) << kind;
  EXPECT_THAT(inside("member", {"ps", "-o", "pid,user,args"}), testing::ContainsRegex(" 1 +65535 +/pause"));
  // It is the pod's life, and the pod can be taken up again.
  must({"stop", "pause"});
  EXPECT_FALSE(host().is_running("member"));
  must({"start", "member"});
  EXPECT_TRUE(runs_reference("pause"));
  EXPECT_TRUE(host().is_running("member"));
}

TEST_F(InfraImage, ComesFromTheConfigurationUnlessAFlagSaysOtherwise) {
  spill(path("config.toml"), std::string("infra_image = \"") + kReference + "\"\n");
  const auto with_config = [&](const Arguments& arguments) {
    Arguments all = host().command({"--config", path("config.toml")});
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_program(all);
  };
  EXPECT_TRUE(with_config(run_pause({})).ok());
  EXPECT_TRUE(runs_reference("pause"));
  must({"rm", "-f", "pause"});
  // Only what would be the built-in pause is replaced.
  EXPECT_TRUE(with_config({"run", "-d", "--name", "job", kProbeImage, "wait"}).ok());
  EXPECT_FALSE(runs_reference("job"));
  const Outcome flagged =
      with_config(run_pause({"--pod-infra-container-image", "127.0.0.1:1/none:1", "--pull=never"}));
  EXPECT_EQ(125, flagged.code);
  EXPECT_THAT(flagged.err, HasSubstr("127.0.0.1:1/none:1"));
  // Without it the built-in one runs.
  must(run_pause({}));
  EXPECT_FALSE(runs_reference("pause"));
}

TEST_F(InfraImage, BadConfigurationsAreRefusedByLine) {
  spill(path("config.toml"), "# ours\ninfra_imige = 'x'\n");
  Arguments arguments = host().command({"--config", path("config.toml")});
  for (const auto& word : run_pause({})) arguments.push_back(word);
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(125, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("config.toml:2: unknown setting 'infra_imige'"));
  EXPECT_EQ("", must({"ps", "-aq"}));
}

TEST_F(InfraImage, IsRefusedForWhatIsNoPause) {
  const Outcome outcome = fermata({"run", "-d", infra_flag(kReference), kProbeImage, "wait"});
  EXPECT_EQ(125, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("is not a name of pause"));
}

TEST_F(InfraImage, TellsWhyItCannotBeHadAndTheWayOut) {
  expect_sandbox_failure("127.0.0.1:1/nobody/pause:3.9", "connection refused");
  {
    test::RegistryProcess registry(path("root"), {});
    ASSERT_TRUE(registry.runs());
    expect_sandbox_failure(registry.host() + "/no/pause:3.9", "not found");
  }
  test::RegistryProcess secure(path("root"),
                               test::RegistryProcess::make_certificate(scratch("infra"), "IP:127.0.0.1"));
  ASSERT_TRUE(secure.runs());
  expect_sandbox_failure(secure.host() + "/out-of-house/pause:3.9",
                         "x509: certificate signed by unknown authority");
}

}  // namespace
}  // namespace fermata::e2e
