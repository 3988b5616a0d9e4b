#include "cri/security_profile.h"

#include <fmt/format.h>

#include <optional>

#include "base/files.h"
#include "pod/selinux.h"

namespace fermata::cri {
namespace {

constexpr std::string_view kLocalhost = "localhost/";

// The deprecated form as a profile; nullopt: none.
Result<std::optional<v1::SecurityProfile>> parse_old_form(const std::string& text, const char* field) {
  v1::SecurityProfile profile;
  if (text.empty()) return std::optional<v1::SecurityProfile>();
  if (text == "runtime/default" || text == "docker/default") {
    profile.set_profile_type(v1::SecurityProfile::RuntimeDefault);
  } else if (text == "unconfined") {
    profile.set_profile_type(v1::SecurityProfile::Unconfined);
  } else if (text.starts_with(kLocalhost)) {
    profile.set_profile_type(v1::SecurityProfile::Localhost);
    profile.set_localhost_ref(text.substr(kLocalhost.size()));
  } else {
    return fail(ErrorKind::invalid_argument,
                "{} '{}': it is none of runtime/default, unconfined and localhost/<profile>", field, text);
  }
  return std::optional(std::move(profile));
}

Result<void> check_reference(const v1::SecurityProfile& profile, const char* what) {
  const bool localhost = profile.profile_type() == v1::SecurityProfile::Localhost;
  if (localhost && profile.localhost_ref().empty())
    return fail(ErrorKind::invalid_argument, "the {} profile of type Localhost names no profile", what);
  if (!localhost && !profile.localhost_ref().empty())
    return fail(ErrorKind::invalid_argument, "the {} profile '{}' is given with a type that is not Localhost",
                what, profile.localhost_ref());
  return {};
}

// "": the engine's default.
Result<std::string> seccomp_option(const v1::SecurityProfile& profile, const ReadProfile& read) {
  TRY(check_reference(profile, "seccomp"));
  if (profile.profile_type() == v1::SecurityProfile::RuntimeDefault) return std::string();
  if (profile.profile_type() == v1::SecurityProfile::Unconfined) return std::string("seccomp=unconfined");
  const std::string& path = profile.localhost_ref();
  if (!path.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "the path of the seccomp profile '{}' is not absolute", path);
  auto text = read(path);
  if (!text) return fail_with(std::move(text.error()), "seccomp profile");
  return "seccomp=" + *text;
}

Result<std::string> apparmor_option(const v1::SecurityProfile& profile) {
  TRY(check_reference(profile, "AppArmor"));
  switch (profile.profile_type()) {
    case v1::SecurityProfile::Unconfined:
      return std::string("apparmor=unconfined");
    case v1::SecurityProfile::Localhost:
      return "apparmor=" + profile.localhost_ref();
    default:
      return std::string();
  }
}

void add(std::vector<std::string>& options, std::string option) {
  if (!option.empty()) options.push_back(std::move(option));
}

}  // namespace

// The old forms are marked as such in the protocol, and are still sent by old clients.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

SecurityProfiles::SecurityProfiles(const v1::LinuxSandboxSecurityContext& context)
    : seccomp(context.has_seccomp() ? &context.seccomp() : nullptr),
      seccomp_path(context.seccomp_profile_path()),
      apparmor(context.has_apparmor() ? &context.apparmor() : nullptr) {}

SecurityProfiles::SecurityProfiles(const v1::LinuxContainerSecurityContext& context)
    : seccomp(context.has_seccomp() ? &context.seccomp() : nullptr),
      seccomp_path(context.seccomp_profile_path()),
      apparmor(context.has_apparmor() ? &context.apparmor() : nullptr),
      apparmor_profile(context.apparmor_profile()) {}

#pragma GCC diagnostic pop

Result<std::vector<std::string>> security_options(const SecurityProfiles& profiles, const ReadProfile& read) {
  TRY(auto seccomp, parse_old_form(profiles.seccomp_path, "seccomp_profile_path"));
  TRY(auto apparmor, parse_old_form(profiles.apparmor_profile, "apparmor_profile"));
  if (profiles.seccomp != nullptr) seccomp = *profiles.seccomp;
  if (profiles.apparmor != nullptr) apparmor = *profiles.apparmor;
  std::vector<std::string> options;
  if (seccomp) {
    TRY(auto option, seccomp_option(*seccomp, read));
    add(options, std::move(option));
  } else {
    options.emplace_back("seccomp=unconfined");
  }
  if (apparmor) {
    TRY(auto option, apparmor_option(*apparmor));
    add(options, std::move(option));
  }
  return options;
}

std::string selinux_label(const v1::SELinuxOption& options) {
  return pod::process_label(options.user(), options.role(), options.type(), options.level());
}

Result<std::string> read_profile(const std::string& path) { return read_file(path, 1u << 20); }

}  // namespace fermata::cri
