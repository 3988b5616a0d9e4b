// printf of templates: Go's verbs on our values. What does not fit is written as Go does: "%!d(string=hi)".
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/template_functions.h"
#include "cli/unicode.h"

namespace fermata::cli::tmpl {
namespace {

struct Verb {
  bool left = false, zero = false, plus = false, alternate = false;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
  char letter = 0;
};

constexpr std::size_t kMaxWidth = 4096;

// Reads what follows '%' from `format` and moves past it.
Verb read_verb(std::string_view& format) {
  Verb verb;
  const auto number = [&format] {
    std::size_t value = 0;
    for (; !format.empty() && format[0] >= '0' && format[0] <= '9'; format.remove_prefix(1))
      value = std::min(kMaxWidth, value * 10 + static_cast<std::size_t>(format[0] - '0'));
    return value;
  };
  for (; !format.empty(); format.remove_prefix(1)) {
    if (format[0] == '-')
      verb.left = true;
    else if (format[0] == '0')
      verb.zero = true;
    else if (format[0] == '+')
      verb.plus = true;
    else if (format[0] == '#')
      verb.alternate = true;
    else if (format[0] != ' ')
      break;
  }
  verb.width = number();
  if (format.starts_with('.')) {
    format.remove_prefix(1);
    verb.precision = number();
  }
  if (!format.empty()) {
    verb.letter = format[0];
    format.remove_prefix(1);
  }
  return verb;
}

std::optional<std::string> whole(const Verb& verb, std::int64_t number) {
  switch (verb.letter) {
    case 'd':
      return verb.plus ? fmt::format("{:+}", number) : fmt::format("{}", number);
    case 'x':
      return fmt::format("{:x}", number);
    case 'X':
      return fmt::format("{:X}", number);
    case 'o':
      return fmt::format("{:o}", number);
    case 'b':
      return fmt::format("{:b}", number);
    case 'c':
      return number > 0 && number < 128 ? std::string(1, static_cast<char>(number))
                                        : std::string("\xef\xbf\xbd");
    default:
      return std::nullopt;
  }
}

std::optional<std::string> convert(const Verb& verb, const Value& value) {
  if (verb.letter == 'v') return value.is_null() ? "<nil>" : value.print();
  if (verb.letter == 'T') return std::string(value.kind());
  if (const auto* yes = value.boolean(); yes != nullptr && verb.letter == 't') return *yes ? "true" : "false";
  if (const auto* number = value.integer()) return whole(verb, *number);
  if (const auto* real = value.real()) {
    const int digits = static_cast<int>(verb.precision.value_or(6));
    if (verb.letter == 'f') return fmt::format("{:.{}f}", *real, digits);
    if (verb.letter == 'e') return fmt::format("{:.{}e}", *real, digits);
    if (verb.letter == 'g') return fmt::format("{}", *real);
    return std::nullopt;
  }
  const bool textual = value.text() != nullptr || value.list() != nullptr || value.members() != nullptr;
  if (!textual) return std::nullopt;
  if (verb.letter == 's') {
    const std::string text = value.print();
    return verb.precision ? std::string(first_characters(text, *verb.precision)) : text;
  }
  if (verb.letter == 'q') return json_quote(value.print());
  if (verb.letter == 'x' && value.text() != nullptr) {
    std::string out;
    for (const char c : *value.text()) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
  }
  return std::nullopt;
}

std::string padded(const Verb& verb, std::string text, bool number) {
  const std::size_t have = character_count(text);
  if (have >= verb.width) return text;
  const std::size_t missing = verb.width - have;
  if (verb.left) return text.append(missing, ' ');
  if (!verb.zero || !number) return text.insert(0, missing, ' ');
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  return text.insert(sign ? 1 : 0, missing, '0');
}

}  // namespace

std::string go_printf(std::string_view format, const std::vector<Value>& arguments) {
  std::string out;
  std::size_t next = 0;
  while (!format.empty()) {
    const std::size_t percent = format.find('%');
    out += format.substr(0, percent);
    if (percent == std::string_view::npos) break;
    format.remove_prefix(percent + 1);
    const Verb verb = read_verb(format);
    if (verb.letter == '%') {
      out += '%';
    } else if (verb.letter == 0) {
      out += "%!(NOVERB)";
    } else if (next >= arguments.size()) {
      out += fmt::format("%!{}(MISSING)", verb.letter);
    } else {
      const Value& value = arguments[next++];
      const auto text = convert(verb, value);
      out += text ? padded(verb, *text, value.integer() != nullptr || value.real() != nullptr)
                  : fmt::format("%!{}({}={})", verb.letter, value.kind(), value.print());
    }
  }
  if (next < arguments.size()) {
    out += "%!(EXTRA ";
    for (std::size_t i = next; i < arguments.size(); ++i)
      out += fmt::format("{}{}={}", i > next ? ", " : "", arguments[i].kind(), arguments[i].print());
    out += ')';
  }
  return out;
}

}  // namespace fermata::cli::tmpl
