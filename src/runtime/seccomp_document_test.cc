#include "runtime/seccomp_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fermata::runtime {
namespace {

constexpr const char* kProfile = R"({
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
  "syscalls": [
    {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]})";

nlohmann::json document(const std::vector<std::string>& capabilities) {
  const auto text = seccomp_document(kProfile, {capabilities, "amd64", "6.1.0"});
  return text ? nlohmann::json::parse(*text) : nlohmann::json(text.error().message());
}

TEST(SeccompDocument, HasConditionsDecided) {
  const auto without = document({});
  EXPECT_EQ("SCMP_ACT_ERRNO", without["defaultAction"]);
  EXPECT_EQ(38, without["defaultErrnoRet"]);
  EXPECT_EQ(nlohmann::json({"SCMP_ARCH_X86"}), without["architectures"]);
  ASSERT_EQ(2u, without["syscalls"].size());
  EXPECT_EQ(nlohmann::json({"read", "write"}), without["syscalls"][0]["names"]);
  EXPECT_EQ(8, without["syscalls"][1]["args"][0]["value"]);
  EXPECT_EQ(nlohmann::json({"read", "write", "mount"}), document({"CAP_SYS_ADMIN"})["syscalls"][0]["names"]);
}

TEST(SeccompDocument, MeansTheSameAsItsProfile) {
  const SeccompContext context = {{"CAP_SYS_ADMIN"}, "amd64", "6.1.0"};
  const auto text = seccomp_document(kProfile, context);
  ASSERT_TRUE(text);
  const auto first = parse_seccomp_profile(kProfile, context), second = parse_seccomp_profile(*text, context);
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(kernel::compile_seccomp(first->policy).value(), kernel::compile_seccomp(second->policy).value());
}

}  // namespace
}  // namespace fermata::runtime
