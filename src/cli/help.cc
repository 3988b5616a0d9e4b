#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "cli/command.h"
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

std::string_view group_name(const Command& command) {
  return command.group_name.empty() ? command.name : command.group_name;
}

std::string command_rows(const std::vector<std::pair<std::string_view, std::string_view>>& rows) {
  std::string out;
  for (const auto& [name, summary] : rows) out += fmt::format("  {:<11} {}\n", name, summary);
  return out;
}

std::string usage_lines(const Command& command) {
  std::string out;
  for (const std::string_view usage : command.usages)
    out += fmt::format("{}fermata {} {}\n", out.empty() ? "Usage:  " : "        ", command.name, usage);
  return out;
}

constexpr FlagSpec kGlobalFlags[] = {
    {"config", 0, FlagKind::text, "string", "The configuration (default \"/etc/fermata/config.toml\")"},
    {"help", 0, FlagKind::boolean, "", "Print usage"},
    {"root", 0, FlagKind::text, "string",
     "Where images, volumes and records are kept (default \"/var/lib/fermata\")"},
    {"run-root", 0, FlagKind::text, "string",
     "Where sockets and live state are kept (default \"/run/fermata\")"},
    {"version", 'v', FlagKind::boolean, "", "Print version information and quit"},
};

}  // namespace

std::string command_help(const Command& command) {
  std::string out = usage_lines(command) + "\n" + std::string(command.summary) + "\n";
  if (!command.group.empty() && !command.hidden)
    out += fmt::format("\nAliases:\n  fermata {} {}, fermata {}\n", command.group, group_name(command),
                       command.name);
  if (!command.flags.empty()) out += "\nOptions:\n" + flag_table(command.flags);
  if (!command.example.empty()) out += fmt::format("\nExample:\n  {}\n", command.example);
  return out;
}

std::string overview() {
  std::vector<std::pair<std::string_view, std::string_view>> common, others;
  for (const Command& command : commands())
    if (!command.hidden) (command.primary ? common : others).emplace_back(command.name, command.summary);
  std::sort(others.begin(), others.end());
  return "Usage:  fermata [OPTIONS] COMMAND\n\nContainers and pods without a daemon\n\nCommon Commands:\n" +
         command_rows(common) +
         "\nManagement Commands:\n  container   Manage containers\n  image       Manage "
         "images\n\nCommands:\n" +
         command_rows(others) + "\nGlobal Options:\n" + flag_table(kGlobalFlags) +
         "\nRun 'fermata COMMAND --help' for more information on a command.\n";
}

std::string group_help(std::string_view group) {
  std::vector<std::pair<std::string_view, std::string_view>> rows;
  for (const Command& command : commands())
    if (command.group == group) rows.emplace_back(group_name(command), command.summary);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return fmt::format(
      "Usage:  fermata {} COMMAND\n\nManage {}s\n\nCommands:\n{}\nRun 'fermata {} COMMAND --help' for more "
      "information on a command.\n",
      group, group, command_rows(rows), group);
}

std::string argument_error(const Command& command, std::size_t given) {
  if (given >= command.least && given <= command.most) return "";
  const auto count = [](std::size_t number) {
    return fmt::format("{} argument{}", number, number == 1 ? "" : "s");
  };
  std::string need;
  if (command.least == 0 && command.most == 0)
    need = "accepts no arguments";
  else if (command.least == command.most)
    need = "requires exactly " + count(command.least);
  else if (given < command.least)
    need = "requires at least " + count(command.least);
  else
    need = "requires at most " + count(command.most);
  return fmt::format("\"fermata {}\" {}.\nSee 'fermata {} --help'.\n\n{}\n{}\n", command.name, need,
                     command.name, usage_lines(command), command.summary);
}

}  // namespace fermata::cli
