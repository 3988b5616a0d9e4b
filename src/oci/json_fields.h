// The fields of a JSON object, read strictly: what each reader of a foreign document is made of.
//
// A field that is absent or null leaves its variable alone; one of the wrong type or out of range is an error
// that names its place in the document ("mounts[2].options is not a list of strings"). Fields that nobody
// asks for are ignored. Borrows the document, which must outlive it.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fermata::oci {

using Json = nlohmann::json;

// Text to JSON, with bounds on size and depth. `what` names the text in errors: "the process".
Result<Json> parse_bounded_json(std::string_view text, std::string_view what);

// Takes the value as a T, or answers false. Numbers must be whole and fit the type; strings hold no NUL,
// which no path or argument of Linux can.
bool take(const Json& value, bool& out);
bool take(const Json& value, std::string& out);
bool take_number(const Json& value, std::int64_t min, std::uint64_t max, std::uint64_t& out);

template <std::integral T>
requires(!std::same_as<T, bool>) bool take(const Json& value, T& out) {
  std::uint64_t number = 0;
  if (!take_number(value, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                   static_cast<std::uint64_t>(std::numeric_limits<T>::max()), number))
    return false;
  out = static_cast<T>(number);  // a negative one is there in two's complement
  return true;
}

template <class T>
bool take(const Json& value, std::optional<T>& out) {
  return take(value, out.emplace());
}

template <class T>
bool take(const Json& value, std::vector<T>& out) {
  if (!value.is_array()) return false;
  for (const Json& item : value)
    if (!take(item, out.emplace_back())) return false;
  return true;
}

template <class T>
bool take(const Json& value, std::map<std::string, T>& out) {
  if (!value.is_object()) return false;
  for (const auto& item : value.items())
    if (!take(item.value(), out[item.key()])) return false;
  return true;
}

// "a list of strings": what take() wanted.
template <class T>
struct TypeName {
  static std::string text() {
    if constexpr (std::same_as<T, bool>) return "true or false";
    if constexpr (std::same_as<T, std::string>) return "a string";
    return fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                       std::numeric_limits<T>::max());
  }
};
template <class T>
struct TypeName<std::optional<T>> : TypeName<T> {};
template <class T>
struct TypeName<std::vector<T>> {
  static std::string text() { return "a list of which each is " + TypeName<T>::text(); }
};
template <class T>
struct TypeName<std::map<std::string, T>> {
  static std::string text() { return "an object of which each value is " + TypeName<T>::text(); }
};
template <>
inline std::string TypeName<std::vector<std::string>>::text() {
  return "a list of strings";
}
template <>
inline std::string TypeName<std::map<std::string, std::string>>::text() {
  return "an object of strings";
}

class Fields {
 public:
  // `path` is where the object stands: "linux.resources", "" for the document itself.
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {}

  // Where the field stands: "linux.resources.memory".
  std::string place(std::string_view key) const;
  const std::string& path() const noexcept { return path_; }
  // nullptr: absent or null.
  const Json* find(const char* key) const;
  // An error unless the field is there.
  Result<void> require(const char* key) const;
  // An error if there is a field of another name: of documents that must not be half understood.
  Result<void> allow_only(std::initializer_list<std::string_view> keys) const;

  template <class T>
  Result<void> read(const char* key, T& out) const {
    const Json* value = find(key);
    if (value != nullptr && !take(*value, out)) return wrong_type(key, TypeName<T>::text());
    return {};
  }
  // A number within bounds of its own.
  template <class T>
  Result<void> read_between(const char* key, std::int64_t min, std::int64_t max, T& out) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    std::int64_t number = 0;
    if (!take(*value, number) || number < min || number > max)
      return wrong_type(key, fmt::format("a whole number from {} to {}", min, max));
    out = static_cast<T>(number);
    return {};
  }
  // One of `words`; the error lists them.
  Result<void> read_word(const char* key, std::initializer_list<std::string_view> words,
                         std::string& out) const;
  // The same for each of a list.
  Result<void> read_words(const char* key, std::initializer_list<std::string_view> words,
                          std::vector<std::string>& out) const;
  // An absolute path, or paths.
  Result<void> read_absolute(const char* key, std::string& out) const;
  Result<void> read_absolute(const char* key, std::vector<std::string>& out) const;

  // An object of its own: read_item(Fields, T&) reads it.
  template <class T>
  Result<void> read_object(const char* key, T& out, Result<void> (*read_item)(const Fields&, T&)) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_object()) return wrong_type(key, "an object");
    return read_item(Fields(*value, place(key)), out);
  }
  template <class T>
  Result<void> read_object(const char* key, std::optional<T>& out,
                           Result<void> (*read_item)(const Fields&, T&)) const {
    if (find(key) == nullptr) return {};
    return read_object(key, out.emplace(), read_item);
  }
  // A list of objects.
  template <class T>
  Result<void> read_objects(const char* key, std::vector<T>& out,
                            Result<void> (*read_item)(const Fields&, T&)) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_array()) return wrong_type(key, "a list of objects");
    for (std::size_t i = 0; i < value->size(); ++i) {
      if (!(*value)[i].is_object()) return wrong_type(key, "a list of objects");
      TRY(read_item(Fields((*value)[i], fmt::format("{}[{}]", place(key), i)), out.emplace_back()));
    }
    return {};
  }
  // An object of objects, by name.
  template <class T>
  Result<void> read_named_objects(const char* key, std::map<std::string, T>& out,
                                  Result<void> (*read_item)(const Fields&, T&)) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_object()) return wrong_type(key, "an object of objects");
    for (const auto& item : value->items()) {
      if (!item.value().is_object()) return wrong_type(key, "an object of objects");
      TRY(read_item(Fields(item.value(), fmt::format("{}['{}']", place(key), item.key())), out[item.key()]));
    }
    return {};
  }

  // "process.cwd: <message>"
  template <class... Args>
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view key, fmt::format_string<Args...> format,
                                            Args&&... args) const {
    return fail(ErrorKind::invalid_argument, "{}: {}", place(key),
                fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  tl::unexpected<Error> wrong_type(const char* key, std::string_view type) const;

  const Json& object_;
  std::string path_;
};

}  // namespace fermata::oci
