// Images: import, load, names, removal, and archives that are broken.
#include <sys/mount.h>

#include <filesystem>

#include "e2e/support/archives.h"
#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

class Images : public EndToEnd {
 protected:
  void TearDown() override {
    // Every image but the base ones, so that the leak check sees layers that stay behind.
    for (const auto& line : lines_of(fermata({"images", "--format", "{{.Repository}}:{{.Tag}}"}).out))
      if (line != kBase && line != kProbeImage && !contains(line, "<none>") && !contains(line, "pause"))
        fermata({"rmi", "-f", line});
    EndToEnd::TearDown();
  }
  ArchiveRequest request() const { return {.layer_tar = host().base_tar()}; }
};

TEST_F(Images, ImportedChangesAreTheConfiguration) {
  host().import("e2e/changed:1",
                {"ENV A=b C=d", "WORKDIR /tmp", "USER web", "EXPOSE 80 53/udp", "VOLUME /var/data",
                 "LABEL k=v", "STOPSIGNAL USR1", "ENTRYPOINT [\"/bin/echo\", \"x\"]", "CMD [\"y\"]"});
  EXPECT_EQ("x y", must({"run", "--rm", "e2e/changed:1"}));
  EXPECT_EQ("x z", must({"run", "--rm", "e2e/changed:1", "z"}));
  EXPECT_EQ("web /tmp v USR1",
            must({"inspect", "--format",
                  "{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Labels.k}} {{.Config.StopSignal}}",
                  "e2e/changed:1"}));
  EXPECT_EQ("[/bin/echo x] [y]",
            must({"inspect", "--format", "{{.Config.Entrypoint}} {{.Config.Cmd}}", "e2e/changed:1"}));
  EXPECT_EQ("b d", must({"run", "--rm", "--entrypoint", "/bin/sh", "e2e/changed:1", "-c", "echo $A $C"}));
  must({"import", "-m", "from the attic", host().base_tar(), "e2e/changed:1"});
  EXPECT_EQ("from the attic", must({"image", "inspect", "--format", "{{.Comment}}", "e2e/changed:1"}));
  const Outcome bad = fermata({"import", "--change", "DANCE all night", host().base_tar(), "e2e/bad:1"});
  EXPECT_NE(0, bad.code);
  EXPECT_THAT(bad.err, HasSubstr("DANCE"));
}

TEST_F(Images, ImportReadsStdin) {
  const Outcome outcome =
      fermata({"import", "-", "e2e/stdin:1"}, {.input = slurp(host().base_tar()), .seconds = 60});
  EXPECT_EQ(0, outcome.code) << outcome;
  EXPECT_THAT(outcome.line(), testing::StartsWith("sha256:"));
  EXPECT_EQ(3, fermata({"run", "--rm", "e2e/stdin:1", "/bin/probe", "exit", "3"}).code);
}

TEST_F(Images, TheTableIsDockers) {
  const auto lines = lines_of(must({"images"}));
  ASSERT_GE(lines.size(), 3U);
  EXPECT_THAT(lines[0], MatchesRegex("REPOSITORY +TAG +IMAGE ID +CREATED +SIZE"));
  EXPECT_THAT(must({"images"}), testing::ContainsRegex("e2e/base +1 +[0-9a-f]+ +.* ago +[0-9.]+MB"));
  EXPECT_EQ(12U, must({"images", "-q", kBase}).size());
}

TEST_F(Images, NamesAreAddedAndTakenOneByOne) {
  const std::string id = must({"inspect", "--format", "{{.Id}}", kBase});
  must({"tag", kBase, "example.org:5000/team/other:v2"});
  EXPECT_EQ(id, must({"inspect", "--format", "{{.Id}}", "example.org:5000/team/other:v2"}));
  EXPECT_THAT(must({"rmi", "example.org:5000/team/other:v2"}),
              HasSubstr("Untagged: example.org:5000/team/other:v2"));
  EXPECT_EQ(id, must({"inspect", "--format", "{{.Id}}", kBase}));
}

