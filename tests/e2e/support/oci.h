// Bundles of the OCI runtime specification, and fermata-oci on them: the base of the tests of that command.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/core/unique_fd.h"
#include "e2e/support/host.h"
#include "e2e/support/snapshot.h"

namespace fermata::e2e {

using nlohmann::json;

class OciTest : public testing::Test {
 protected:
  // A root file system with busybox and the probe, and a state directory of the test's own.
  void SetUp() override;
  // Deletes what the test has made, and fails it when anything stays.
  void TearDown() override;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  // The id of a container, unlike any other's on this machine.
  std::string id(const std::string& name) const { return tag_ + "-" + name; }

  // The example of `fermata-oci spec`, to be changed: no terminal, the test's root, this command.
  json config(const Arguments& command) const;
  // A bundle with it; its directory.
  std::string bundle(const std::string& name, const json& config) const;

  // fermata-oci --root <the test's> ARGUMENTS...
  Arguments command(const Arguments& arguments) const;
  Outcome oci(const Arguments& arguments, const RunOptions& options = {}) const;
  // The same for what must succeed; its output without the last newline.
  std::string must(const Arguments& arguments) const;
  // For what leaves a container behind, which keeps the streams: they go to a file, output(), appended.
  Outcome detached(const Arguments& arguments) const;
  std::string output() const { return slurp(path("output")); }
  // `create --bundle` and `start` of a container with this configuration.
  void create(const std::string& name, const json& config) const;
  void start(const std::string& name, const json& config) const;
  // To its end: `run --bundle`.
  Outcome run(const std::string& name, const json& config, const Arguments& flags = {}) const;

  json state(const std::string& name) const;
  std::string status(const std::string& name) const { return state(name).value("status", ""); }
  bool becomes(const std::string& name, const std::string& status) const;

 private:
  std::string directory_, tag_;
  Snapshot before_;
};

// A socket as engines have it for --console-socket.
class ConsoleSocket {
 public:
  explicit ConsoleSocket(std::string path);
  const std::string& path() const { return path_; }
  // The descriptor that was sent to it; invalid when none comes.
  UniqueFd receive() const;

 private:
  std::string path_;
  UniqueFd socket_;
};

// What a terminal's master gives until the other side is closed or `text` was seen.
std::string read_terminal(int master, const std::string& text);

}  // namespace fermata::e2e
