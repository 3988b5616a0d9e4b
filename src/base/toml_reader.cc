#include "base/toml_reader.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"

namespace fermata {

tl::unexpected<Error> TomlReader::wrong(const toml::source_region& where, std::string_view what) const {
  return fail(ErrorKind::invalid_argument, "{}:{}: {}", path_, where.begin.line, what);
}

const toml::node* TomlReader::take(const char* key) {
  known_.insert(key);
  return table_.get(key);
}

Result<void> TomlReader::string(const char* key, std::string& value) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const auto text = node->value_exact<std::string>();
  if (!text) return wrong(node->source(), full(key) + " is not a string");
  value = *text;
  return {};
}

Result<void> TomlReader::strings(const char* key, std::vector<std::string>& values) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr) return wrong(node->source(), full(key) + " is not a list of strings");
  values.clear();
  for (const toml::node& each : *array) {
    const auto text = each.value_exact<std::string>();
    if (!text) return wrong(each.source(), full(key) + " holds something that is not a string");
    values.push_back(*text);
  }
  return {};
}

Result<void> TomlReader::number(const char* key, std::int64_t least, std::int64_t most,
                                const std::function<void(std::int64_t)>& take_value) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const auto value = node->value_exact<std::int64_t>();
  if (!value || *value < least || *value > most)
    return wrong(node->source(), fmt::format("{} is not a number from {} to {}", full(key), least, most));
  take_value(*value);
  return {};
}

Result<void> TomlReader::word(const char* key, const char* words,
                              const std::function<bool(std::string_view)>& take_word) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const auto text = node->value_exact<std::string>();
  if (!text || !take_word(*text))
    return wrong(node->source(), fmt::format("{} is none of {}", full(key), words));
  return {};
}

Result<void> TomlReader::checked(const char* key, std::string& value,
                                 const std::function<Result<void>(const std::string&)>& check) {
  TRY(string(key, value));
  const toml::node* node = table_.get(key);
  if (node == nullptr) return {};
  if (const auto result = check(value); !result)
    return wrong(node->source(), full(key) + ": " + result.error().message());
  return {};
}

Result<void> TomlReader::checked(const char* key, std::vector<std::string>& values,
                                 const std::function<Result<void>(const std::string&)>& check) {
  TRY(strings(key, values));
  const toml::node* node = table_.get(key);
  if (node == nullptr) return {};
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const auto result = check(values[i]); !result)
      return wrong(node->as_array()->get(i)->source(), full(key) + ": " + result.error().message());
  return {};
}

Result<void> TomlReader::table(const char* key, const std::function<Result<void>(TomlReader&)>& read) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const toml::table* inner = node->as_table();
  if (inner == nullptr)
    return wrong(node->source(), fmt::format("{0} is not a table; write [{0}]", full(key)));
  TomlReader reader(*inner, path_, full(key));
  TRY(read(reader));
  return reader.finish();
}

Result<void> TomlReader::tables(
    const std::function<Result<void>(const std::string& name, TomlReader&)>& read) {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    TRY(table(name.c_str(), [&](TomlReader& inner) { return read(name, inner); }));
  }
  return {};
}

Result<void> TomlReader::finish() const {
  for (const auto& [key, node] : table_) {
    if (known_.contains(key.str())) continue;
    const std::vector<std::string> known(known_.begin(), known_.end());
    return wrong(key.source(),
                 fmt::format("unknown setting '{}': there are {}", full(key.str()), join(known, ", ")));
  }
  return {};
}

Result<void> check_absolute(const std::string& path) {
  if (path.starts_with('/')) return {};
  return fail(ErrorKind::invalid_argument, "'{}' is not an absolute path", path);
}

Result<std::string> read_toml_file(const std::string& path, bool required) {
  constexpr std::size_t kMost = 1u << 20;
  auto text = read_file(path, kMost);
  if (!text && !required && text.error().error_number() == ENOENT) return std::string();
  return text;
}

Result<void> parse_toml(std::string_view text, const std::string& path,
                        const std::function<Result<void>(TomlReader&)>& read) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return fail(ErrorKind::invalid_argument, "{}:{}: {}", path, parsed.error().source().begin.line,
                parsed.error().description());
  TomlReader reader(parsed.table(), path, "");
  TRY(read(reader));
  return reader.finish();
}

}  // namespace fermata
