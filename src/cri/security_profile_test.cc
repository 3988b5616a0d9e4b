#include "cri/security_profile.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

using Options = std::vector<std::string>;

const ReadProfile kReads = [](const std::string& path) -> Result<std::string> {
  if (path != "/etc/seccomp.json") return fail(ENOENT, "open '{}'", path);
  return std::string("{}");
};

v1::SecurityProfile profile(v1::SecurityProfile::ProfileType type, const std::string& reference = "") {
  v1::SecurityProfile made;
  made.set_profile_type(type);
  made.set_localhost_ref(reference);
  return made;
}

SecurityProfiles seccomp(const v1::SecurityProfile& profile) {
  SecurityProfiles profiles;
  profiles.seccomp = &profile;
  return profiles;
}

SecurityProfiles old_forms(const std::string& seccomp_path, const std::string& apparmor_profile = "") {
  SecurityProfiles profiles;
  profiles.seccomp_path = seccomp_path;
  profiles.apparmor_profile = apparmor_profile;
  return profiles;
}

TEST(SecurityOptions, NoSeccompProfileMeansUnconfined) {
  EXPECT_EQ(*security_options(SecurityProfiles(), kReads), Options{"seccomp=unconfined"});
}

TEST(SecurityOptions, TheDefaultsNeedNoOption) {
  const auto chosen = profile(v1::SecurityProfile::RuntimeDefault);
  auto profiles = seccomp(chosen);
  profiles.apparmor = &chosen;
  EXPECT_EQ(*security_options(profiles, kReads), Options{});
}

TEST(SecurityOptions, AProfileOfTheNodeIsRead) {
  const auto filter = profile(v1::SecurityProfile::Localhost, "/etc/seccomp.json");
  const auto apparmor = profile(v1::SecurityProfile::Localhost, "nginx");
  auto profiles = seccomp(filter);
  profiles.apparmor = &apparmor;
  EXPECT_EQ(*security_options(profiles, kReads), (Options{"seccomp={}", "apparmor=nginx"}));
}

TEST(SecurityOptions, TheDeprecatedFormsAreUnderstood) {
  EXPECT_EQ(*security_options(old_forms("runtime/default"), kReads), Options{});
  EXPECT_EQ(*security_options(old_forms("unconfined"), kReads), Options{"seccomp=unconfined"});
  EXPECT_EQ(*security_options(old_forms("localhost//etc/seccomp.json", "localhost/a"), kReads),
            (Options{"seccomp={}", "apparmor=a"}));
  EXPECT_FALSE(security_options(old_forms("mine"), kReads));
  const auto unconfined = profile(v1::SecurityProfile::Unconfined);
  auto both = seccomp(unconfined);
  both.seccomp_path = "runtime/default";
  EXPECT_EQ(*security_options(both, kReads), Options{"seccomp=unconfined"});
}

TEST(SecurityOptions, WhatCannotBeMeantIsRefused) {
  const v1::SecurityProfile rows[] = {profile(v1::SecurityProfile::Localhost),
                                      profile(v1::SecurityProfile::Localhost, "relative.json"),
                                      profile(v1::SecurityProfile::Localhost, "/etc/missing.json"),
                                      profile(v1::SecurityProfile::RuntimeDefault, "/etc/seccomp.json")};
  for (const auto& row : rows) EXPECT_FALSE(security_options(seccomp(row), kReads));
}

TEST(SelinuxLabel, WhatIsLeftOutIsTheDefault) {
  v1::SELinuxOption options;
  EXPECT_EQ(selinux_label(options), "");
  options.set_level("s0:c1,c2");
  EXPECT_EQ(selinux_label(options), "system_u:system_r:container_t:s0:c1,c2");
}

}  // namespace
}  // namespace fermata::cri
