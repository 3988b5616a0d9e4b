// Binds, volumes and tmpfs.
#include <sys/stat.h>

#include <filesystem>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

class Volumes : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    directory_ = scratch("data");
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    spill(directory_ + "/file", "from the host\n");
  }
  void TearDown() override {
    EndToEnd::TearDown();
    fs::remove_all(directory_);
  }
  static std::size_t volume_count() {
    std::error_code error;
    const fs::directory_iterator begin(host().scope().root + "/volumes", error);
    return error ? 0 : static_cast<std::size_t>(std::distance(begin, fs::directory_iterator()));
  }
  std::string directory_;
};

TEST_F(Volumes, ABindGoesBothWays) {
  EXPECT_EQ(
      "from the host",
      in_container({"-v", directory_ + ":/mnt"}, {"sh", "-c", "cat /mnt/file; echo back > /mnt/new"}).line());
  EXPECT_EQ("back\n", slurp(directory_ + "/new"));
}

TEST_F(Volumes, AReadOnlyBindIsReadOnly) {
  for (const Arguments& flags :
       {Arguments{"-v", directory_ + ":/mnt:ro"},
        Arguments{"--mount", "type=bind,source=" + directory_ + ",target=/mnt,readonly"}}) {
    const Outcome outcome = in_container(flags, {"sh", "-c", "cat /mnt/file; echo back > /mnt/new"});
    EXPECT_EQ("from the host", outcome.line());
    EXPECT_THAT(outcome.err, HasSubstr("Read-only file system"));
    EXPECT_FALSE(fs::exists(directory_ + "/new"));
  }
}

TEST_F(Volumes, ReadOnlyHoldsForMountsBelowTheSource) {
  fs::create_directories(directory_ + "/sub");
  ASSERT_TRUE(run_program({"mount", "-t", "tmpfs", "none", directory_ + "/sub"}).ok());
  const Outcome outcome =
      in_container({"-v", directory_ + ":/mnt:ro"}, {"sh", "-c", "echo x > /mnt/sub/new"});
  EXPECT_THAT(outcome.err, HasSubstr("Read-only file system"));
  EXPECT_TRUE(run_program({"umount", directory_ + "/sub"}).ok()) << "the container's mounts hold it busy";
}

TEST_F(Volumes, AFileCanBeBound) {
  EXPECT_EQ("from the host",
            in_container({"-v", directory_ + "/file:/etc/app/config.txt:ro"}, {"cat", "/etc/app/config.txt"})
                .line());
  EXPECT_EQ("from the host",
            in_container({"-v", directory_ + "/file:/etc/passwd:ro"}, {"cat", "/etc/passwd"}).line());
}

TEST_F(Volumes, ARelativeSourceIsTheCallersDirectory) {
  const Outcome outcome = fermata({"run", "--rm", "-v", "./file:/mnt/file", kBase, "cat", "/mnt/file"},
                                  {.directory = directory_});
  EXPECT_EQ("from the host", outcome.line()) << outcome;
}

