#include "cli/table.h"

#include <algorithm>

#include "base/text.h"
#include "cli/template.h"
#include "cli/unicode.h"

namespace fermata::cli {
namespace {

constexpr std::size_t kMinWidth = 10;
constexpr std::size_t kPadding = 3;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// In a shell's '...' a tab is written \t. Docker reads it in the formats of lists only: elsewhere \n would
// break the strings of a template.
std::string unescape(std::string_view format) {
  std::string text(format);
  replace_all(text, "\\t", "\t");
  replace_all(text, "\\n", "\n");
  return text;
}

// "com.example.role-name" -> "role name", docker's title of a label's column.
Value label_title() {
  return Value::function([](const Value::List& arguments) -> Result<Value> {
    if (arguments.size() != 1)
      return fail(ErrorKind::invalid_argument, "wrong number of args for Label: want 1 got {}",
                  arguments.size());
    std::string name = arguments[0].print();
    name.erase(0, name.rfind('.') + 1);
    std::replace(name.begin(), name.end(), '-', ' ');
    std::replace(name.begin(), name.end(), '_', ' ');
    return Value(name);
  });
}

Value header_row(const ListFormat& format) {
  Value::Members titles;
  for (const auto* columns : {&format.columns, &format.headers})
    for (const Column& column : *columns) titles.emplace_back(column.field, Value(column.header));
  titles.emplace_back("Label", label_title());
  return Value(std::move(titles));
}

std::string default_template(const std::vector<Column>& columns) {
  std::string text;
  for (const Column& column : columns) {
    if (!text.empty()) text += '\t';
    text.append("{{.").append(column.field).append("}}");
  }
  return text;
}

}  // namespace

std::string align_columns(std::string_view lines) {
  if (lines.ends_with('\n')) lines.remove_suffix(1);
  std::vector<std::vector<std::string_view>> rows;
  std::vector<std::size_t> widths;
  for (const std::string_view line : split(lines, '\n')) {
    rows.push_back(split(line, '\t'));
    const auto& cells = rows.back();
    // The last cell of a line is not part of a column.
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
      if (widths.size() <= i) widths.push_back(kMinWidth);
      widths[i] = std::max(widths[i], character_count(cells[i]) + kPadding);
    }
  }
  std::string out;
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out.append(widths[i] - character_count(cells[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

Result<std::string> print_list(const ListFormat& format, const std::vector<Value>& rows) {
  std::string_view text = format.format;
  std::string out;
  if (text == "json") {
    for (const Value& row : rows) out += row.json() + "\n";
    return out;
  }
  const bool table =
      text.empty() || text == "table" || text.starts_with("table ") || text.starts_with("table\\t");
  if (table) text = trim(text.substr(std::min<std::size_t>(text.size(), 5)));
  TRY(const Template parsed,
      Template::parse(text.empty() ? default_template(format.columns) : unescape(text)));
  if (table) {
    TRY(const std::string header, parsed.execute(header_row(format), true));
    out += header + "\n";
  }
  for (const Value& row : rows) {
    TRY(const std::string line, parsed.execute(row));
    out += line + "\n";
  }
  return table ? align_columns(out) : out;
}

Result<std::string> print_one(std::string_view format, const Value& value) {
  if (format == "json") return value.json();
  TRY(const Template parsed, Template::parse(format));
  return parsed.execute(value);
}

}  // namespace fermata::cli
