#include "pod/event_feed.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "base/files.h"

namespace fermata::pod {
namespace {

class EventFeedTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/event-feed-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    root_ = path;
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(root_)); }

  static std::set<std::string> all(EventFeed& feed) {
    std::set<std::string> pods;
    for (;;) {
      const auto next = feed.next();
      EXPECT_TRUE(next) << next.error().message();
      if (!next || !*next) return pods;
      EXPECT_TRUE(pods.insert(**next).second) << "told twice: " << **next;
    }
  }

  std::string root_;
};

TEST_F(EventFeedTest, NobodyEverListened) {
  announce(root_, "a");
  struct stat info = {};
  EXPECT_NE(::stat((root_ + "/events").c_str(), &info), 0);
}

TEST_F(EventFeedTest, TellsOfEachPodOnce) {
  auto feed = EventFeed::open(root_);
  ASSERT_TRUE(feed) << feed.error().message();
  EXPECT_EQ(all(*feed), std::set<std::string>());
  announce(root_, "a");
  announce(root_, "b");
  announce(root_, "a");
  EXPECT_EQ(all(*feed), (std::set<std::string>{"a", "b"}));
  announce(root_, "a");
  EXPECT_EQ(all(*feed), (std::set<std::string>{"a"}));
}

TEST_F(EventFeedTest, WordsWaitForTheNextListener) {
  { ASSERT_TRUE(EventFeed::open(root_)); }
  announce(root_, "a");
  auto feed = EventFeed::open(root_);
  ASSERT_TRUE(feed);
  EXPECT_EQ(all(*feed), (std::set<std::string>{"a"}));
}

TEST_F(EventFeedTest, LosesNothingWhenTheQueueIsFull) {
  auto feed = EventFeed::open(root_);
  ASSERT_TRUE(feed);
  constexpr int kMany = 20000;  // more than fs.inotify.max_queued_events has by default
  for (int i = 0; i < kMany; ++i) announce(root_, std::to_string(i));
  EXPECT_EQ(all(*feed).size(), std::size_t{kMany});
}

}  // namespace
}  // namespace fermata::pod
