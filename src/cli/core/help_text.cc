#include "cli/core/help_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/core/terminal.h"

namespace fermata::cli {
namespace {

constexpr std::size_t kDefaultColumns = 80;

// Words of `text` in lines of `width`, later lines indented.
std::string wrap(std::string_view text, std::size_t indent, std::size_t columns) {
  const std::size_t width = columns > indent + 20 ? columns - indent : 20;
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (used > 0 && used + 1 + end > width) {
      out.append(1, '\n').append(indent, ' ');
      used = 0;
    }
    if (used > 0) {
      out += ' ';
      ++used;
    }
    out += text.substr(0, end);
    used += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string flag_table(std::span<const FlagSpec> flags) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  std::size_t widest = 0;
  for (const FlagSpec& flag : flags) {
    if (!flag.same_as.empty()) continue;
    const std::string letter = flag.letter == 0 ? "   " : fmt::format("-{},", flag.letter);
    rows.emplace_back(
        fmt::format("  {} --{}{}{}", letter, flag.name, flag.type.empty() ? "" : " ", flag.type), flag.help);
    widest = std::max(widest, rows.back().first.size());
  }
  const std::size_t columns = terminal_size(1).columns;
  std::string out;
  for (const auto& [left, right] : rows)
    out += fmt::format("{:<{}}{}\n", left, widest + 3,
                       wrap(right, widest + 3, columns == 0 ? kDefaultColumns : columns));
  return out;
}

std::string command_rows(const std::vector<std::pair<std::string_view, std::string_view>>& rows) {
  std::string out;
  for (const auto& [name, summary] : rows) out += fmt::format("  {:<11} {}\n", name, summary);
  return out;
}

std::string argument_need(std::size_t least, std::size_t most, std::size_t given) {
  const auto count = [](std::size_t number) {
    return fmt::format("{} argument{}", number, number == 1 ? "" : "s");
  };
  if (given >= least && given <= most) return "";
  if (least == 0 && most == 0) return "accepts no arguments";
  if (least == most) return "requires exactly " + count(least);
  return given < least ? "requires at least " + count(least) : "requires at most " + count(most);
}

}  // namespace fermata::cli
