#include "cni/configuration_watcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "cni/fake_plugins.h"

namespace fermata::cni {
namespace {

bool wakes(const ConfigurationWatcher& watcher) {
  pollfd poll = {.fd = watcher.descriptor(), .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) == 1;
}

bool told(ConfigurationWatcher& watcher) {
  const bool ready = wakes(watcher);
  const auto changed = watcher.changed();
  EXPECT_TRUE(changed) << changed.error().message();
  EXPECT_TRUE(ready || !*changed);
  return changed && *changed;
}

class ConfigurationWatcherTest : public testing::Test {
 protected:
  void put(const std::string& name) { files_.put(name, "x"); }
  std::string path(const std::string& name) const { return files_.path() + "/" + name; }
  FakePlugins files_;
};

TEST_F(ConfigurationWatcherTest, TellsOfFilesThatWouldBeRead) {
  auto watcher = ConfigurationWatcher::open(files_.path());
  ASSERT_TRUE(watcher) << watcher.error().message();
  EXPECT_FALSE(told(*watcher));
  put("a.conflist");
  EXPECT_TRUE(told(*watcher));
  EXPECT_FALSE(told(*watcher));
  put("a.txt");
  EXPECT_FALSE(told(*watcher));
  ASSERT_EQ(::rename(path("a.conflist").c_str(), path("a.off").c_str()), 0);
  EXPECT_TRUE(told(*watcher));
  ASSERT_EQ(::symlink("a.off", path("b.conf").c_str()), 0);
  EXPECT_TRUE(told(*watcher));
  ASSERT_EQ(::unlink(path("b.conf").c_str()), 0);
  EXPECT_TRUE(told(*watcher));
}

TEST_F(ConfigurationWatcherTest, WaitsForAFileToBeWritten) {
  auto watcher = ConfigurationWatcher::open(files_.path());
  ASSERT_TRUE(watcher);
  auto file = open_file(path("a.conf"), O_WRONLY | O_CREAT, 0644);
  ASSERT_TRUE(file);
  EXPECT_FALSE(told(*watcher));
  ASSERT_TRUE(write_all(file->get(), "x"));
  file->reset();
  EXPECT_TRUE(told(*watcher));
}

TEST_F(ConfigurationWatcherTest, FindsADirectoryThatComesGoesAndIsReplaced) {
  auto watcher = ConfigurationWatcher::open(path("etc/cni/net.d/"));
  ASSERT_TRUE(watcher) << watcher.error().message();
  put("other.conf");
  EXPECT_FALSE(told(*watcher));
  ASSERT_TRUE(make_directories(path("etc")));
  EXPECT_FALSE(told(*watcher));
  ASSERT_TRUE(make_directories(path("etc/cni/net.d")));
  EXPECT_TRUE(told(*watcher));
  put("etc/cni/net.d/a.conf");
  EXPECT_TRUE(told(*watcher));
  ASSERT_EQ(::rename(path("etc/cni/net.d").c_str(), path("etc/cni/old").c_str()), 0);
  EXPECT_TRUE(told(*watcher));
  put("etc/cni/old/b.conf");
  EXPECT_FALSE(told(*watcher));
  ASSERT_TRUE(make_directories(path("etc/cni/net.d")));
  EXPECT_TRUE(told(*watcher));
  ASSERT_TRUE(remove_tree(path("etc")));
  EXPECT_TRUE(told(*watcher));
  ASSERT_TRUE(make_directories(path("etc/cni/net.d")));
  EXPECT_TRUE(told(*watcher));
}

TEST_F(ConfigurationWatcherTest, TellsOfPluginsBeside) {
  auto watcher = ConfigurationWatcher::open(files_.path());
  ASSERT_TRUE(watcher);
  ASSERT_TRUE(make_directories(path("net")));
  EXPECT_TRUE(told(*watcher));
  put("net/10-a.conf");
  EXPECT_TRUE(told(*watcher));
  ASSERT_TRUE(remove_tree(path("net")));
  EXPECT_TRUE(told(*watcher));
  EXPECT_FALSE(told(*watcher));
}

TEST(ConfigurationWatcher, WantsAnAbsolutePath) { EXPECT_FALSE(ConfigurationWatcher::open("etc")); }

}  // namespace
}  // namespace fermata::cni
