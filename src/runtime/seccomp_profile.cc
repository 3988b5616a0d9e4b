#include "runtime/seccomp_profile.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace fermata::runtime {
namespace {

using nlohmann::json;

constexpr int kEperm = 1;
constexpr std::uint32_t kWaitKillable = 1u << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19

std::string native_architecture(const std::string& goarch) {
  if (goarch == "amd64") return "SCMP_ARCH_X86_64";
  if (goarch == "386") return "SCMP_ARCH_X86";
  if (goarch == "arm64") return "SCMP_ARCH_AARCH64";
  if (goarch == "ppc64le") return "SCMP_ARCH_PPC64LE";
  if (goarch == "mips64le") return "SCMP_ARCH_MIPSEL64";
  std::string upper = "SCMP_ARCH_";
  for (const char c : goarch) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return upper;
}

std::pair<int, int> version_of(std::string_view text) {
  std::pair<int, int> version = {0, 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version.first);
  if (error == std::errc() && end < text.data() + text.size() && *end == '.')
    std::from_chars(end + 1, text.data() + text.size(), version.second);
  return version;
}

// An absent field and null are the same: docker's own tools write both.
bool has(const json& object, const char* key) { return object.contains(key) && !object[key].is_null(); }

std::vector<std::string> names_at(const json& object, const char* key) {
  if (!has(object, key)) return {};
  return object.at(key).get<std::vector<std::string>>();
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool included(const json& condition, const SeccompContext& context) {
  for (const std::string& capability : names_at(condition, "caps"))
    if (!contains(context.capabilities, capability)) return false;
  const auto arches = names_at(condition, "arches");
  if (!arches.empty() && !contains(arches, context.architecture)) return false;
  return !has(condition, "minKernel") ||
         version_of(context.kernel) >= version_of(condition["minKernel"].get<std::string>());
}

bool excluded(const json& condition, const SeccompContext& context) {
  for (const std::string& capability : names_at(condition, "caps"))
    if (contains(context.capabilities, capability)) return true;
  if (contains(names_at(condition, "arches"), context.architecture)) return true;
  return has(condition, "minKernel") &&
         version_of(context.kernel) >= version_of(condition["minKernel"].get<std::string>());
}

kernel::SeccompAction action_at(const json& object, const char* action, const char* number) {
  kernel::SeccompAction result;
  result.name = object.at(action).get<std::string>();
  result.data = has(object, number) ? object[number].get<std::uint32_t>() : kEperm;
  return result;
}

std::vector<std::string> architectures_of(const json& profile, const std::string& goarch) {
  std::vector<std::string> result = names_at(profile, "architectures");
  if (!has(profile, "archMap")) return result;
  for (const json& entry : profile["archMap"]) {
    if (entry.at("architecture").get<std::string>() != native_architecture(goarch)) continue;
    for (std::string& name : names_at(entry, "subArchitectures")) result.push_back(std::move(name));
  }
  return result;
}

std::vector<kernel::SeccompComparison> comparisons_of(const json& rule) {
  std::vector<kernel::SeccompComparison> result;
  if (!has(rule, "args")) return result;
  for (const json& argument : rule["args"]) {
    kernel::SeccompComparison comparison;
    comparison.index = argument.at("index").get<unsigned>();
    comparison.op = argument.at("op").get<std::string>();
    comparison.value = argument.at("value").get<std::uint64_t>();
    if (has(argument, "valueTwo")) comparison.value_two = argument["valueTwo"].get<std::uint64_t>();
    result.push_back(std::move(comparison));
  }
  return result;
}

void add_rules(const json& rule, const SeccompContext& context, std::vector<kernel::SeccompRule>* rules) {
  if (has(rule, "includes") && !included(rule["includes"], context)) return;
  if (has(rule, "excludes") && excluded(rule["excludes"], context)) return;
  kernel::SeccompRule result;
  result.action = action_at(rule, "action", "errnoRet");
  result.comparisons = comparisons_of(rule);
  auto names = names_at(rule, "names");
  if (has(rule, "name")) names.push_back(rule["name"].get<std::string>());
  for (std::string& name : names) {
    result.syscall = std::move(name);
    rules->push_back(result);
  }
}

Result<std::uint32_t> flags_of(const json& profile, bool notifies) {
  constexpr auto kFlags = std::to_array<std::pair<std::string_view, std::uint32_t>>({
      {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
      {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
      {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
      {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", kWaitKillable},
  });
  std::uint32_t flags = notifies ? std::uint32_t{SECCOMP_FILTER_FLAG_NEW_LISTENER} : 0;
  for (const std::string& name : names_at(profile, "flags")) {
    const auto found =
        std::find_if(kFlags.begin(), kFlags.end(), [&](const auto& row) { return row.first == name; });
    if (found == kFlags.end()) return fail(ErrorKind::invalid_argument, "seccomp: unknown flag '{}'", name);
    flags |= found->second;
  }
  // For all threads of a process that has one; the kernel does not take it beside a listener. And there is
  // nobody to wait for without one.
  if (notifies) return flags & ~std::uint32_t{SECCOMP_FILTER_FLAG_TSYNC};
  return flags & ~kWaitKillable;
}

Result<void> read_listener(const json& document, SeccompProfile* profile) {
  if (has(document, "listenerPath")) profile->listener_path = document["listenerPath"].get<std::string>();
  if (has(document, "listenerMetadata"))
    profile->listener_metadata = document["listenerMetadata"].get<std::string>();
  if (!profile->listener_metadata.empty() && profile->listener_path.empty())
    return fail(ErrorKind::invalid_argument, "seccomp: listenerMetadata without listenerPath");
  if (kernel::notifies(profile->policy) && profile->listener_path.empty())
    return fail(ErrorKind::invalid_argument,
                "seccomp: SCMP_ACT_NOTIFY without listenerPath: nobody would answer the notifications");
  return {};
}

}  // namespace

Result<SeccompProfile> parse_seccomp_profile(std::string_view text, const SeccompContext& context) {
  try {
    const json document = json::parse(text);
    SeccompProfile profile;
    kernel::SeccompPolicy& policy = profile.policy;
    policy.default_action = action_at(document, "defaultAction", "defaultErrnoRet");
    policy.architectures = architectures_of(document, context.architecture);
    if (has(document, "syscalls"))
      for (const json& rule : document["syscalls"]) add_rules(rule, context, &policy.rules);
    TRY(profile.flags, flags_of(document, kernel::notifies(policy)));
    TRY(read_listener(document, &profile));
    return profile;
  } catch (const json::exception& error) {
    return fail(ErrorKind::invalid_argument, "seccomp profile: {}", error.what());
  }
}

}  // namespace fermata::runtime
