#include "e2e/support/bundle.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "e2e/support/host.h"

namespace fermata::e2e {
namespace {

const std::string kFermataOci = programs_directory() + "/fermata-oci";

// Without an answer there is no container: a discarded value, which no member is in.
nlohmann::json state_of(const Outcome& outcome) {
  return nlohmann::json::parse(outcome.ok() ? outcome.out : "", nullptr, false);
}

}  // namespace

void Bundles::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::string pattern = "/tmp/bundles-XXXXXX";
  ASSERT_NE(nullptr, ::mkdtemp(pattern.data()));
  directory_ = pattern;
  pack_base(rootfs(), directory_ + "/rootfs.tar");
}

void Bundles::TearDown() {
  if (directory_.empty()) return;
  for (const std::string& id : lines_of(oci({"list", "-q"}).out)) {
    const Outcome outcome = oci({"delete", "-f", id});
    EXPECT_TRUE(outcome.ok()) << outcome;
  }
  std::filesystem::remove_all(directory_);
}

Outcome Bundles::oci(const Arguments& arguments, const RunOptions& options) const {
  Arguments words = {kFermataOci, "--root", directory_ + "/state"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_program(words, options);
}

nlohmann::json Bundles::config_of(const std::string& command) const {
  const std::string file = directory_ + "/config.json";
  std::filesystem::remove(file);
  const Outcome outcome = oci({"spec", "-b", directory_});
  EXPECT_TRUE(outcome.ok()) << outcome;
  nlohmann::json config = nlohmann::json::parse(slurp(file));
  config["process"]["terminal"] = false;
  config["process"]["args"] = {"sh", "-c", command};
  config["root"] = {{"path", rootfs()}, {"readonly", false}};
  return config;
}

std::string Bundles::write_bundle(const std::string& name, const nlohmann::json& config) const {
  const std::string path = directory_ + "/" + name;
  std::filesystem::create_directories(path);
  spill(path + "/config.json", config.dump());
  return path;
}

std::string Bundles::status_of(const std::string& id) const {
  const auto state = state_of(oci({"state", id}));
  return state.is_object() ? state.value("status", "") : "";
}

int Bundles::pid_of(const std::string& id) const {
  const auto state = state_of(oci({"state", id}));
  return state.is_object() ? state.value("pid", 0) : 0;
}

}  // namespace fermata::e2e