TEST_F(Images, AnImageInUseStays) {
  host().import("e2e/used:1", {"CMD [\"/bin/probe\", \"wait\"]"});
  must({"run", "-d", "--name", "user", "e2e/used:1"});
  const Outcome outcome = fermata({"rmi", "e2e/used:1"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr(host().inspect("user", "{{.Id}}").substr(0, 12)));
  must({"rm", "-f", "user"});
  EXPECT_THAT(must({"rmi", "e2e/used:1"}), HasSubstr("Deleted: sha256:"));
  EXPECT_EQ(1, fermata({"rmi", "e2e/used:1"}).code);
}

TEST_F(Images, DockerArchivesAreLoaded) {
  for (const bool gzip : {false, true}) {
    ArchiveRequest asked = request();
    asked.gzip = gzip;
    write_docker_archive(asked, scratch("docker.tar"));
    EXPECT_EQ("Loaded image: example.org/loaded:1", must({"load", "-i", scratch("docker.tar")}));
    EXPECT_EQ(7, fermata({"run", "--rm", "example.org/loaded:1"}).code);
  }
  const Outcome outcome = fermata({"load"}, {.input = slurp(scratch("docker.tar")), .seconds = 60});
  EXPECT_EQ(0, outcome.code) << outcome;
}

TEST_F(Images, OciLayoutsAndArchivesAreLoaded) {
  write_oci_archive(request(), scratch("oci.tar"));
  EXPECT_THAT(must({"load", "-i", scratch("oci.tar")}), HasSubstr("example.org/loaded:1"));
  EXPECT_EQ(7, fermata({"run", "--rm", "example.org/loaded:1"}).code);
  must({"rmi", "example.org/loaded:1"});
  ArchiveRequest asked = request();
  asked.gzip = true;
  write_oci_layout(asked, scratch("layout"));
  EXPECT_THAT(must({"load", "-i", scratch("layout")}), HasSubstr("example.org/loaded:1"));
  EXPECT_EQ(7, fermata({"run", "--rm", "example.org/loaded:1"}).code);
}

TEST_F(Images, ACompressedArchiveIsLoaded) {
  write_docker_archive(request(), scratch("packed.tar"));
  ASSERT_TRUE(run_program({"gzip", "-1", "-f", scratch("packed.tar")}).ok());
  must({"load", "-i", scratch("packed.tar.gz")});
  EXPECT_EQ(7, fermata({"run", "--rm", "example.org/loaded:1"}).code);
}

TEST_F(Images, AWrongDigestIsRefused) {
  // A layer of its own: one that is here already is not read again.
  fs::create_directories(scratch("little"));
  spill(scratch("little/file"), "little\n");
  ASSERT_TRUE(run_program({"tar", "-C", scratch("little"), "-cf", scratch("little.tar"), "."}).ok());
  ArchiveRequest asked = request();
  asked.layer_tar = scratch("little.tar");
  asked.wrong_digest = true;
  for (const bool docker : {true, false}) {
    if (docker)
      write_docker_archive(asked, scratch("wrong.tar"));
    else
      write_oci_archive(asked, scratch("wrong.tar"));
    const Outcome outcome = fermata({"load", "-i", scratch("wrong.tar")});
    EXPECT_EQ(1, outcome.code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr("sha256:"));
    EXPECT_NE(0, fermata({"inspect", "example.org/loaded:1"}).code);
  }
}

TEST_F(Images, BrokenArchivesAreRefused) {
  write_docker_archive(request(), scratch("whole.tar"));
  const std::string whole = slurp(scratch("whole.tar"));
  const std::pair<const char*, std::string> broken[] = {
      {"cut", whole.substr(0, whole.size() / 2)},
      {"empty", ""},
      {"text", "this is no archive\n"},
      {"html", "<!doctype html><html><body>404</body></html>"},
      {"zeros", std::string(10240, '\0')},
      {"gzip head", std::string("\x1f\x8b\x08\x00", 4) + "nonsense"},
  };
  for (const auto& [what, bytes] : broken) {
    spill(scratch("broken.tar"), bytes);
    const Outcome outcome = fermata({"load", "-i", scratch("broken.tar")});
    EXPECT_EQ(1, outcome.code) << what << ": " << outcome;
    EXPECT_NE("", outcome.err) << what;
  }
  spill(scratch("broken.tar"), slurp(host().base_tar()).substr(0, 100000));
  EXPECT_EQ(1, fermata({"import", scratch("broken.tar"), "e2e/broken:1"}).code);
  EXPECT_EQ(1, fermata({"load", "-i", scratch("no-such-file")}).code);
}

TEST_F(Images, ALayerCannotWriteOutsideItself) {
  // ../, absolute paths, and a link that a later member walks through.
  const std::string script = R"(import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w")
def add(name, kind=tarfile.REGTYPE, link="", data=b"x"):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
    i.size = len(data) if kind == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data))
