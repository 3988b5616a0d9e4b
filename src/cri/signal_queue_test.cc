#include "cri/signal_queue.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace fermata::cri {
namespace {

using namespace std::chrono_literals;

TEST(SignalQueue, DeliversInOrder) {
  const auto queue = SignalQueue::open({SIGUSR1, SIGUSR2});
  ASSERT_TRUE(queue);
  EXPECT_EQ(*queue->next(0ms), std::nullopt);
  ::raise(SIGUSR2);
  ::raise(SIGPIPE);
  ::raise(SIGUSR1);
  EXPECT_EQ(*queue->next(std::nullopt), SIGUSR2);
  EXPECT_EQ(*queue->next(1000ms), SIGUSR1);
  EXPECT_EQ(*queue->next(0ms), std::nullopt);
  for (const int signal : {SIGUSR1, SIGUSR2, SIGPIPE}) ::signal(signal, SIG_DFL);
}

}  // namespace
}  // namespace fermata::cri
