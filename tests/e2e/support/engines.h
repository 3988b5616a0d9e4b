// Other engines, each with directories of its own below a test's: podman, dockerd and containerd as Debian
// has them. What they start as OCI runtime is for the test to say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "e2e/support/host.h"

namespace fermata::e2e {

Outcome shell(const std::string& script);

class EngineTest : public testing::Test {
 protected:
  // Makes a directory with base.tar, a root file system for `import`.
  void SetUp() override;
  // Fails the test when processes stay; takes away groups and mounts that engines have left.
  void TearDown() override;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string base_tar() const { return path("base.tar"); }
  // Of the test's containers: the parent of their groups, "/fermata-peers-...".
  std::string cgroup() const { return "/" + tag_; }

  // The command with arguments; must() tells its output without the last newline, and fails the test when it
  // fails.
  static Outcome run(Arguments command, const Arguments& arguments);
  static std::string must(const Arguments& command, const Arguments& arguments);

  // "podman --root ...", with limits that a machine without CAP_SYS_RESOURCE may give.
  Arguments podman(const std::string& runtime) const;

 private:
  std::string directory_, tag_, started_in_;
};

// A daemon that is up when this was constructed, or the test has failed.
class Dockerd {
 public:
  Dockerd(const std::string& directory, const std::string& cgroup, const Arguments& flags = {});
  // "docker -H ..."
  const Arguments& client() const { return client_; }
  // SIGTERM; its exit code.
  int stop();

 private:
  Arguments client_;
  Background daemon_;
};

class Containerd {
 public:
  // `cri`: lines of TOML below the CRI plugin.
  Containerd(const std::string& directory, const std::string& cri);
  // "ctr -a ... -n NAMESPACE"
  Arguments client(const std::string& name_space) const;
  // A call of the CRI's RuntimeService with a message in the wire format; the answer's bytes. Fails the test
  // when it is refused.
  std::string call(const std::string& method, const std::string& message) const;
  int stop();

 private:
  std::string directory_, socket_;
  Background daemon_;
};

// Protocol buffers' wire format, as far as requests need it, and the strings of a message's field.
std::string field(int number, std::uint64_t value);
std::string field(int number, const std::string& bytes);
std::vector<std::string> strings_of(const std::string& message, int number);
std::vector<std::uint64_t> numbers_of(const std::string& message, int number);

}  // namespace fermata::e2e
