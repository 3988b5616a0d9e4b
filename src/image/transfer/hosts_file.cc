#include "image/transfer/hosts_file.h"

#include <algorithm>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace fermata::image {
namespace {

std::vector<std::string> text_or_texts(const toml::node_view<const toml::node>& node) {
  if (const auto one = node.value<std::string>()) return {*one};
  std::vector<std::string> all;
  if (const toml::array* array = node.as_array())
    for (const toml::node& each : *array)
      if (const auto text = each.value<std::string>()) all.push_back(*text);
  return all;
}

void read_capabilities(const toml::table& table, HostEntry& entry) {
  if (!table.contains("capabilities")) return;
  const auto all = text_or_texts(table["capabilities"]);
  entry.pull = std::find(all.begin(), all.end(), "pull") != all.end();
  entry.resolve = std::find(all.begin(), all.end(), "resolve") != all.end();
}

// "file", or pairs: [["cert", "key"]]. Of several pairs the first counts.
void read_client(const toml::table& table, HostEntry& entry) {
  std::vector<std::string> files = text_or_texts(table["client"]);
  if (const toml::array* pairs = table["client"].as_array();
      pairs != nullptr && files.empty() && !pairs->empty())
    if (const toml::array* pair = pairs->get_as<toml::array>(0))
      for (const toml::node& each : *pair)
        if (const auto text = each.value<std::string>()) files.push_back(*text);
  if (!files.empty()) entry.certificate = files[0];
  if (files.size() > 1) entry.key = files[1];
}

HostEntry read_entry(const toml::table& table, std::string url) {
  HostEntry entry{.url = std::move(url)};
  read_capabilities(table, entry);
  read_client(table, entry);
  entry.skip_verify = table["skip_verify"].value_or(false);
  entry.override_path = table["override_path"].value_or(false);
  entry.ca = text_or_texts(table["ca"]);
  return entry;
}

}  // namespace

Result<HostsFile> parse_hosts_file(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return fail(ErrorKind::invalid_argument, "{}:{}: {}", path, parsed.error().source().begin.line,
                parsed.error().description());
  const toml::table& file = parsed.table();
  HostsFile hosts;
  hosts.server = read_entry(file, file["server"].value_or(std::string()));
  const toml::table* table = file["host"].as_table();
  if (table == nullptr) return hosts;
  // A table knows its keys by name, but their order is what the file says.
  std::vector<std::pair<toml::source_position, HostEntry>> entries;
  for (const auto& [url, node] : *table) {
    const toml::table* entry = node.as_table();
    if (entry == nullptr)
      return fail(ErrorKind::invalid_argument, "{}:{}: host '{}' is not a table", path,
                  node.source().begin.line, url.str());
    entries.emplace_back(url.source().begin, read_entry(*entry, std::string(url.str())));
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [position, entry] : entries) hosts.hosts.push_back(std::move(entry));
  return hosts;
}

}  // namespace fermata::image