out = sys.argv[2]
add("../../../../../../../.." + out + "/dots")
add(out + "/absolute")
add("door", tarfile.SYMTYPE, out); add("door/through")
add("up", tarfile.SYMTYPE, "../../../../../../../.." + out); add("up/through-up")
add("hard", tarfile.LNKTYPE, "/etc/hostname")
t.close())";
  fs::create_directories(scratch("outside"));
  spill(scratch("evil.py"), script);
  ASSERT_TRUE(run_program({"python3", scratch("evil.py"), scratch("evil.tar"), scratch("outside")}).ok());
  fermata({"import", scratch("evil.tar"), "e2e/evil:1"});
  EXPECT_TRUE(fs::is_empty(scratch("outside")));
}

TEST_F(Images, AnotherArchitectureIsWarnedAbout) {
  ArchiveRequest asked = request();
  asked.architecture = "s390x";
  write_docker_archive(asked, scratch("foreign.tar"));
  must({"load", "-i", scratch("foreign.tar")});
  const Outcome outcome = fermata({"run", "--rm", "example.org/loaded:1"});
  EXPECT_THAT(outcome.err, HasSubstr("s390x")) << outcome;
  EXPECT_EQ(7, outcome.code) << "its programs are this machine's after all";
  const Outcome asked_for = fermata({"run", "--rm", "--platform", "linux/s390x", "example.org/loaded:1"});
  EXPECT_EQ(7, asked_for.code);
  EXPECT_EQ("", asked_for.err);
}

TEST_F(Images, AnImageOfAnotherPlatformThanAskedForIsNotRun) {
  const Outcome outcome =
      fermata({"run", "--rm", "--pull", "never", "--platform", "linux/s390x", kBase, "true"});
  EXPECT_EQ(125, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("s390x"));
}

TEST_F(Images, TheBuiltInPauseIsListedWhileItIsUsed) {
  EXPECT_THAT(must({"images"}), Not(HasSubstr("pause")));
  must({"run", "-d", "--name", "pause", kPause});
  EXPECT_THAT(must({"images"}),
              testing::ContainsRegex("registry.k8s.io/pause +3.9 +[0-9a-f]{12} +.* ago +[0-9.]+kB"));
}

TEST_F(Images, ThePauseIsPulledWithoutARegistry) {
  const std::string name = kPause;
  EXPECT_EQ("Status: " + name + " is built into fermata\n" + name, must({"pull", name}));
  EXPECT_EQ(name, must({"pull", "--quiet", name}));
  EXPECT_THAT(must({"images"}), Not(HasSubstr("pause"))) << "nothing came";
}

TEST_F(Images, TheBuiltInPauseHasAnIdThatCommandsAccept) {
  must({"run", "-d", "--name", "pause", kPause});
  const std::string id = must({"inspect", "--format", "{{.Image}}", "pause"});
  const std::string shown = must({"images", "-q", kPause});
  EXPECT_EQ(id.substr(7, 12), shown);
  EXPECT_EQ(id, must({"image", "inspect", "--format", "{{.Id}}", shown}));
  const Outcome outcome = fermata({"rmi", shown});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("the pause built into fermata"));
  must({"run", "-d", "--name", "again", shown});
  EXPECT_EQ(id, must({"inspect", "--format", "{{.Image}}", "again"}));
  EXPECT_NE(id, must({"image", "inspect", "--format", "{{.Id}}", "registry.k8s.io/pause:3.1"})) << "root's";
}

TEST_F(Images, ADiskThatIsFullWhileUnpackingSaysSo) {
  const std::string mount_point = scratch("small");
  fs::create_directories(mount_point);
  // Room for the database and half of the layer.
  ASSERT_EQ(0, ::mount("small", mount_point.c_str(), "tmpfs", 0, "size=2m"));
  {
    Host small(mount_point + "/root");
    const Outcome outcome = small.run({"import", host().base_tar(), "e2e/big:1"});
    EXPECT_EQ(1, outcome.code);
    EXPECT_THAT(outcome.err, HasSubstr("no space left")) << outcome;
    EXPECT_THAT(small.run({"images", "-q"}).out, testing::IsEmpty());
    // What was unpacked is gone again, so that something small fits.
    fs::create_directories(scratch("little/bin"));
    spill(scratch("little/bin/file"), std::string(500000, 'x'));
    ASSERT_TRUE(run_program({"tar", "-C", scratch("little"), "-cf", scratch("little.tar"), "."}).ok());
    const Outcome next = small.run({"import", scratch("little.tar"), "e2e/little:1"});
    EXPECT_EQ(0, next.code) << next;
  }
  EXPECT_EQ(0, ::umount(mount_point.c_str()));
}

}  // namespace
}  // namespace fermata::e2e
