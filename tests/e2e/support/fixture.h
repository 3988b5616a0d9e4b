// The base of all end-to-end tests: one engine a program, images imported once, and after each test nothing
// left.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "e2e/support/host.h"
#include "e2e/support/isolation.h"
#include "e2e/support/snapshot.h"

namespace fermata::e2e {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class EndToEnd : public testing::Test {
 protected:
  void SetUp() override;
  // Removes the containers of the test and fails it when anything of theirs stays.
  void TearDown() override;

  // The program's engine, made on first use.
  static Host& host();

  static Outcome fermata(const Arguments& arguments, const RunOptions& options = {}) {
    return host().run(arguments, options);
  }
  // The same for what must succeed; its output without the last newline.
  static std::string must(const Arguments& arguments, const RunOptions& options = {});
  // Runs to its end with --rm and tells its output: `run --rm FLAGS... kBase COMMAND...`
  static Outcome in_container(const Arguments& flags, const Arguments& command);
  // A detached one from the probe image: `run -d --name NAME FLAGS... kProbeImage COMMAND...`
  static void start_probe(const std::string& name, const Arguments& flags, const Arguments& command);
  // Executes in a container; the output without the last newline.
  static std::string inside(const std::string& name, const Arguments& command);
  static bool logs_show(const std::string& name, const std::string& text);
  // A file in the test's own directory.
  static std::string scratch(const std::string& name) { return host().directory() + "/" + name; }

 private:
  Snapshot before_;
};

// Fails the current test with each leak when `before` is not reached again within (scaled) `seconds`.
void expect_nothing_left(const Host& host, const Snapshot& before, double seconds = 5);

}  // namespace fermata::e2e
