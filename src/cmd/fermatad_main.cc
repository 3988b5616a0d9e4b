// fermatad: the Container Runtime Interface. Flags, `config default` and `config check`, then the daemon.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/core/flags.h"
#include "cli/core/help_text.h"
#include "cri/daemon.h"
#include "cri/pull_process.h"

namespace fermata {
namespace {

constexpr int kUsageCode = 2;

constexpr cli::FlagSpec kFlags[] = {
    {"cgroup-manager", 0, cli::FlagKind::text, "string", "Who makes the groups of pods: cgroupfs or systemd"},
    {"config", 0, cli::FlagKind::text, "string", "Settings (default \"/etc/fermata/fermatad.toml\")"},
    {"listen", 0, cli::FlagKind::text, "string", "Socket of the Container Runtime Interface"},
    {"log-format", 0, cli::FlagKind::text, "string", "text or json"},
    {"log-level", 0, cli::FlagKind::text, "string", "debug, info, warning or error"},
    {"root", 0, cli::FlagKind::text, "string", "What is kept: images, containers"},
    {"run-root", 0, cli::FlagKind::text, "string", "What lives until the next boot"},
    {"version", 'v', cli::FlagKind::boolean, "", "Print the version"},
};

void print(std::string_view text) { (void)write_all(STDOUT_FILENO, text); }

void print_error(std::string_view text) {
  (void)write_all(STDERR_FILENO, fmt::format("fermatad: {}\n", text));
}

std::string help() {
  return fmt::format(
      "Usage:  fermatad [OPTIONS]\n"
      "        fermatad config default\n"
      "        fermatad config check [FILE]\n\n"
      "Serve the Kubernetes Container Runtime Interface (CRI v1)\n\n"
      "{}\nFlags come before what the settings say. `config default` prints all of them with their "
      "defaults.\n",
      cli::flag_table(kFlags));
}

template <class Value>
Result<void> apply_word(const cli::Flags& flags, const char* name,
                        std::optional<Value> (*parse)(std::string_view), Value& value) {
  if (!flags.has(name)) return {};
  const std::string given = flags.text(name);
  const auto parsed = parse(given);
  if (!parsed) return cli::invalid_flag_value(kFlags, name, given, "there is no such one");
  value = *parsed;
  return {};
}

Result<void> apply_path(const cli::Flags& flags, std::string_view name, std::string& path) {
  if (!flags.has(name)) return {};
  const std::string text = flags.text(name);
  const std::string given = name == "listen" ? cri::socket_path(text) : text;
  if (!given.starts_with('/'))
    return cli::invalid_flag_value(kFlags, name, given, "it is not an absolute path");
  path = given;
  return {};
}

Result<cri::Settings> load(const cli::Flags& flags) {
  TRY(auto settings, cri::read_settings(flags.text("config", cri::kSettingsPath), flags.has("config")));
  TRY(apply_path(flags, "listen", settings.listen));
  TRY(apply_path(flags, "root", settings.root));
  TRY(apply_path(flags, "run-root", settings.run_root));
  TRY(apply_word(flags, "cgroup-manager", pod::parse_cgroup_manager, settings.cgroup_manager));
  TRY(apply_word(flags, "log-level", cri::parse_log_level, settings.log_level));
  TRY(apply_word(flags, "log-format", cri::parse_log_format, settings.log_format));
  return settings;
}

int run_config(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[1] == "default") {
    print(cri::default_settings_text());
    return 0;
  }
  if ((words.size() == 2 || words.size() == 3) && words[1] == "check") {
    const std::string path = words.size() == 3 ? words[2] : cri::kSettingsPath;
    const auto settings = cri::read_settings(path, true);
    if (!settings) {
      print_error(settings.error().message());
      return 1;
    }
    print(path + ": nothing is wrong\n");
    return 0;
  }
  print_error("config takes \"default\", or \"check\" and at most one file");
  return kUsageCode;
}

int run(const std::vector<std::string>& words) {
  // Our own, and in no help.
  if (words.size() == 1 && words[0] == cri::kPullCommand) return cri::run_pull_command();
  const auto flags = cli::parse_flags(kFlags, words, cli::Placement::anywhere);
  if (!flags) {
    print_error(flags.error().message());
    return kUsageCode;
  }
  if (flags->is_set("help")) {
    print(help());
    return 0;
  }
  if (flags->is_set("version")) {
    print("fermatad version " FERMATA_VERSION "\n");
    return 0;
  }
  const auto& arguments = flags->arguments();
  if (!arguments.empty() && arguments[0] == "config") return run_config(arguments);
  if (!arguments.empty()) {
    print_error(fmt::format("unknown command '{}'; see 'fermatad --help'", arguments[0]));
    return kUsageCode;
  }
  const auto served = cri::run_daemon({.version = FERMATA_VERSION,
                                       .load = [&flags] { return load(*flags); },
                                       .manager = cri::ServiceManager::take_from_environment()});
  if (served) return 0;
  print_error(served.error().message());
  return 1;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) {
  // See fermata_main.cc: what is made here is also the containers' to use.
  ::umask(0022);
  return fermata::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
