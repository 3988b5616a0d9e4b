#include "oci/json_fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace fermata::oci {
namespace {

constexpr std::size_t kMaxBytes = 8u << 20;
constexpr int kMaxDepth = 64;

std::string listed(std::initializer_list<std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Where the byte stands, for whoever edits the file: the library's own message counts only bytes.
tl::unexpected<Error> not_json(std::string_view text, std::size_t byte, std::string_view what) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  return fail(ErrorKind::invalid_argument, "{}: not JSON at line {} (byte {})", what, line, byte);
}

}  // namespace

Result<Json> parse_bounded_json(std::string_view text, std::string_view what) {
  if (text.size() > kMaxBytes) return fail(ErrorKind::invalid_argument, "{}: larger than 8 MiB", what);
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) { return !(deep |= depth > kMaxDepth); };
  Json json;
  try {
    json = Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    return not_json(text, error.byte, what);
  } catch (const Json::out_of_range&) {
    return fail(ErrorKind::invalid_argument, "{}: a number is beyond what a double can hold", what);
  }
  if (deep) return fail(ErrorKind::invalid_argument, "{}: nested deeper than {} levels", what, kMaxDepth);
  if (!json.is_object()) return fail(ErrorKind::invalid_argument, "{}: not a JSON object", what);
  return json;
}

bool take(const Json& value, bool& out) {
  if (!value.is_boolean()) return false;
  out = value.get<bool>();
  return true;
}

bool take(const Json& value, std::string& out) {
  if (!value.is_string()) return false;
  out = value.get_ref<const std::string&>();
  return out.find('\0') == std::string::npos;
}

bool take_number(const Json& value, std::int64_t min, std::uint64_t max, std::uint64_t& out) {
  if (value.is_number_unsigned()) {
    out = value.get<std::uint64_t>();
    return out <= max;
  }
  if (!value.is_number_integer()) return false;
  const auto number = value.get<std::int64_t>();
  out = static_cast<std::uint64_t>(number);
  return number >= min && (number < 0 || out <= max);
}

std::string Fields::place(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const Json* Fields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Result<void> Fields::require(const char* key) const {
  if (find(key) == nullptr) return wrong(key, "missing");
  return {};
}

Result<void> Fields::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const auto& item : object_.items())
    if (!is_one_of(item.key(), keys)) return wrong(item.key(), "unknown field; known are {}", listed(keys));
  return {};
}

tl::unexpected<Error> Fields::wrong_type(const char* key, std::string_view type) const {
  return wrong(key, "not {}", type);
}

Result<void> Fields::read_word(const char* key, std::initializer_list<std::string_view> words,
                               std::string& out) const {
  TRY(read(key, out));
  if (find(key) != nullptr && !is_one_of(out, words))
    return wrong(key, "'{}' is none of {}", out, listed(words));
  return {};
}

Result<void> Fields::read_words(const char* key, std::initializer_list<std::string_view> words,
                                std::vector<std::string>& out) const {
  TRY(read(key, out));
  for (const std::string& word : out)
    if (!is_one_of(word, words)) return wrong(key, "'{}' is none of {}", word, listed(words));
  return {};
}

Result<void> Fields::read_absolute(const char* key, std::string& out) const {
  TRY(read(key, out));
  if (find(key) != nullptr && !out.starts_with('/')) return wrong(key, "'{}' is not an absolute path", out);
  return {};
}

Result<void> Fields::read_absolute(const char* key, std::vector<std::string>& out) const {
  TRY(read(key, out));
  for (const std::string& path : out)
    if (!path.starts_with('/')) return wrong(key, "'{}' is not an absolute path", path);
  return {};
}

}  // namespace fermata::oci
