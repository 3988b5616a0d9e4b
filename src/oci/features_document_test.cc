#include "oci/features_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fermata::oci {
namespace {

using Json = nlohmann::json;

TEST(FeaturesDocument, TellsWhatIsThere) {
  Features features;
  features.hooks = {"prestart", "createRuntime"};
  features.namespaces = {"pid", "network"};
  features.cgroup = {.v1 = true, .v2 = true, .systemd = true, .systemd_user = false, .rdma = true};
  features.seccomp = {.enabled = true,
                      .actions = {"SCMP_ACT_ALLOW"},
                      .operators = {"SCMP_CMP_EQ"},
                      .architectures = {"SCMP_ARCH_X86_64"},
                      .known_flags = {"SECCOMP_FILTER_FLAG_LOG"},
                      .supported_flags = {}};
  features.idmapped_mounts = true;
  features.annotations = {{"org.example.version", "1"}};
  features.potentially_unsafe_annotations = {"run.example."};
  const Json json = Json::parse(features_document(features));
  EXPECT_EQ(json.at("ociVersionMin"), "1.0.0");
  EXPECT_EQ(json.at("ociVersionMax"), "1.3.0");
  EXPECT_EQ(json.at("hooks"), Json({"createRuntime", "prestart"}));
  const Json& host = json.at("linux");
  EXPECT_EQ(host.at("namespaces"), Json({"network", "pid"}));
  EXPECT_EQ(host.at("cgroup").at("systemdUser"), false);
  EXPECT_EQ(host.at("cgroup").at("rdma"), true);
  EXPECT_EQ(host.at("seccomp").at("archs"), Json::array({"SCMP_ARCH_X86_64"}));
  EXPECT_EQ(host.at("seccomp").at("supportedFlags"), Json::array());
  EXPECT_EQ(host.at("apparmor").at("enabled"), false);
  EXPECT_EQ(host.at("mountExtensions").at("idmap").at("enabled"), true);
  EXPECT_EQ(host.at("netDevices").at("enabled"), false);
  EXPECT_EQ(host.at("memoryPolicy").at("modes"), Json::array());
  EXPECT_EQ(json.at("annotations").at("org.example.version"), "1");
  EXPECT_EQ(json.at("potentiallyUnsafeConfigAnnotations"), Json::array({"run.example."}));
}

}  // namespace
}  // namespace fermata::oci
