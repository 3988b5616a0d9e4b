#include <fmt/format.h>
#include <unistd.h>

#include "base/absolute_path.h"
#include "base/files.h"
#include "base/nearest.h"
#include "cli/core/help_text.h"
#include "cli/oci/command.h"
#include "cli/oci/log.h"
#include "kernel/seccomp.h"
#include "oci/runtime_document.h"

namespace fermata::cli::oci {
namespace {

constexpr std::string_view kDefaultRoot = "/run/fermata-oci";

constexpr FlagSpec kGlobalFlags[] = {
    {"debug", 0, FlagKind::boolean, "", "Accepted, and without effect: there is one level of messages"},
    {"help", 'h', FlagKind::boolean, "", "Print usage"},
    {"log", 0, FlagKind::text, "string", "Write messages to this file (default standard error)"},
    {"log-format", 0, FlagKind::text, "string", "Of messages: text or json (default \"text\")"},
    {"root", 0, FlagKind::text, "string", "Where containers' states are kept (default \"/run/fermata-oci\")"},
    {"rootless", 0, FlagKind::text, "string", "Only \"auto\" and \"false\": this runtime needs root"},
    {"systemd-cgroup", 0, FlagKind::boolean, "", "linux.cgroupsPath is slice:prefix:name of a systemd scope"},
    {"version", 'v', FlagKind::boolean, "", "Print version information and quit"},
};

void print_standard_error(std::string_view text) {
  // When standard error is gone there is nobody to tell.
  static_cast<void>(write_all(STDERR_FILENO, text).has_value());
}

std::string overview() {
  std::vector<std::pair<std::string_view, std::string_view>> rows;
  for (const Command& command : commands()) rows.emplace_back(command.name, command.summary);
  return "Usage:  fermata-oci [OPTIONS] COMMAND\n\nA runtime of OCI bundles\n\nCommands:\n" +
         command_rows(rows) + "\nGlobal Options:\n" + flag_table(kGlobalFlags) +
         "\nRun 'fermata-oci COMMAND --help' for more information on a command.\n";
}

std::string command_help(const Command& command) {
  std::string out =
      fmt::format("Usage:  fermata-oci {} {}\n\n{}\n", command.name, command.usage, command.summary);
  if (!command.flags.empty()) out += "\nOptions:\n" + flag_table(command.flags);
  return out;
}

std::string version_text(const std::string& version) {
  return fmt::format("fermata-oci version {}\nspec: {}\nlibseccomp: {}\n", version,
                     fermata::oci::kRuntimeSpecVersion, kernel::seccomp_version());
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

int unknown_command(std::string_view given, const Log& log) {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const std::string_view best = nearest(given, names);
  log.error(fmt::format("unknown command: {}{}", given,
                        best.empty() ? "" : fmt::format(" (did you mean {}?)", best)));
  return 1;
}

Result<int> run_one(const App& app, const Command& command, std::span<const std::string> words) {
  TRY(const Flags flags, parse_flags(command.flags, words, command.placement));
  if (flags.is_set("help")) {
    TRY(print(command_help(command)));
    return 0;
  }
  if (const std::string need = argument_need(command.least, command.most, flags.arguments().size());
      !need.empty())
    return fail(ErrorKind::invalid_argument, "fermata-oci {} {}; usage: fermata-oci {} {}", command.name,
                need, command.name, command.usage);
  return command.run(app, flags);
}

// A state directory of their own for each user is what rootless means; here there is one, of root.
Result<void> check_rootless(const Flags& flags) {
  const std::string rootless = flags.text("rootless", "auto");
  if (rootless == "auto" || rootless == "false") return {};
  return fail(ErrorKind::unsupported, "--rootless {}: containers are made by root", rootless);
}

Result<std::string> absolute_root(const Flags& flags) {
  const std::string root = flags.text("root", kDefaultRoot);
  if (root.empty()) return fail(ErrorKind::invalid_argument, "--root must name a directory");
  return absolute_path(root);
}

Result<App> open_app(const std::string& version, const std::string& called, const Flags& flags,
                     const Log& log) {
  TRY(check_rootless(flags));
  if (::geteuid() != 0) return fail(ErrorKind::permission, "fermata-oci must run as root");
  bundle::Options options;
  TRY(options.root, absolute_root(flags));
  TRY(OwnProgram program, own_program(called));
  options.programs = program.directory();
  options.systemd_cgroup = flags.is_set("systemd-cgroup");
  options.before_joining = [program] { return protect(program); };
  options.warn = [log](const std::string& message) { log.warning(message); };
  return App{.version = version,
             .program = std::move(program),
             .options = options,
             .runtime = bundle::Runtime(options)};
}

// What asks nothing of the machine.
std::string answer_at_once(const std::string& version, const Flags& global) {
  if (global.is_set("version")) return version_text(version);
  const auto& arguments = global.arguments();
  if (global.is_set("help") || arguments.empty()) return overview();
  if (arguments[0] != "help" && arguments[0] != "h") return "";
  const Command* command = arguments.size() > 1 ? find_command(arguments[1]) : nullptr;
  return command != nullptr ? command_help(*command) : overview();
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> kAll = [] {
    std::vector<Command> all;
    add_lifecycle_commands(all);
    add_process_commands(all);
    add_resource_commands(all);
    add_checkpoint_commands(all);
    add_document_commands(all);
    return all;
  }();
  return kAll;
}

Result<void> print(std::string_view text) {
  if (auto written = write_all(STDOUT_FILENO, text); !written)
    return fail_with(std::move(written.error()), "standard output");
  return {};
}

int run_command_line(const std::string& version, std::span<const std::string> words) {
  const std::string called = words.empty() ? "" : words[0];
  const auto global =
      parse_flags(kGlobalFlags, words.subspan(words.empty() ? 0 : 1), Placement::before_first);
  if (!global) {
    print_standard_error(fmt::format("{}\nSee 'fermata-oci --help'.\n", global.error().message()));
    return 1;
  }
  if (const std::string text = answer_at_once(version, *global); !text.empty()) return print(text) ? 0 : 1;
  const auto log = Log::open(global->text("log"), global->text("log-format"));
  if (!log) {
    print_standard_error(fmt::format("{}\n", log.error().message()));
    return 1;
  }
  const auto& arguments = global->arguments();
  const Command* const command = find_command(arguments[0]);
  if (command == nullptr) return unknown_command(arguments[0], *log);
  const auto app = open_app(version, called, *global, *log);
  auto code = app ? run_one(*app, *command, std::span(arguments).subspan(1)) : tl::unexpected(app.error());
  if (code) return *code;
  log->error(code.error().message());
  return command->failure_code;
}

}  // namespace fermata::cli::oci
