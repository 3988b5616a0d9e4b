// What a command is: a row of a table that parsing, help and dispatch share.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/core/flags.h"
#include "pod/engine.h"
#include "pod/settings.h"

namespace fermata::cli {

inline constexpr std::size_t kUnlimited = ~std::size_t{0};

// The global flags and what is opened on their behalf. `version` and `help` never open the engine.
class App {
 public:
  // `config`: of --config, `cgroup_manager`: of --cgroup-manager; "" for the defaults. `cdi_spec_dirs`: of
  // --cdi-spec-dir.
  App(std::string version, pod::EngineOptions options, std::string config, std::string cgroup_manager,
      std::vector<std::string> cdi_spec_dirs)
      : version_(std::move(version)),
        options_(std::move(options)),
        config_(std::move(config)),
        cgroup_manager_(std::move(cgroup_manager)),
        cdi_spec_dirs_(std::move(cdi_spec_dirs)) {}
  const std::string& version() const { return version_; }
  // Before the first engine().
  pod::EngineOptions& options() { return options_; }
  // Of --config, or of /etc/fermata/config.toml where there is one. Read on first use.
  Result<pod::Settings> settings() const;
  Result<pod::Engine*> engine();
  // Where specifications of devices are.
  Result<std::vector<std::string>> cdi_spec_dirs() const;

 private:
  Result<pod::CgroupManager> cgroup_manager() const;

  std::string version_;
  pod::EngineOptions options_;
  std::string config_, cgroup_manager_;
  std::vector<std::string> cdi_spec_dirs_;
  std::unique_ptr<pod::Engine> engine_;
};

struct Command {
  std::string_view name;             // "ps"
  std::string_view group = {};       // "container", "image", "": the management form
  std::string_view group_name = {};  // "ls": its name there; "": the same
  std::string_view summary;
  std::vector<std::string_view> usages;  // "[OPTIONS] IMAGE [COMMAND] [ARG...]"
  std::string_view example = {};
  std::size_t least = 0, most = kUnlimited;  // arguments
  Placement placement = Placement::anywhere;
  std::vector<FlagSpec> flags;
  int failure_code = 1;  // of an Error
  bool hidden = false;   // from the list of all; in that of its group it is shown
  bool primary = false;  // listed among the common commands
  // The exit code, or why there is none.
  Result<int> (*run)(App& app, const Command& command, const Flags& flags) = nullptr;
};

// Every command, in the order of help. Made on first use.
std::span<const Command> commands();
const Command* find_command(std::string_view name);
const Command* find_group_command(std::string_view group, std::string_view name);
bool is_group(std::string_view name);

// Each file of commands adds its own.
void add_run_commands(std::vector<Command>& commands);
void add_lifecycle_commands(std::vector<Command>& commands);
void add_resource_commands(std::vector<Command>& commands);
void add_stats_command(std::vector<Command>& commands);
void add_checkpoint_command(std::vector<Command>& commands);
void add_stream_commands(std::vector<Command>& commands);
void add_listing_commands(std::vector<Command>& commands);
void add_image_commands(std::vector<Command>& commands);
void add_pause_image_command(std::vector<Command>& commands);
void add_transfer_commands(std::vector<Command>& commands);
void add_system_commands(std::vector<Command>& commands);

// Help texts, docker's layout.
std::string command_help(const Command& command);
std::string overview();
std::string group_help(std::string_view group);
// '"fermata tag" requires exactly 2 arguments.' and the usage; "" when the number fits.
std::string argument_error(const Command& command, std::size_t given);

// Runs `words` (without the program's name); returns the exit code.
int run_command_line(const std::string& version, std::span<const std::string> words);

// For commands that take several objects: runs `act` on each, reports each failure on standard error and goes
// on. Prints the name after a success. 1 if any failed.
// `forgiven`: a failure that is reported and yet no reason for a 1.
int for_each_named(
    const std::vector<std::string>& names, const std::function<Result<void>(const std::string&)>& act,
    const std::function<bool(const Error&)>& forgiven = [](const Error&) { return false; });
void print_error(const Error& error);
void print_warning(std::string_view warning);  // must not fail what has worked
void print(std::string_view text);  // to standard output, at once; ends the program with 1 when that fails

// "name=web" of --filter.
Result<std::vector<std::pair<std::string, std::string>>> parse_filters(
    const std::vector<std::string>& filters);

}  // namespace fermata::cli
