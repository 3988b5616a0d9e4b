#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/core/help_text.h"

namespace fermata::cli {
namespace {

std::string_view group_name(const Command& command) {
  return command.group_name.empty() ? command.name : command.group_name;
}

std::string usage_lines(const Command& command) {
  std::string out;
  for (const std::string_view usage : command.usages)
    out += fmt::format("{}fermata {} {}\n", out.empty() ? "Usage:  " : "        ", command.name, usage);
  return out;
}

constexpr FlagSpec kGlobalFlags[] = {
    {"cdi-spec-dir", 0, FlagKind::list, "list",
     "Where specifications of CDI devices are (default \"/etc/cdi\", \"/var/run/cdi\")"},
    {"cgroup-manager", 0, FlagKind::text, "string",
     "Who makes the control groups of pods: cgroupfs|systemd (default \"cgroupfs\")"},
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
  const std::string need = argument_need(command.least, command.most, given);
  if (need.empty()) return "";
  return fmt::format("\"fermata {}\" {}.\nSee 'fermata {} --help'.\n\n{}\n{}\n", command.name, need,
                     command.name, usage_lines(command), command.summary);
}

}  // namespace fermata::cli
