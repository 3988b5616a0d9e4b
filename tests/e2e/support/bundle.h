// OCI bundles for fermata-oci: a root file system with busybox, and a config.json to change.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "e2e/support/process.h"

namespace fermata::e2e {

// Makes a directory with `rootfs`, where bundles and states of a test live. The containers that a test leaves
// are deleted by force, and the test fails when that does not work.
class Bundles : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // fermata-oci --root ... arguments...
  Outcome oci(const Arguments& arguments, const RunOptions& options = {}) const;
  // A bundle that runs `command` with sh: the example of `fermata-oci spec`, without a terminal. Its config
  // is for the test to change and to write.
  nlohmann::json config_of(const std::string& command) const;
  // The path of the bundle.
  std::string write_bundle(const std::string& name, const nlohmann::json& config) const;
  const std::string& directory() const { return directory_; }
  std::string rootfs() const { return directory_ + "/rootfs"; }
  std::string status_of(const std::string& id) const;
  int pid_of(const std::string& id) const;

 private:
  std::string directory_;
};

}  // namespace fermata::e2e
