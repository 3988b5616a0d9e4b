// fermata-oci when commands meet, and when they are killed: one wins, and nothing stays that no command
// knows.
#include <csignal>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "e2e/support/oci.h"

namespace fermata::e2e {
namespace {

using testing::HasSubstr;

class OciRace : public OciTest {
 protected:
  std::unique_ptr<Background> begin(const Arguments& arguments) const {
    Arguments shell{"sh", "-c", "exec \"$@\" </dev/null >/dev/null 2>&1", "oci"};
    const Arguments all = command(arguments);
    shell.insert(shell.end(), all.begin(), all.end());
    return std::make_unique<Background>(shell, Background::Streams::pipes);
  }
  static void pass(int microseconds) { std::this_thread::sleep_for(std::chrono::microseconds(microseconds)); }
  // Some time within the life of a command.
  int moment() { return std::uniform_int_distribution<int>(0, 25'000)(random_); }

  std::mt19937 random_{std::random_device{}()};
};

TEST_F(OciRace, OneOfTwoStartsWins) {
  for (int i = rounds(10); i > 0; --i) {
    create("s", config({"sleep", "1000"}));
    const auto first = begin({"start", id("s")}), second = begin({"start", id("s")});
    EXPECT_EQ(1, first->wait().code + second->wait().code);
    EXPECT_EQ("running", status("s"));
    must({"delete", "--force", id("s")});
  }
}

TEST_F(OciRace, OneOfTwoCreationsWins) {
  const std::string directory = bundle("c", config({"sleep", "1000"}));
  for (int i = rounds(10); i > 0; --i) {
    const auto first = begin({"create", "--bundle", directory, id("c")}),
               second = begin({"create", "--bundle", directory, id("c")});
    EXPECT_EQ(1, first->wait().code + second->wait().code);
    EXPECT_EQ("created", status("c"));
    must({"delete", id("c")});
  }
}

TEST_F(OciRace, DeletingWhileItStarts) {
  for (int i = rounds(20); i > 0; --i) {
    create("d", config({"sleep", "1000"}));
    const auto starting = begin({"start", id("d")});
    pass(moment() / 2);
    must({"delete", "--force", id("d")});
    starting->wait();
    EXPECT_EQ(json::object(), state("d"));
  }
}

TEST_F(OciRace, DeletingWhileItIsCreated) {
  const std::string directory = bundle("d", config({"sleep", "1000"}));
  for (int i = rounds(20); i > 0; --i) {
    const auto creating = begin({"create", "--bundle", directory, id("d")});
    pass(moment());
    must({"delete", "--force", id("d")});
    creating->wait();
    must({"delete", "--force", id("d")});  // when it was created after the first
  }
}

TEST_F(OciRace, KilledAtAnyMoment) {
  const std::string directory = bundle("k", config({"sleep", "1000"}));
  for (int i = rounds(60); i > 0; --i) {
    const auto creating = begin({"create", "--bundle", directory, id("k")});
    pass(moment());
    creating->signal(SIGKILL);
    creating->wait();
    must({"delete", "--force", id("k")});
    ASSERT_EQ(std::set<std::string>(), engine_cgroups({.root = "", .run_root = "", .tag = id("k")}));
  }
}

TEST_F(OciRace, KilledWhileItStarts) {
  for (int i = rounds(30); i > 0; --i) {
    create("k", config({"sleep", "1000"}));
    const auto starting = begin({"start", id("k")});
    pass(moment() / 2);
    starting->signal(SIGKILL);
    starting->wait();
    must({"delete", "--force", id("k")});
  }
}

TEST_F(OciRace, DamagedStatesAreDeletedByForce) {
  start("d", config({"sleep", "1000"}));
  spill(path("state/" + id("d") + "/state.json"), "{");
  EXPECT_THAT(oci({"delete", id("d")}).err, HasSubstr("damaged state"));
  must({"delete", "--force", id("d")});
}

TEST_F(OciRace, ThirtyAtOnce) {
  constexpr int kCount = 30;
  const std::string directory = bundle("m", config({"sh", "-c", "exit 3"}));
  std::vector<std::unique_ptr<Background>> running;
  for (int i = 0; i < kCount; ++i)
    running.push_back(begin({"run", "--bundle", directory, id("m" + std::to_string(i))}));
  for (const auto& one : running) EXPECT_EQ(3, one->wait(60).code);
  EXPECT_EQ("", oci({"list", "-q"}).out);
}

}  // namespace
}  // namespace fermata::e2e
