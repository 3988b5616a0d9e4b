// fermata-oci when commands meet, and when they are killed: one wins, and nothing stays that no command
// knows.
#include <csignal>
#include <filesystem>
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

// The first creation once took the directory of the second with it, whose process nobody found again.
TEST_F(OciRace, DeletingBetweenTwoCreations) {
  const std::string directory = bundle("d", config({"sleep", "1000"}));
  for (int i = rounds(40); i > 0; --i) {
    const auto first = begin({"create", "--bundle", directory, id("d")});
    pass(moment());
    const auto deleting = begin({"delete", "--force", id("d")});
    const auto second = begin({"create", "--bundle", directory, id("d")});
    EXPECT_EQ(0, deleting->wait().code);
    first->wait();
    second->wait();
    must({"delete", "--force", id("d")});
    ASSERT_EQ(std::set<std::string>(), engine_cgroups({.root = "", .run_root = "", .tag = id("d")}));
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

// A record that names the root of the control groups would have everybody killed.
TEST_F(OciRace, DamagedStatesHarmNobodyElse) {
  start("d", config({"sleep", "1000"}));
  start("o", config({"sleep", "1000"}));
  const std::string file = path("state/" + id("d") + "/state.json"), whole = slurp(file);
  const auto with = [&](const std::string& key, const std::string& value) {
    json damaged = json::parse(whole);
    damaged[key] = value;
    spill(file, damaged.dump());
    EXPECT_THAT(oci({"kill", "--all", id("d"), "KILL"}).err, HasSubstr("damaged state")) << damaged;
    const Outcome listed = oci({"list", "-q"});
    EXPECT_EQ(id("o") + "\n", listed.out);
    EXPECT_THAT(listed.err, HasSubstr("damaged state"));
  };
  for (const char* group : {"", "/", "../", "a/../.."}) with("cgroup", group);
  with("id", id("o"));
  EXPECT_EQ("running", status("o"));
  must({"delete", "--force", id("d")});
  must({"delete", "--force", id("o")});
}

TEST_F(OciRace, ALostConfigurationKeepsNothing) {
  json hooked = config({"sleep", "1000"});
  hooked["hooks"]["poststop"] = json::array({{{"path", "/bin/true"}}});
  start("c", hooked);
  std::filesystem::remove(path("state/" + id("c") + "/config.json"));
  must({"kill", id("c"), "KILL"});
  const Outcome deleted = oci({"delete", "--force", id("c")});
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_THAT(deleted.err, HasSubstr("poststop hooks were not run"));
}

TEST_F(OciRace, NoGroupAboveAllOthers) {
  for (const char* given : {"/", "..", "../../x", "/a/../.."}) {
    json wanted = config({"true"});
    wanted["linux"]["cgroupsPath"] = given;
    EXPECT_THAT(run("g", wanted).err, HasSubstr("linux.cgroupsPath '" + std::string(given) + "'"));
  }
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
