#include "e2e/support/fixture.h"

#include <unistd.h>

#include <sstream>

namespace fermata::e2e {
namespace {

std::unique_ptr<Host> g_host;
Snapshot g_before;  // the host without it

// Takes the shared engine down when the program ends, while assertions still count.
class EngineEnvironment : public testing::Environment {
 public:
  void TearDown() override {
    if (!g_host) return;
    EXPECT_TRUE(g_host->remove_all());
    std::vector<std::string> left;
    const bool clean = eventually(
        [&] {
          // What killed commands have left goes with the next ones.
          (void)g_host->run({"ps"});
          Snapshot now = take_snapshot(g_host->scope());
          now.things.erase("file");  // the engine's own
          return (left = leaks(g_before, now)).empty();
        },
        10);
    for (const auto& leak : left) EXPECT_TRUE(clean) << "left behind at the end: " << leak;
    g_host.reset();
  }
};

}  // namespace

Host& EndToEnd::host() {
  if (!g_host) {
    g_host = std::make_unique<Host>();
    g_before = take_snapshot(g_host->scope());
    g_host->warm_up();
  }
  return *g_host;
}

void EndToEnd::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(0, ::access(kFermata.c_str(), X_OK)) << kFermata << " is not built";
  before_ = without_lingering(take_snapshot(host().scope()), host().scope());
}

void EndToEnd::TearDown() {
  if (::geteuid() != 0) return;
  EXPECT_TRUE(host().remove_all()) << "rm -f of the test's containers failed";
  expect_nothing_left(host(), before_);
}

std::string EndToEnd::must(const Arguments& arguments, const RunOptions& options) {
  const Outcome outcome = fermata(arguments, options);
  std::ostringstream words;
  for (const auto& argument : arguments) words << ' ' << argument;
  EXPECT_TRUE(outcome.ok()) << "fermata" << words.str() << ": " << outcome;
  return outcome.line();
}

Outcome EndToEnd::in_container(const Arguments& flags, const Arguments& command) {
  Arguments arguments{"run", "--rm"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(kBase);
  arguments.insert(arguments.end(), command.begin(), command.end());
  return fermata(arguments);
}

void EndToEnd::start_probe(const std::string& name, const Arguments& flags, const Arguments& command) {
  Arguments arguments{"run", "-d", "--name", name};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(kProbeImage);
  arguments.insert(arguments.end(), command.begin(), command.end());
  must(arguments);
}

std::string EndToEnd::inside(const std::string& name, const Arguments& command) {
  Arguments arguments{"exec", name};
  arguments.insert(arguments.end(), command.begin(), command.end());
  return must(arguments);
}

bool EndToEnd::logs_show(const std::string& name, const std::string& text) {
  return eventually([&] {
    const Outcome logs = fermata({"logs", name});
    return contains(logs.out, text) || contains(logs.err, text);
  });
}

void expect_nothing_left(const Host& host, const Snapshot& before, double seconds) {
  std::vector<std::string> left;
  const auto clean = [&] {
    const Snapshot now = without_lingering(take_snapshot(host.scope()), host.scope());
    return (left = leaks(before, now)).empty();
  };
  if (eventually(clean, seconds)) return;
  for (const auto& leak : left) ADD_FAILURE() << "left behind: " << leak;
}

}  // namespace fermata::e2e

int main(int argc, char** argv) {
  fermata::e2e::enter_test_host();
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new fermata::e2e::EngineEnvironment);
  return RUN_ALL_TESTS();
}
