#include "monitor/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace fermata::monitor {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/fermata-log-XXXXXX";
    path_ = ::mkdtemp(name);
    directory_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  void TearDown() override {
    ::close(directory_);
    std::filesystem::remove_all(path_);
  }
  void append(int stream, const std::string& text) { append_log(log_, stream, text.data(), text.size(), 0); }
  // Without the time stamps.
  std::vector<std::string> records(const char* file = "log") const {
    std::ifstream in(path_ + "/" + file);
    std::vector<std::string> found;
    for (std::string line; std::getline(in, line);) {
      EXPECT_GT(line.size(), 31u);
      if (line.size() > 31) found.push_back(line.substr(31));
    }
    return found;
  }

  std::string path_;
  int directory_ = -1;
  Log log_;
};

using Lines = std::vector<std::string>;

TEST_F(LogTest, LinesOfBothStreams) {
  ASSERT_EQ(open_log(log_, directory_, 0, 1), 0);
  append(0, "one\ntw");
  append(1, "err\n");
  append(0, "o\n\n");
  EXPECT_EQ(records(), (Lines{"stdout F one", "stderr F err", "stdout F two", "stdout F "}));
  append(0, "rest");
  close_log(log_, 0);
  EXPECT_EQ(records().back(), "stdout P rest");
}

TEST_F(LogTest, LongLinesComeInParts) {
  ASSERT_EQ(open_log(log_, directory_, 0, 1), 0);
  const std::string line(2 * kMaxLine + 100, 'x');
  for (std::size_t at = 0; at < line.size(); at += 1000) append(0, line.substr(at, 1000));
  append(0, "\n");
  close_log(log_, 0);
  const auto found = records();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0], "stdout P " + std::string(kMaxLine, 'x'));
  EXPECT_EQ(found[1], "stdout P " + std::string(kMaxLine, 'x'));
  EXPECT_EQ(found[2], "stdout F " + std::string(100, 'x'));
}

TEST_F(LogTest, RotationLosesAndSplitsNothing) {
  ASSERT_EQ(open_log(log_, directory_, 4096, 50), 0);
  for (int i = 0; i < 1000; ++i) append(i % 2, "line " + std::to_string(i) + "\n");
  close_log(log_, 0);
  Lines all;
  for (int file = 49; file >= 0; --file) {
    const std::string name = file == 0 ? "log" : "log." + std::to_string(file);
    if (!std::filesystem::exists(path_ + "/" + name)) continue;
    EXPECT_LE(std::filesystem::file_size(path_ + "/" + name), 4096u);
    for (const auto& line : records(name.c_str())) all.push_back(line);
  }
  ASSERT_EQ(all.size(), 1000u);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(all[static_cast<std::size_t>(i)],
              std::string(i % 2 == 0 ? "stdout" : "stderr") + " F line " + std::to_string(i));
}

TEST_F(LogTest, KeepsAsManyFilesAsAsked) {
  ASSERT_EQ(open_log(log_, directory_, 200, 2), 0);
  for (int i = 0; i < 100; ++i) append(0, "line " + std::to_string(i) + "\n");
  close_log(log_, 0);
  EXPECT_TRUE(std::filesystem::exists(path_ + "/log.1"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/log.2"));
  EXPECT_EQ(records().back(), "stdout F line 99");
}

TEST_F(LogTest, ReopensAfterSomebodyElseRotated) {
  ASSERT_EQ(open_log(log_, directory_, 0, 1), 0);
  append(0, "old\n");
  std::filesystem::rename(path_ + "/log", path_ + "/log.kept");
  append(0, "still old\n");
  ASSERT_EQ(reopen_log(log_), 0);
  append(0, "new\n");
  close_log(log_, 0);
  EXPECT_EQ(records("log.kept"), (Lines{"stdout F old", "stdout F still old"}));
  EXPECT_EQ(records(), (Lines{"stdout F new"}));
}

TEST_F(LogTest, FullDiskIsCounted) {
  ASSERT_EQ(open_log(log_, directory_, 0, 1), 0);
  const int file = log_.fd;
  log_.fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  append(0, "lost\nlost too\n");
  EXPECT_EQ(log_.dropped, 2u);
  ::close(log_.fd);
  log_.fd = file;
  append(0, "kept\n");
  EXPECT_EQ(log_.dropped, 0u);
  close_log(log_, 0);
  EXPECT_EQ(records(), (Lines{"stderr F fermata: log lines lost, no space left: 2", "stdout F kept"}));
}

}  // namespace
}  // namespace fermata::monitor
