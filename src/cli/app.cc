#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/files.h"
#include "base/nearest.h"
#include "base/text.h"
#include "cli/command.h"

namespace fermata::cli {
namespace {

constexpr int kUsageCode = 125;  // docker's, for a command line that cannot be understood

void print_standard_error(std::string_view text) {
  // When standard error is gone there is nobody to tell.
  (void)write_all(STDERR_FILENO, text);
}

constexpr FlagSpec kGlobalFlags[] = {
    {"cdi-spec-dir", 0, FlagKind::list}, {"cgroup-manager", 0, FlagKind::text}, {"config", 0, FlagKind::text},
    {"root", 0, FlagKind::text},         {"run-root", 0, FlagKind::text},       {"version", 'v'},
};

int unknown_command(std::string_view given, std::string_view group) {
  std::vector<std::string_view> names;
  for (const Command& command : commands())
    if (!command.hidden && (group.empty() || command.group == group))
      names.push_back(group.empty() || command.group_name.empty() ? command.name : command.group_name);
  const std::string prefix = group.empty() ? "fermata" : fmt::format("fermata {}", group);
  std::string text = fmt::format("fermata: unknown command: {} {}\n", prefix, given);
  const std::string_view best = nearest(given, names);
  if (!best.empty()) text += fmt::format("Did you mean '{} {}'?\n", prefix, best);
  print_standard_error(text + fmt::format("See '{} --help'.\n", prefix));
  return group.empty() ? kUsageCode : 1;
}

int run_one(App& app, const Command& command, std::span<const std::string> words) {
  const auto flags = parse_flags(command.flags, words, command.placement);
  if (!flags) {
    print_standard_error(
        fmt::format("{}\nSee 'fermata {} --help'.\n", flags.error().message(), command.name));
    return kUsageCode;
  }
  if (flags->is_set("help")) {
    print(command_help(command));
    return 0;
  }
  if (const std::string problem = argument_error(command, flags->arguments().size()); !problem.empty()) {
    print_standard_error(problem);
    return 1;
  }
  auto code = command.run(app, command, *flags);
  if (code) return *code;
  print_error(code.error());
  return command.failure_code;
}

int run_help(std::span<const std::string> words) {
  if (words.empty()) {
    print(overview());
    return 0;
  }
  if (is_group(words[0])) {
    const Command* inner = words.size() > 1 ? find_group_command(words[0], words[1]) : nullptr;
    print(inner != nullptr ? command_help(*inner) : group_help(words[0]));
    return 0;
  }
  const Command* command = find_command(words[0]);
  if (command == nullptr) return unknown_command(words[0], "");
  print(command_help(*command));
  return 0;
}

int run_group(App& app, const std::string& group, std::span<const std::string> words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h") {
    print(group_help(group));
    return 0;
  }
  const Command* command = find_group_command(group, words[0]);
  if (command == nullptr) return unknown_command(words[0], group);
  return run_one(app, *command, words.subspan(1));
}

}  // namespace

void print(std::string_view text) {
  if (text.empty()) return;
  if (auto written = write_all(STDOUT_FILENO, text); !written) {
    print_error(std::move(written.error()).with_context("standard output"));
    ::_exit(1);
  }
}

void print_warning(std::string_view warning) { print_standard_error(fmt::format("WARNING: {}\n", warning)); }

void print_error(const Error& error) { print_standard_error(fmt::format("Error: {}\n", error.message())); }

Result<pod::Engine*> App::engine() {
  if (!engine_) {
    if (::geteuid() != 0)
      return fail(ErrorKind::permission, "fermata must run as root: try 'sudo fermata ...'");
    TRY(options_.cgroup_manager, cgroup_manager());
    TRY(engine_, pod::Engine::open(options_));
  }
  return engine_.get();
}

// The flag goes before the file; an event command has it, so that a broken file does not stop restarts.
Result<pod::CgroupManager> App::cgroup_manager() const {
  if (cgroup_manager_.empty()) {
    TRY(const auto read, settings());
    return read.cgroup_manager;
  }
  const auto manager = pod::parse_cgroup_manager(cgroup_manager_);
  if (!manager)
    return fail(ErrorKind::invalid_argument, "--cgroup-manager: '{}' is neither cgroupfs nor systemd",
                cgroup_manager_);
  return *manager;
}

Result<std::vector<std::string>> App::cdi_spec_dirs() const {
  if (!cdi_spec_dirs_.empty()) return cdi_spec_dirs_;
  TRY(pod::Settings read, settings());
  return std::move(read.cdi_spec_dirs);
}

Result<pod::Settings> App::settings() const {
  return pod::read_settings(config_.empty() ? pod::kSettingsPath : config_, !config_.empty());
}

std::span<const Command> commands() {
  static const std::vector<Command> kAll = [] {
    std::vector<Command> all;
    all.reserve(40);
    add_run_commands(all);
    add_stream_commands(all);
    add_listing_commands(all);
    add_lifecycle_commands(all);
    add_resource_commands(all);
    add_stats_command(all);
    add_checkpoint_command(all);
    add_transfer_commands(all);
    add_image_commands(all);
    add_pause_image_command(all);
    add_system_commands(all);
    return all;
  }();
  return kAll;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

const Command* find_group_command(std::string_view group, std::string_view name) {
  if (name == "list" || (name == "ps" && group == "container")) name = "ls";
  if (name == "remove") name = "rm";
  for (const Command& command : commands())
    if (command.group == group && (command.group_name.empty() ? command.name : command.group_name) == name)
      return &command;
  return nullptr;
}

bool is_group(std::string_view name) { return name == "container" || name == "image"; }

int for_each_named(const std::vector<std::string>& names,
                   const std::function<Result<void>(const std::string&)>& act,
                   const std::function<bool(const Error&)>& forgiven) {
  int code = 0;
  for (const std::string& name : names) {
    if (auto done = act(name); done) {
      print(name + "\n");
    } else {
      print_error(done.error());
      if (!forgiven(done.error())) code = 1;
    }
  }
  return code;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_filters(
    const std::vector<std::string>& filters) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& text : filters) {
    const auto pair = split_once(text, '=');
    if (!pair || pair->first.empty())
      return fail(
          ErrorKind::invalid_argument,
          "invalid argument \"{}\" for \"-f, --filter\" flag: bad format of filter (expected name=value)",
          text);
    result.emplace_back(to_lower(trim(pair->first)), std::string(trim(pair->second)));
  }
  return result;
}

int run_command_line(const std::string& version, std::span<const std::string> words) {
  const auto global = parse_flags(kGlobalFlags, words, Placement::before_first);
  if (!global) {
    print_standard_error(fmt::format("{}\nSee 'fermata --help'.\n", global.error().message()));
    return kUsageCode;
  }
  if (global->is_set("version")) {
    print(fmt::format("Fermata version {}\n", version));
    return 0;
  }
  const std::vector<std::string>& arguments = global->arguments();
  if (global->is_set("help") || arguments.empty()) return run_help(arguments);
  App app(version,
          {.root = global->text("root", "/var/lib/fermata"),
           .run_root = global->text("run-root", "/run/fermata")},
          global->text("config"), global->text("cgroup-manager"), global->list("cdi-spec-dir"));
  const std::span<const std::string> rest = std::span(arguments).subspan(1);
  if (arguments[0] == "help") return run_help(rest);
  if (is_group(arguments[0])) return run_group(app, arguments[0], rest);
  const Command* command = find_command(arguments[0]);
  if (command == nullptr) return unknown_command(arguments[0], "");
  return run_one(app, *command, rest);
}

}  // namespace fermata::cli
