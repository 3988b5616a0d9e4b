#include "cri/in_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace fermata::cri {
namespace {

using namespace std::chrono_literals;

const std::function<bool()> kStays = [] { return false; };

void wait_for(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

TEST(InFlight, RepeatedCallsShareOneResult) {
  InFlight<int> flights(Abandoned::finish);
  std::atomic<int> runs = 0, entered = 0, sum = 0;
  std::atomic<bool> go = false;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back([&] {
        bool here = false;
        const auto gone = [&] {
          if (!std::exchange(here, true)) ++entered;
          return false;
        };
        const auto result = flights.run("a", gone, [&](const std::stop_token&) -> Result<int> {
          wait_for([&] { return go.load(); });
          return ++runs;
        });
        sum += **result;
      });
    wait_for([&] { return entered >= 8; });
    go = true;
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(sum, 8);
  // Nothing is remembered of what has ended.
  EXPECT_EQ(**flights.run("a", kStays, [&](const std::stop_token&) -> Result<int> { return ++runs; }), 2);
}

TEST(InFlight, KeysDoNotWaitForEachOther) {
  InFlight<int> flights(Abandoned::finish);
  std::atomic<bool> go = false;
  std::jthread slow([&] {
    flights.run("slow", kStays, [&](const std::stop_token&) -> Result<int> {
      wait_for([&] { return go.load(); });
      return 1;
    });
  });
  EXPECT_EQ(**flights.run("quick", kStays, [](const std::stop_token&) -> Result<int> { return 2; }), 2);
  go = true;
}

TEST(InFlight, OneCallerLeavesAndTheOtherGetsTheResult) {
  InFlight<int> flights(Abandoned::stop);
  std::atomic<bool> go = false, leave = false, stays = false;
  std::atomic<bool> stopped = false;
  const auto work = [&](const std::stop_token& stop) -> Result<int> {
    wait_for([&] { return go.load(); });
    stopped = stop.stop_requested();
    return 7;
  };
  std::optional<Result<int>> first = Result<int>(0), second;
  std::jthread one([&] {
    first = flights.run(
        "k", [&] { return leave.load(); }, work);
  });
  std::jthread two([&] {
    second = flights.run(
        "k", [&] { return stays = true, false; }, work);
  });
  wait_for([&] { return stays.load(); });
  leave = true;
  one.join();
  EXPECT_FALSE(first.has_value());
  go = true;
  two.join();
  EXPECT_EQ(**second, 7);
  EXPECT_FALSE(stopped);
}

TEST(InFlight, TheLastCallerToLeaveStopsTheWork) {
  InFlight<int> flights(Abandoned::stop);
  std::atomic<bool> ended = false;
  const auto endless = [&](const std::stop_token& stop) -> Result<int> {
    wait_for([&] { return stop.stop_requested(); });
    std::this_thread::sleep_for(20ms);
    ended = true;
    return fail(ErrorKind::failed, "stopped");
  };
  EXPECT_FALSE(flights
                   .run(
                       "k", [] { return true; }, endless)
                   .has_value());
  // Who comes now does not get what was stopped for somebody else.
  EXPECT_EQ(**flights.run("k", kStays, [&](const std::stop_token&) -> Result<int> { return ended ? 1 : 0; }),
            1);
}

TEST(InFlight, WorkWithoutCallersGoesOnAndIsJoined) {
  InFlight<int> flights(Abandoned::finish);
  std::atomic<bool> go = false;
  std::atomic<int> runs = 0;
  const auto work = [&](const std::stop_token&) -> Result<int> {
    wait_for([&] { return go.load(); });
    return ++runs;
  };
  EXPECT_FALSE(flights
                   .run(
                       "k", [] { return true; }, work)
                   .has_value());
  const auto gone = [&] { return go = true, false; };
  EXPECT_EQ(**flights.run("k", gone, work), 1);
}

TEST(InFlight, ErrorsAreShared) {
  InFlight<int> flights(Abandoned::finish);
  const auto result = flights.run(
      "k", kStays, [](const std::stop_token&) -> Result<int> { return fail(ErrorKind::not_found, "no"); });
  EXPECT_EQ(result->error().kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace fermata::cri
