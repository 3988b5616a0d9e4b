#include "pod/rendezvous.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/report.h"

namespace fermata::pod {
namespace {

// A process that waits at `points` points, and ends with the number that it has passed. Its end can be read
// from `answer`, as the monitor's reply could.
struct Waiter {
  explicit Waiter(const Rendezvous& rendezvous, int points) {
    int pair[2];
    EXPECT_EQ(::pipe(pair), 0);
    answer = UniqueFd(pair[0]);
    pid = ::fork();
    if (pid != 0) {
      ::close(pair[1]);
      return;
    }
    // The near end is the parent's alone, as it is in a program that was executed.
    int passed = 0;
    for (; passed < points; ++passed) {
      const init::Report report = {init::ReportKind::waiting, static_cast<std::uint32_t>(passed), 0};
      char byte = 0;
      if (::send(rendezvous.far_end(), &report, sizeof report, 0) < 0 ||
          ::read(rendezvous.far_end(), &byte, 1) != 1)
        break;
    }
    ::_exit(passed);
  }
  int end() const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }
  UniqueFd answer;
  pid_t pid = -1;
};

TEST(RendezvousTest, ActsAtEachPointByTheWaitersNumber) {
  std::vector<std::pair<std::uint32_t, int>> seen;
  auto rendezvous = Rendezvous::make([&](std::uint32_t point, int pid) -> Result<void> {
    seen.emplace_back(point, pid);
    return {};
  });
  ASSERT_TRUE(rendezvous);
  const Waiter waiter(*rendezvous, 2);
  EXPECT_TRUE(rendezvous->serve(waiter.answer.get()));
  EXPECT_EQ(waiter.end(), 2);
  const std::vector<std::pair<std::uint32_t, int>> expected = {{0, waiter.pid}, {1, waiter.pid}};
  EXPECT_EQ(seen, expected);
}

TEST(RendezvousTest, AnAnswerEndsIt) {
  auto rendezvous = Rendezvous::make([](std::uint32_t, int) { return Result<void>(); });
  ASSERT_TRUE(rendezvous);
  const Waiter waiter(*rendezvous, 0);
  EXPECT_TRUE(rendezvous->serve(waiter.answer.get()));
  EXPECT_EQ(waiter.end(), 0);
}

TEST(RendezvousTest, AFailureIsTold) {
  auto rendezvous =
      Rendezvous::make([](std::uint32_t, int) -> Result<void> { return fail(ErrorKind::failed, "no"); });
  ASSERT_TRUE(rendezvous);
  const Waiter waiter(*rendezvous, 1);
  const auto served = rendezvous->serve(waiter.answer.get());
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().message(), "no");
  // Its copy of the near end, which a program that was executed would not have, keeps the socket open.
  ::kill(waiter.pid, SIGKILL);
  (void)waiter.end();
}

}  // namespace
}  // namespace fermata::pod