TEST_F(Volumes, AMissingSourceIsMadeByVAndRefusedByMount) {
  EXPECT_EQ(0, in_container({"-v", directory_ + "/a/b:/mnt"}, {"ls", "/mnt"}).code);
  EXPECT_TRUE(fs::is_directory(directory_ + "/a/b"));
  const Outcome outcome =
      in_container({"--mount", "type=bind,source=" + directory_ + "/missing,target=/mnt"}, {"true"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr(directory_ + "/missing"));
  EXPECT_FALSE(fs::exists(directory_ + "/missing"));
}

TEST_F(Volumes, ANamedVolumeOutlivesItsContainers) {
  in_container({"-v", "named-kept:/mnt"}, {"sh", "-c", "echo kept > /mnt/file"});
  EXPECT_EQ("kept", in_container({"-v", "named-kept:/mnt"}, {"cat", "/mnt/file"}).line());
  EXPECT_EQ("kept",
            in_container({"--mount", "type=volume,source=named-kept,target=/other"}, {"cat", "/other/file"})
                .line());
}

TEST_F(Volumes, ANewVolumeIsFilledFromTheImageWithItsOwners) {
  const Arguments look{"sh", "-c", "cat /var/data/seed; stat -c '%u:%g %a' /var/data /var/data/seed"};
  const std::string expected = "from the image\n1000:1001 750\n1000:1001 644";
  EXPECT_EQ(expected, in_container({"-v", "/var/data"}, look).line());
  EXPECT_EQ(expected, in_container({"-v", "named-filled:/var/data"}, look).line());
  in_container({"-v", "named-filled:/var/data"}, {"mv", "/var/data/seed", "/var/data/changed"});
  EXPECT_EQ("changed", in_container({"-v", "named-filled:/var/data"}, {"ls", "/var/data"}).line())
      << "filled only while empty";
  EXPECT_EQ("", in_container({"-v", "named-bare:/var/data:nocopy"}, {"ls", "/var/data"}).line());
}

TEST_F(Volumes, AnonymousVolumesGoWithRm) {
  const std::size_t before = volume_count();
  in_container({"-v", "/var/data"}, {"true"});
  EXPECT_EQ(before, volume_count()) << "run --rm";
  must({"create", "--name", "holder", "-v", "/var/data", kBase, "true"});
  must({"rm", "-v", "holder"});
  EXPECT_EQ(before, volume_count()) << "rm -v";
}

TEST_F(Volumes, AnImagesVolumesAreAnonymous) {
  host().import("e2e/volume:1", {"VOLUME /var/data"});
  start_probe("plain", {}, {"wait"});
  must({"run", "-d", "--name", "job", "e2e/volume:1", "/bin/probe", "wait"});
  EXPECT_THAT(must({"exec", "job", "cat", "/proc/mounts"}), HasSubstr(" /var/data "));
  EXPECT_THAT(host().inspect("job", "{{range .Mounts}}{{.Type}} {{.Destination}};{{end}}"),
              HasSubstr("volume /var/data;"));
  must({"exec", "job", "sh", "-c", "echo more >> /var/data/seed"});
  must({"stop", "job"});
  must({"start", "job"});
  EXPECT_EQ("from the image\nmore", must({"exec", "job", "cat", "/var/data/seed"}))
      << "it lasts over a restart";
}

TEST_F(Volumes, ContainersOfAPodShareAVolume) {
  must({"run", "-d", "--name", "pause", kPause});
  start_probe("writer", {"--net=container:pause", "-v", "named-shared:/data"}, {"wait"});
  start_probe("reader", {"--net=container:pause", "-v", "named-shared:/mnt:ro"}, {"wait"});
  inside("writer", {"sh", "-c", "echo shared > /data/file"});
  EXPECT_EQ("shared", inside("reader", {"cat", "/mnt/file"}));
  EXPECT_NE(0, fermata({"exec", "reader", "touch", "/mnt/file"}).code);
}

TEST_F(Volumes, TmpfsIsAsAsked) {
  const Outcome outcome =
      in_container({"--mount", "type=tmpfs,target=/scratch,tmpfs-size=1m,tmpfs-mode=0700"},
                   {"sh", "-c", "stat -c %a /scratch; grep ' /scratch ' /proc/mounts"});
  EXPECT_THAT(outcome.out, testing::StartsWith("700\n")) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("size=1024k"));
  EXPECT_THAT(in_container({"--tmpfs", "/scratch"}, {"grep", " /scratch ", "/proc/mounts"}).out,
              HasSubstr("noexec"));
}

TEST_F(Volumes, MountsAreShownByInspect) {
  must({"create", "--name", "job", "-v", directory_ + ":/mnt:ro", kBase, "true"});
  EXPECT_EQ("bind " + directory_ + " /mnt false",
            host().inspect("job", "{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}"));
}

TEST_F(Volumes, TheHostsMountTableIsUntouched) {
  const auto before = host_mounts();
  start_probe("job", {"-v", directory_ + ":/mnt", "--tmpfs", "/scratch", "-v", "/var/data"}, {"wait"});
  EXPECT_EQ(before, host_mounts());
}

TEST_F(Volumes, ADirectoryOntoAFileIsRefusedWithTheReason) {
  for (const std::string& volume : {directory_ + ":/bin/probe", directory_ + "/file:/bin"}) {
    const Outcome outcome = in_container({"-v", volume}, {"true"});
    EXPECT_EQ(125, outcome.code) << outcome;
    EXPECT_NE(std::string::npos, outcome.err.find("a directory onto a file")) << outcome;
  }
}

TEST_F(Volumes, AReadOnlyRootHasReadOnlyNetworkFiles) {
  for (const char* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
    EXPECT_NE(0, in_container({"--read-only"}, {"sh", "-c", std::string("echo x >> ") + file}).code) << file;
    EXPECT_EQ(0, in_container({}, {"sh", "-c", std::string("echo x >> ") + file}).code) << file;
  }
}

TEST_F(Volumes, ShmSizeZeroIsTheDefault) {
  EXPECT_EQ(
      "65536",
      in_container({"--shm-size", "0"}, {"sh", "-c", "df -k /dev/shm | tail -1 | awk '{print $2}'"}).line());
}

TEST_F(Volumes, BadVolumesAreRefusedBeforeAnythingIsMade) {
  for (const Arguments& flags :
       {Arguments{"-v", directory_ + ":relative"}, Arguments{"-v", ":/mnt"},
        Arguments{"-v", directory_ + ":/mnt:rx"}, Arguments{"-v", "bad*name:/mnt"},
        Arguments{"--tmpfs", "/mnt:nonsense"}, Arguments{"--mount", "type=magic,target=/mnt"},
        Arguments{"--mount", "type=bind,target=/mnt"}, Arguments{"--mount", "type=bind,source=" + directory_},
        Arguments{"-v", directory_ + ":/mnt", "-v", "/var:/mnt"}, Arguments{"-v", directory_ + ":/"}}) {
    const Outcome outcome = in_container(flags, {"true"});
    EXPECT_EQ(125, outcome.code) << flags[0] << " " << flags[1] << ": " << outcome;
    EXPECT_NE("", outcome.err);
  }
  EXPECT_EQ("", must({"ps", "-aq"}));
}

}  // namespace
}  // namespace fermata::e2e
