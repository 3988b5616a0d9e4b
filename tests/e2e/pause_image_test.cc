// `fermata pause-image`: what other tools read, byte for byte the same each time, and run by our own engine
// as any image.
#include <filesystem>

#include "e2e/support/fixture.h"
#include "kernel/support/registry_process.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

constexpr char kAllPlatforms[] =
    "linux/amd64\nlinux/arm64\nlinux/arm/v7\nlinux/ppc64le\nlinux/riscv64\nlinux/s390x\nlinux/386";

class PauseImage : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    fs::create_directories(scratch("image"));
  }
  void TearDown() override {
    fs::remove_all(scratch("image"));
    for (const auto& line : lines_of(fermata({"images", "--format", "{{.Repository}}:{{.Tag}}"}).out))
      if (contains(line, "out-of-house")) fermata({"rmi", "-f", line});
    EndToEnd::TearDown();
  }
  static std::string place(const std::string& name) { return scratch("image/" + name); }
  static Outcome write(const std::string& form, const std::string& name, const Arguments& more = {}) {
    Arguments arguments{"pause-image", "--output", form + ":" + place(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fermata(arguments);
  }
  // A container of the image: not the built-in pause, but an image like any other.
  static void expect_it_runs(const std::string& name) {
    must({"run", "-d", "--name", "own", name});
    EXPECT_EQ(slurp(programs_directory() + "/pause"),
              slurp("/proc/" + std::to_string(host().pid_of("own")) + "/exe"));
    EXPECT_THAT(slurp("/proc/" + std::to_string(host().pid_of("own")) + "/status"),
                HasSubstr("Uid:\t65535\t65535"));
    must({"stop", "own"});
    EXPECT_EQ("0", host().inspect("own", "{{.State.ExitCode}}"));
    EXPECT_THAT(fermata({"logs", "own"}).err, HasSubstr("Shutting down, got signal: Terminated"));
    must({"rm", "own"});
  }
};

TEST_F(PauseImage, HasAllPlatformsAndIsTheSameEachTime) {
  for (const char* name : {"one", "two"}) EXPECT_EQ(kAllPlatforms, write("oci", name).line());
  EXPECT_EQ("", run_program({"diff", "-r", place("one"), place("two")}).out);
  EXPECT_TRUE(write("oci-archive", "one.tar").ok());
  EXPECT_TRUE(write("oci-archive", "two.tar").ok());
  EXPECT_EQ(slurp(place("one.tar")), slurp(place("two.tar")));
  // Everything that a registry would keep, a platform.
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(place("one")))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_LE(bytes, 7U * 10'000);
}

TEST_F(PauseImage, OtherToolsReadIt) {
  must({"pause-image", "-o", "oci:" + place("layout"), "--tag", "registry.example/out-of-house/pause:3.10"});
  for (const auto& [architecture, variant] : std::vector<std::pair<std::string, std::string>>{{"amd64", ""},
                                                                                              {"arm64", ""},
                                                                                              {"arm", "v7"},
                                                                                              {"ppc64le", ""},
                                                                                              {"s390x", ""},
                                                                                              {"riscv64", ""},
                                                                                              {"386", ""}}) {
    Arguments skopeo{"skopeo", "--override-arch", architecture};
    if (!variant.empty()) skopeo.insert(skopeo.end(), {"--override-variant", variant});
    skopeo.insert(skopeo.end(), {"inspect", "--config", "oci:" + place("layout") + ":3.10"});
    const Outcome outcome = run_program(skopeo);
    EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_THAT(outcome.out, HasSubstr("\"architecture\": \"" + architecture + "\""));
    EXPECT_THAT(outcome.out, HasSubstr("\"User\": \"65535:65535\""));
    EXPECT_THAT(outcome.out, HasSubstr("\"/pause\""));
  }
}

TEST_F(PauseImage, GoesThroughARegistryAndRuns) {
  test::RegistryProcess registry(scratch("image"), {});
  ASSERT_TRUE(registry.runs());
  ASSERT_TRUE(write("oci", "layout").ok());
  const std::string name = registry.host() + "/out-of-house/pause:1";
  const Outcome pushed = run_program(
      {"skopeo", "copy", "--all", "--dest-tls-verify=false", "oci:" + place("layout"), "docker://" + name});
  ASSERT_TRUE(pushed.ok()) << pushed;
  must({"pull", name});
  expect_it_runs(name);
}

TEST_F(PauseImage, IsLoadedFromEachArchive) {
  for (const char* form : {"oci-archive", "docker-archive"}) {
    const std::string name = std::string("out-of-house/") + form + ":1";
    ASSERT_TRUE(write(form, form, {"--tag", name, "-t", "out-of-house/second:1"}).ok());
    must({"load", "-i", place(form)});
    expect_it_runs(name);
    EXPECT_THAT(must({"images", "--format", "{{.Repository}}"}), HasSubstr("out-of-house/second"));
    must({"rmi", name});
  }
  const Outcome piped =
      run_program({"sh", "-c", kFermata + " pause-image -o docker-archive:- -t out-of-house/piped:1 | cat"});
  EXPECT_TRUE(write("docker-archive", "file.tar", {"-t", "out-of-house/piped:1"}).ok());
  EXPECT_EQ(slurp(place("file.tar")), piped.out);
}

TEST_F(PauseImage, OnlyWhatWasAskedFor) {
  EXPECT_EQ("linux/s390x\nlinux/arm/v7", write("oci", "some", {"--platform", "linux/s390x,arm"}).line());
  EXPECT_EQ("linux/amd64", write("docker-archive", "native").line());
  EXPECT_EQ("linux/arm64", write("docker-archive", "other", {"--platform", "linux/arm64"}).line());
}

TEST_F(PauseImage, RefusesWhatItCannotWriteAndLeavesNothing) {
  spill(place("file"), "precious");
  const std::vector<std::pair<Arguments, std::string>> refused = {
      {{}, "--output is missing: oci:DIR, oci-archive:FILE or docker-archive:FILE"},
      {{"-o", place("x")}, "expected oci:DIR, oci-archive:FILE or docker-archive:FILE"},
      {{"-o", "oci:"}, "names no file or directory"},
      {{"-o", "oci:-"}, "a directory cannot go to standard output"},
      {{"-o", "oci:" + place("file")}, "exists already"},
      {{"-o", "oci:" + scratch("image")}, "exists already"},
      {{"-o", "oci-archive:" + place("file")}, "exists already"},
      {{"-o", "oci-archive:" + place("no/such/directory")}, "no such file or directory"},
      {{"-o", "oci:" + place("x"), "--platform", "windows/amd64"},
       "there is no pause for platform 'windows/amd64'"},
      {{"-o", "docker-archive:" + place("x"), "--platform", "amd64,arm64"}, "holds an image of one platform"},
      {{"-o", "oci:" + place("x"), "--tag", "Not A Name"}, "invalid reference format"},
  };
  for (const auto& [flags, words] : refused) {
    Arguments arguments{"pause-image"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = fermata(arguments);
    EXPECT_EQ(1, outcome.code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr(words));
  }
  EXPECT_EQ("precious", slurp(place("file")));
  EXPECT_EQ(1, std::distance(fs::directory_iterator(scratch("image")), fs::directory_iterator()));
}

}  // namespace
}  // namespace fermata::e2e
