#include "cli/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/text.h"
#include "cli/unicode.h"

namespace fermata::cli::tmpl {
namespace {

using Arguments = std::vector<Value>;

tl::unexpected<Error> bad(std::string_view why) { return fail(ErrorKind::invalid_argument, "{}", why); }

std::string text_of(const Value& value) { return value.print(); }

// -1, 0, 1; an error when the two cannot be compared.
Result<int> compare(const Value& a, const Value& b) {
  const auto number = [](const Value& value) -> std::optional<double> {
    if (const auto* whole = value.integer()) return static_cast<double>(*whole);
    if (const auto* real = value.real()) return *real;
    return std::nullopt;
  };
  if (a.integer() != nullptr && b.integer() != nullptr)
    return *a.integer() < *b.integer() ? -1 : (*a.integer() > *b.integer() ? 1 : 0);
  if (const auto x = number(a), y = number(b); x && y) return *x < *y ? -1 : (*x > *y ? 1 : 0);
  if (a.text() != nullptr && b.text() != nullptr) {
    const int order = a.text()->compare(*b.text());
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
  }
  return bad("incompatible types for comparison");
}

Result<bool> equal(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  if (a.boolean() != nullptr && b.boolean() != nullptr) return *a.boolean() == *b.boolean();
  TRY(const int order, compare(a, b));
  return order == 0;
}

Result<Value> call_eq(const Arguments& arguments) {
  if (arguments.size() < 2) return bad("missing argument for comparison");
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    TRY(const bool same, equal(arguments[0], arguments[i]));
    if (same) return Value(true);
  }
  return Value(false);
}

Result<Value> call_ne(const Arguments& arguments) {
  TRY(const bool same, equal(arguments[0], arguments[1]));
  return Value(!same);
}

template <bool (*test)(int)>
Result<Value> call_order(const Arguments& arguments) {
  TRY(const int order, compare(arguments[0], arguments[1]));
  return Value(test(order));
}
bool below(int order) { return order < 0; }
bool at_most(int order) { return order <= 0; }
bool above(int order) { return order > 0; }
bool at_least(int order) { return order >= 0; }

Result<Value> call_and(const Arguments& arguments) {
  for (const Value& value : arguments)
    if (!value.truth()) return value;
  return arguments.back();
}

Result<Value> call_or(const Arguments& arguments) {
  for (const Value& value : arguments)
    if (value.truth()) return value;
  return arguments.back();
}

Result<Value> call_not(const Arguments& arguments) { return Value(!arguments[0].truth()); }

Result<Value> call_len(const Arguments& arguments) {
  const Value& value = arguments[0];
  if (const auto* text = value.text()) return Value(static_cast<std::int64_t>(text->size()));
  if (const auto* list = value.list()) return Value(static_cast<std::int64_t>(list->size()));
  if (const auto* members = value.members()) return Value(static_cast<std::int64_t>(members->size()));
  return bad(fmt::format("len of type {}", value.kind()));
}

Result<Value> call_index(const Arguments& arguments) {
  Value value = arguments[0];
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const Value& key = arguments[i];
    if (const auto* list = value.list()) {
      if (key.integer() == nullptr)
        return bad(fmt::format("cannot index slice/array with type {}", key.kind()));
      if (*key.integer() < 0 || static_cast<std::size_t>(*key.integer()) >= list->size())
        return bad(fmt::format("index out of range: {}", *key.integer()));
      value = Value((*list)[static_cast<std::size_t>(*key.integer())]);
    } else if (value.members() != nullptr) {
      if (key.text() == nullptr) return bad(fmt::format("value has type {}; should be string", key.kind()));
      const Value* member = value.find(*key.text());
      if (member == nullptr) member = value.absent();
      value = member == nullptr ? Value() : Value(*member);
    } else {
      return bad(value.is_null() ? std::string("index of untyped nil")
                                 : fmt::format("can't index item of type {}", value.kind()));
    }
  }
  return value;
}

Result<Value> call_slice(const Arguments& arguments) {
  const Value& value = arguments[0];
  const std::size_t size =
      value.text() != nullptr ? value.text()->size() : (value.list() != nullptr ? value.list()->size() : 0);
  if (value.text() == nullptr && value.list() == nullptr)
    return bad(fmt::format("can't slice item of type {}", value.kind()));
  std::size_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const auto* bound = arguments[i].integer();
    if (bound == nullptr)
      return bad(fmt::format("cannot index slice/array with type {}", arguments[i].kind()));
    if (*bound < 0 || static_cast<std::size_t>(*bound) > size)
      return bad(fmt::format("index out of range: {}", *bound));
    bounds[i - 1] = static_cast<std::size_t>(*bound);
  }
  if (bounds[0] > bounds[1]) return bad(fmt::format("invalid slice index: {} > {}", bounds[0], bounds[1]));
  if (value.text() != nullptr) return Value(value.text()->substr(bounds[0], bounds[1] - bounds[0]));
  const auto begin = value.list()->begin();
  return Value(Value::List(begin + static_cast<std::ptrdiff_t>(bounds[0]),
                           begin + static_cast<std::ptrdiff_t>(bounds[1])));
}

// Go's Sprint: a space between two operands when neither is a string.
Result<Value> call_print(const Arguments& arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0 && arguments[i].text() == nullptr && arguments[i - 1].text() == nullptr) out += ' ';
    out += text_of(arguments[i]);
  }
  return Value(out);
}

