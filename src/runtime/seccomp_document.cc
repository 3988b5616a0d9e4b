#include "runtime/seccomp_document.h"

#include <nlohmann/json.hpp>

namespace fermata::runtime {
namespace {

using Json = nlohmann::json;

bool takes_number(const std::string& action) {
  return action == "SCMP_ACT_ERRNO" || action == "SCMP_ACT_TRACE";
}

Json head_of(const kernel::SeccompRule& rule) {
  Json json = {{"action", rule.action.name}};
  if (takes_number(rule.action.name)) json["errnoRet"] = rule.action.data;
  for (const kernel::SeccompComparison& comparison : rule.comparisons)
    json["args"].push_back({{"index", comparison.index},
                            {"value", comparison.value},
                            {"valueTwo", comparison.value_two},
                            {"op", comparison.op}});
  return json;
}

// Neighbours that differ in nothing but the system call share an entry.
Json rules_of(const std::vector<kernel::SeccompRule>& rules) {
  Json list = Json::array();
  Json last;
  for (const kernel::SeccompRule& rule : rules) {
    Json head = head_of(rule);
    if (list.empty() || head != last) list.push_back(head);
    last = std::move(head);
    list.back()["names"].push_back(rule.syscall);
  }
  return list;
}

}  // namespace

Result<std::string> seccomp_document(std::string_view text, const SeccompContext& context) {
  TRY(const SeccompProfile profile, parse_seccomp_profile(text, context));
  const kernel::SeccompPolicy& policy = profile.policy;
  if (kernel::notifies(policy))
    return fail(ErrorKind::unsupported, "seccomp: SCMP_ACT_NOTIFY needs a runtime with an agent");
  Json json = {{"defaultAction", policy.default_action.name}, {"syscalls", rules_of(policy.rules)}};
  if (takes_number(policy.default_action.name)) json["defaultErrnoRet"] = policy.default_action.data;
  if (!policy.architectures.empty()) json["architectures"] = policy.architectures;
  return json.dump();
}

}  // namespace fermata::runtime
