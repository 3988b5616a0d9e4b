#include "cli/template_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace fermata::cli::tmpl {
namespace {

using Kind = Token::Kind;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    bool trim_left = false;
    while (at_ < text_.size()) {
      const std::size_t open = text_.find("{{", at_);
      std::string_view plain = text_.substr(at_, open == std::string_view::npos ? open : open - at_);
      at_ += plain.size();
      if (trim_left) plain.remove_prefix(std::min(plain.size(), plain.find_first_not_of(" \t\r\n")));
      trim_left = false;
      if (open == std::string_view::npos) {
        add_text(plain);
        break;
      }
      at_ = open + 2;
      // "{{- " trims the text before it; "{{-3}}" is a number.
      if (at_ + 1 < text_.size() && text_[at_] == '-' && is_space(text_[at_ + 1])) {
        ++at_;
        if (text_.substr(at_ + 1).starts_with("/*")) ++at_;
        while (!plain.empty() && is_space(plain.back())) plain.remove_suffix(1);
      }
      add_text(plain);
      TRY(trim_left, action());
    }
    add(Kind::end, "");
    return std::move(tokens_);
  }

 private:
  void add_text(std::string_view plain) {
    if (!plain.empty()) add(Kind::text, std::string(plain));
  }

  void add(Kind kind, std::string text) {
    Token token{.kind = kind, .text = std::move(text), .space_before = space_};
    token.line = line(start_);
    token.column = start_ - line_start_;
    tokens_.push_back(std::move(token));
    space_ = false;
  }

  // Positions only grow, so lines are counted once.
  std::size_t line(std::size_t position) {
    for (; counted_ < position && counted_ < text_.size(); ++counted_) {
      if (text_[counted_] != '\n') continue;
      ++line_;
      line_start_ = counted_ + 1;
    }
    return line_;
  }

  template <class... Args>
  tl::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) {
    return fail(ErrorKind::invalid_argument, "template: :{}: {}", line(at_),
                fmt::format(format, std::forward<Args>(args)...));
  }

  // One {{...}}; true when it ended with " -}}".
  Result<bool> action() {
    if (text_.substr(at_).starts_with("/*")) return comment();
    start_ = at_;
    add(Kind::open, "{{");
    for (;;) {
      while (at_ < text_.size() && is_space(text_[at_])) {
        space_ = true;
        ++at_;
      }
      start_ = at_;
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("}}")) return close(2, false);
      if (space_ && rest.starts_with("-}}")) return close(3, true);
      if (rest.empty()) return error("unclosed action");
      TRY(token(rest));
    }
  }

  Result<bool> close(std::size_t length, bool trim) {
    add(Kind::close, "}}");
    at_ += length;
    return trim;
  }

  Result<bool> comment() {
    const std::size_t end = text_.find("*/", at_);
    if (end == std::string_view::npos) return error("unclosed comment");
    at_ = end + 2;
    if (text_.substr(at_).starts_with("}}")) {
      at_ += 2;
      return false;
    }
    if (at_ < text_.size() && is_space(text_[at_]) && text_.substr(at_ + 1).starts_with("-}}")) {
      at_ += 4;
      return true;
    }
    return error("comment ends before closing delimiter");
  }

  Result<void> token(std::string_view rest) {
    const char c = rest[0];
    if (rest.starts_with(":=")) return take(Kind::declare, 2);
    switch (c) {
      case '=':
        return take(Kind::assign, 1);
      case '|':
        return take(Kind::pipe, 1);
      case '(':
        return take(Kind::left, 1);
      case ')':
        return take(Kind::right, 1);
      case ',':
        return take(Kind::comma, 1);
      case '"':
        return quoted('"', Kind::string);
      case '\'':
        return quoted('\'', Kind::character);
      case '`':
        return raw();
      default:
        break;
    }
    const std::size_t length = name_length(rest.substr(1));
    if (c == '$') return take(Kind::variable, 1 + length);
    if (c == '.' && (rest.size() == 1 || std::isdigit(static_cast<unsigned char>(rest[1])) == 0))
      return length == 0 ? take(Kind::dot, 1) : field(length);
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.')
      return number(rest);
    if (is_name(c)) return take(Kind::word, 1 + length);
    if (std::isprint(static_cast<unsigned char>(c)) == 0)
      return error("unrecognized character in action: U+{:04X}", static_cast<unsigned char>(c));
    return error("unexpected \"{}\" in operand", c);
  }

  static std::size_t name_length(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() && is_name(text[length])) ++length;
    return length;
  }

  Result<void> take(Kind kind, std::size_t length) {
    add(kind, std::string(text_.substr(at_, length)));
    at_ += length;
    return {};
  }

  Result<void> field(std::size_t length) {
    add(Kind::field, std::string(text_.substr(at_ + 1, length)));
    at_ += 1 + length;
    return {};
  }

  Result<void> number(std::string_view rest) {
    std::size_t length = 1;
    while (length < rest.size() && (is_name(rest[length]) || rest[length] == '.')) ++length;
    return take(Kind::number, length);
  }

  Result<void> raw() {
    const std::size_t end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) return error("unterminated raw quoted string");
    add(Kind::string, std::string(text_.substr(at_ + 1, end - at_ - 1)));
    at_ = end + 1;
    return {};
  }

  Result<void> quoted(char quote, Kind kind) {
    std::string value;
    for (std::size_t i = at_ + 1; i < text_.size() && text_[i] != '\n'; ++i) {
      const char c = text_[i];
      if (c == quote) {
        add(kind, std::move(value));
        at_ = i + 1;
        return {};
      }
      if (c != '\\') {
        value += c;
        continue;
      }
      TRY(i, escape(i + 1, value));
    }
    return error("unterminated {}", kind == Kind::string ? "quoted string" : "character constant");
  }

  // The escape behind a backslash at `i`; returns the position of its last character.
  Result<std::size_t> escape(std::size_t i, std::string& value) {
    constexpr std::string_view kFrom = "abfnrtv\\\"'";
    constexpr std::string_view kTo = "\a\b\f\n\r\t\v\\\"'";
    if (i >= text_.size()) return error("unterminated quoted string");
    if (const auto which = kFrom.find(text_[i]); which != std::string_view::npos) {
      value += kTo[which];
      return i;
    }
    if (text_[i] == 'x') {
      const auto byte = i + 2 < text_.size() ? parse_unsigned(text_.substr(i + 1, 2), 16) : std::nullopt;
      if (byte) {
        value += static_cast<char>(*byte);
        return i + 2;
      }
    }
    return error("invalid syntax: unknown escape \\{} in a quoted string", text_[i]);
  }

  std::string_view text_;
  std::size_t at_ = 0, start_ = 0, counted_ = 0, line_ = 1, line_start_ = 0;
  bool space_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text) { return Lexer(text).run(); }

}  // namespace fermata::cli::tmpl