Result<Value> call_println(const Arguments& arguments) {
  std::string out;
  for (const Value& value : arguments) {
    if (!out.empty()) out += ' ';
    out += text_of(value);
  }
  return Value(out + "\n");
}

Result<Value> call_printf(const Arguments& arguments) {
  if (arguments[0].text() == nullptr) return bad("wrong type for value; expected string");
  return Value(go_printf(*arguments[0].text(), Arguments(arguments.begin() + 1, arguments.end())));
}

Result<Value> call_json(const Arguments& arguments) { return Value(arguments[0].json()); }
Result<Value> call_lower(const Arguments& arguments) { return Value(to_lower(text_of(arguments[0]))); }
Result<Value> call_upper(const Arguments& arguments) {
  std::string text = text_of(arguments[0]);
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return Value(text);
}
Result<Value> call_title(const Arguments& arguments) {
  std::string text = text_of(arguments[0]);
  bool start = true;
  for (char& c : text) {
    if (start) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    start = c == ' ';
  }
  return Value(text);
}

Result<Value> call_split(const Arguments& arguments) {
  const std::string text = text_of(arguments[0]), separator = text_of(arguments[1]);
  Value::List parts;
  if (separator.empty()) {
    for (std::size_t i = 0; i < text.size(); ++i) parts.emplace_back(std::string(1, text[i]));
    return Value(std::move(parts));
  }
  for (std::size_t from = 0;;) {
    const std::size_t found = text.find(separator, from);
    parts.emplace_back(text.substr(from, found == std::string::npos ? found : found - from));
    if (found == std::string::npos) return Value(std::move(parts));
    from = found + separator.size();
  }
}

Result<Value> call_join(const Arguments& arguments) {
  const auto* list = arguments[0].list();
  if (list == nullptr) {
    if (arguments[0].is_null()) return Value("");
    return bad(fmt::format("wrong type for value; expected []string; got {}", arguments[0].kind()));
  }
  std::vector<std::string> parts;
  for (const Value& value : *list) parts.push_back(text_of(value));
  return Value(join(parts, text_of(arguments[1])));
}

constexpr std::int64_t kMaxPad = 4096;
Result<Value> call_pad(const Arguments& arguments) {
  const auto *before = arguments[1].integer(), *after = arguments[2].integer();
  if (before == nullptr || after == nullptr) return bad("wrong type for value; expected int");
  if (*before < 0 || *after < 0 || *before > kMaxPad || *after > kMaxPad) return bad("padding out of range");
  const std::string text = text_of(arguments[0]);
  if (text.empty()) return Value(text);
  return Value(std::string(static_cast<std::size_t>(*before), ' ') + text +
               std::string(static_cast<std::size_t>(*after), ' '));
}

Result<Value> call_truncate(const Arguments& arguments) {
  const auto* length = arguments[1].integer();
  if (length == nullptr || *length < 0) return bad("wrong type for value; expected a length");
  return Value(std::string(first_characters(text_of(arguments[0]), static_cast<std::size_t>(*length))));
}

struct FunctionRow {
  std::string_view name;
  std::size_t least, most;  // arguments
  Result<Value> (*call)(const Arguments&);
  bool formats;  // docker's own, which leave column titles as they are
};
constexpr std::size_t kAny = ~std::size_t{0};
constexpr FunctionRow kFunctions[] = {
    {"and", 1, kAny, call_and, false},
    {"or", 1, kAny, call_or, false},
    {"not", 1, 1, call_not, false},
    {"eq", 1, kAny, call_eq, false},
    {"ne", 2, 2, call_ne, false},
    {"lt", 2, 2, call_order<below>, false},
    {"le", 2, 2, call_order<at_most>, false},
    {"gt", 2, 2, call_order<above>, false},
    {"ge", 2, 2, call_order<at_least>, false},
    {"len", 1, 1, call_len, false},
    {"index", 1, kAny, call_index, false},
    {"slice", 1, 3, call_slice, false},
    {"print", 0, kAny, call_print, false},
    {"println", 0, kAny, call_println, false},
    {"printf", 1, kAny, call_printf, false},
    {"json", 1, 1, call_json, true},
    {"lower", 1, 1, call_lower, true},
    {"upper", 1, 1, call_upper, true},
    {"title", 1, 1, call_title, true},
    {"split", 2, 2, call_split, true},
    {"join", 2, 2, call_join, true},
    {"pad", 3, 3, call_pad, false},
    {"truncate", 2, 2, call_truncate, true},
};

const FunctionRow* find_function(std::string_view name) {
  for (const FunctionRow& row : kFunctions)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

bool is_function(std::string_view name) { return find_function(name) != nullptr; }

Result<Value> call_function(std::string_view name, const std::vector<Value>& arguments, bool header) {
  const FunctionRow* row = find_function(name);
  if (row == nullptr) return fail(ErrorKind::invalid_argument, "function \"{}\" not defined", name);
  if (arguments.size() < row->least || arguments.size() > row->most)
    return fail(ErrorKind::invalid_argument, "wrong number of args for {}: want {}{} got {}", name,
                row->least == row->most ? "" : "at least ", row->least, arguments.size());
  if (header && row->formats) return arguments[0];
  return row->call(arguments);
}

}  // namespace fermata::cli::tmpl
