#include "image/transfer/registries_conf.h"

#include <algorithm>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace fermata::image {
namespace {

std::string repository_of(const oci::Reference& image) { return image.registry + "/" + image.repository; }

std::string text_of(const toml::table& table, const char* key) { return table[key].value_or(std::string()); }

MirrorRule mirror_rule(const toml::table& table, bool digest_only) {
  MirrorRule mirror{.location = text_of(table, "location"), .insecure = table["insecure"].value_or(false)};
  const std::string from = text_of(table, "pull-from-mirror");
  mirror.by_tag = from != "digest-only" && !digest_only;
  mirror.by_digest = from != "tag-only";
  return mirror;
}

Result<RegistryRule> registry_rule(const toml::table& table, const std::string& path) {
  RegistryRule rule{.prefix = text_of(table, "prefix"),
                    .location = text_of(table, "location"),
                    .insecure = table["insecure"].value_or(false),
                    .blocked = table["blocked"].value_or(false)};
  if (rule.prefix.empty()) rule.prefix = rule.location;
  if (rule.prefix.empty())
    return fail(ErrorKind::invalid_argument, "{}:{}: the registry has neither prefix nor location", path,
                table.source().begin.line);
  const bool digest_only = table["mirror-by-digest-only"].value_or(false);
  if (const toml::array* mirrors = table["mirror"].as_array()) {
    for (const toml::node& node : *mirrors) {
      if (const toml::table* mirror = node.as_table())
        rule.mirrors.push_back(mirror_rule(*mirror, digest_only));
      if (rule.mirrors.empty() || rule.mirrors.back().location.empty())
        return fail(ErrorKind::invalid_argument, "{}:{}: the mirror has no location", path,
                    node.source().begin.line);
    }
  }
  return rule;
}

// Where the prefix ends in the image's name; npos: it is another's.
std::size_t prefix_end(const RegistryRule& rule, const oci::Reference& image) {
  const std::string name = repository_of(image);
  if (rule.prefix.starts_with("*.")) {
    const std::string_view suffix = std::string_view(rule.prefix).substr(1);
    const bool fits = image.registry.size() > suffix.size() && image.registry.ends_with(suffix);
    return fits ? image.registry.size() : std::string::npos;
  }
  if (!name.starts_with(rule.prefix)) return std::string::npos;
  const bool whole = name.size() == rule.prefix.size() || name[rule.prefix.size()] == '/';
  return whole ? rule.prefix.size() : std::string::npos;
}

}  // namespace

Result<std::vector<RegistryRule>> parse_registries_conf(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return fail(ErrorKind::invalid_argument, "{}:{}: {}", path, parsed.error().source().begin.line,
                parsed.error().description());
  std::vector<RegistryRule> rules;
  const toml::array* registries = parsed.table()["registry"].as_array();
  if (registries == nullptr) return rules;
  for (const toml::node& node : *registries) {
    const toml::table* table = node.as_table();
    if (table == nullptr) continue;
    TRY(auto rule, registry_rule(*table, path));
    rules.push_back(std::move(rule));
  }
  return rules;
}

const RegistryRule* rule_for(const std::vector<RegistryRule>& rules, const oci::Reference& image) {
  const RegistryRule* best = nullptr;
  for (const RegistryRule& rule : rules)
    if (prefix_end(rule, image) != std::string::npos &&
        (best == nullptr || rule.prefix.size() > best->prefix.size()))
      best = &rule;
  return best;
}

std::string relocated(const RegistryRule& rule, const std::string& location, const oci::Reference& image) {
  const std::string name = repository_of(image);
  return location.empty() ? name : location + name.substr(std::min(prefix_end(rule, image), name.size()));
}

}  // namespace fermata::image
