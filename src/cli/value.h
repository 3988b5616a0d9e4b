// A value as templates and JSON see it: what `inspect` prints and what {{.State.Pid}} walks through. Members
// keep their order. Values are immutable once shared; copying is cheap.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace fermata::cli {

class Value {
 public:
  using List = std::vector<Value>;
  using Members = std::vector<std::pair<std::string, Value>>;
  // {{.Label "key"}}; not part of the JSON.
  using Function = std::function<Result<Value>(const List&)>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool boolean) : data_(boolean) {}
  Value(int number) : data_(static_cast<std::int64_t>(number)) {}
  Value(std::int64_t number) : data_(number) {}
  Value(std::uint64_t number) : data_(static_cast<std::int64_t>(number)) {}
  Value(std::uint32_t number) : data_(static_cast<std::int64_t>(number)) {}
  Value(double number) : data_(number) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(List list) : data_(std::make_shared<const List>(std::move(list))) {}
  Value(Members members) : data_(std::make_shared<const Members>(std::move(members))) {}
  static Value object(std::initializer_list<std::pair<std::string, Value>> members) {
    return Value(Members(members));
  }
  // A map whose keys are data, such as labels: a key that is not there is no mistake of the template's.
  // `absent`: what `index` finds for it, the zero value of Go's element type.
  static Value map(Members members, Value absent = nullptr);
  // Go's nil slice and nil map: null in JSON, "[]" and "map[]" of length 0 in templates.
  static Value nil_list();
  static Value nil_map(Value absent = nullptr);
  static Value function(Function function);
  static Value strings(const std::vector<std::string>& texts);
  // The same, but nil when there are none.
  static Value strings_or_nil(const std::vector<std::string>& texts);

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* text() const { return std::get_if<std::string>(&data_); }
  const List* list() const { return get<List>(); }
  const Members* members() const { return get<Members>(); }
  const Function* callable() const { return get<Function>(); }
  // nullptr when this is no object or has no such member.
  const Value* find(std::string_view name) const;
  // Of a map whose keys are data; nullptr for everything else.
  const Value* absent() const { return absent_.get(); }

  // Go's truth: not null, zero or empty.
  bool truth() const;
  // Go's %v: "[a b]", "map[k:v]", "<no value>".
  std::string print() const;
  // As Go's encoder without HTML escapes. indent 0: on one line.
  std::string json(int indent = 0) const;
  // "string", "int", "bool", "map", ... for messages.
  std::string_view kind() const;

 private:
  template <class T>
  const T* get() const {
    const auto* held = std::get_if<std::shared_ptr<const T>>(&data_);
    return held == nullptr ? nullptr : held->get();
  }
  void append_json(std::string& out, int indent, int depth) const;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::shared_ptr<const List>,
               std::shared_ptr<const Members>, std::shared_ptr<const Function>>
      data_;
  std::shared_ptr<const Value> absent_;
  bool nil_ = false;  // a list or a map without items that JSON shows as null
};

// With quotes, as Go's encoder.
std::string json_quote(std::string_view text);

}  // namespace fermata::cli
