#include "cri/end_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

namespace fermata::cri {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A process as far as its descriptor goes.
struct Process {
  Process() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(0, ::pipe2(ends, O_CLOEXEC));
    told = UniqueFd(ends[0]);
    alive = UniqueFd(ends[1]);
  }
  void end() { alive.reset(); }
  UniqueFd told, alive;
};

std::vector<UniqueFd> ends_of(Process& one) {
  std::vector<UniqueFd> ends;
  ends.push_back(std::move(one.told));
  return ends;
}

std::vector<UniqueFd> ends_of(Process& one, Process& other) {
  std::vector<UniqueFd> ends = ends_of(one);
  ends.push_back(std::move(other.told));
  return ends;
}

TEST(EndWatch, TellsOfEachGroupOnce) {
  Process one, two, other;
  EndWatch watch(10);
  EXPECT_THAT(watch.take_ended(), IsEmpty());
  EXPECT_TRUE(watch.add("pod", ends_of(one, two)));
  EXPECT_TRUE(watch.add("other", ends_of(other)));
  EXPECT_THAT(watch.take_ended(), IsEmpty());
  one.end();
  two.end();
  EXPECT_THAT(watch.take_ended(), ElementsAre("pod"));
  EXPECT_THAT(watch.take_ended(), IsEmpty());
}

TEST(EndWatch, TellsOfWhatHasEndedBefore) {
  Process one;
  one.end();
  EndWatch watch(10);
  EXPECT_TRUE(watch.add("pod", ends_of(one)));
  EXPECT_THAT(watch.take_ended(), ElementsAre("pod"));
}

TEST(EndWatch, ForgetsWhatIsReplacedOrRemoved) {
  Process old, fresh, removed;
  EndWatch watch(10);
  EXPECT_TRUE(watch.add("pod", ends_of(old)));
  EXPECT_TRUE(watch.add("pod", ends_of(fresh)));
  EXPECT_TRUE(watch.add("gone", ends_of(removed)));
  watch.remove("gone");
  watch.remove("never there");
  old.end();
  removed.end();
  EXPECT_THAT(watch.take_ended(), IsEmpty());
  fresh.end();
  EXPECT_THAT(watch.take_ended(), ElementsAre("pod"));
}

TEST(EndWatch, HoldsNoMoreThanItMay) {
  Process one, two, three;
  EndWatch watch(2);
  EXPECT_FALSE(watch.add("many", [&] {
    auto ends = ends_of(one, two);
    ends.push_back(std::move(three.told));
    return ends;
  }()));
  Process four, five, six;
  EXPECT_TRUE(watch.add("few", ends_of(four, five)));
  EXPECT_FALSE(watch.add("more", ends_of(six)));
  four.end();
  EXPECT_THAT(watch.take_ended(), ElementsAre("few"));
  Process seven;
  EXPECT_TRUE(watch.add("more", ends_of(seven)));
}

TEST(EndWatch, TellsOfManyAtOnce) {
  std::vector<Process> processes(200);
  EndWatch watch(1000);
  for (std::size_t i = 0; i < processes.size(); ++i)
    EXPECT_TRUE(watch.add(std::to_string(i), ends_of(processes[i])));
  for (Process& process : processes) process.end();
  EXPECT_THAT(watch.take_ended(), SizeIs(200));
  EXPECT_THAT(watch.take_ended(), IsEmpty());
}

}  // namespace
}  // namespace fermata::cri
