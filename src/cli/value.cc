#include "cli/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace fermata::cli {

Value Value::map(Members members, Value absent) {
  Value value(std::move(members));
  value.absent_ = std::make_shared<const Value>(std::move(absent));
  return value;
}

Value Value::nil_list() {
  Value value((List()));
  value.nil_ = true;
  return value;
}

Value Value::nil_map(Value absent) {
  Value value = map({}, std::move(absent));
  value.nil_ = true;
  return value;
}

Value Value::function(Function function) {
  Value value;
  value.data_ = std::make_shared<const Function>(std::move(function));
  return value;
}

Value Value::strings(const std::vector<std::string>& texts) {
  return Value(List(texts.begin(), texts.end()));
}

Value Value::strings_or_nil(const std::vector<std::string>& texts) {
  return texts.empty() ? nil_list() : strings(texts);
}

const Value* Value::find(std::string_view name) const {
  const Members* all = members();
  if (all == nullptr) return nullptr;
  for (const auto& [key, value] : *all)
    if (key == name) return &value;
  return nullptr;
}

bool Value::truth() const {
  if (const auto* yes = boolean()) return *yes;
  if (const auto* number = integer()) return *number != 0;
  if (const auto* number = real()) return *number != 0;
  if (const auto* string = text()) return !string->empty();
  if (const auto* items = list()) return !items->empty();
  if (const auto* all = members()) return !all->empty();
  return callable() != nullptr;
}

std::string Value::print() const {
  if (const auto* yes = boolean()) return *yes ? "true" : "false";
  if (const auto* number = integer()) return fmt::format("{}", *number);
  if (const auto* number = real()) return fmt::format("{}", *number);
  if (const auto* string = text()) return *string;
  if (const auto* items = list()) {
    std::string out = "[";
    for (const Value& item : *items) {
      if (out.size() > 1) out += ' ';
      out += item.print();
    }
    return out + "]";
  }
  if (const auto* all = members()) {
    // Go prints a map's keys sorted.
    Members sorted = *all;
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string out = "map[";
    for (const auto& [key, value] : sorted) {
      if (value.callable() != nullptr) continue;
      if (out.size() > 4) out += ' ';
      out += key + ":" + value.print();
    }
    return out + "]";
  }
  return callable() != nullptr ? "<function>" : "<no value>";
}

std::string_view Value::kind() const {
  constexpr std::string_view kNames[] = {"nil",    "bool", "int", "float64",
                                         "string", "list", "map", "function"};
  return kNames[data_.index()];
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string Value::json(int indent) const {
  std::string out;
  append_json(out, indent, 0);
  return out;
}

void Value::append_json(std::string& out, int indent, int depth) const {
  const auto new_line = [&](int level) {
    if (indent > 0) out.append(1, '\n').append(static_cast<std::size_t>(indent * level), ' ');
  };
  if (nil_) {
    out += "null";
  } else if (const auto* string = text()) {
    out += json_quote(*string);
  } else if (const auto* items = list()) {
    out += '[';
    bool first = true;
    for (const Value& item : *items) {
      if (!first) out += ',';
      first = false;
      new_line(depth + 1);
      item.append_json(out, indent, depth + 1);
    }
    if (!first) new_line(depth);
    out += ']';
  } else if (const auto* all = members()) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : *all) {
      if (value.callable() != nullptr) continue;
      if (!first) out += ',';
      first = false;
      new_line(depth + 1);
      out += json_quote(key) + (indent > 0 ? ": " : ":");
      value.append_json(out, indent, depth + 1);
    }
    if (!first) new_line(depth);
    out += '}';
  } else {
    out += is_null() || callable() != nullptr ? "null" : print();
  }
}

}  // namespace fermata::cli
