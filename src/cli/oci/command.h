// The commands of fermata-oci: runc's, with its flags, its output and its exit codes, so that what drives
// runc can drive it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bundle/runtime.h"
#include "cli/core/flags.h"
#include "cli/oci/own_program.h"

namespace fermata::cli::oci {

struct App {
  std::string version;
  OwnProgram program;
  bundle::Options options;
  bundle::Runtime runtime;
};

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view usage;  // after the name: "[OPTIONS] CONTAINER-ID"
  std::size_t least = 1, most = 1;
  Placement placement = Placement::anywhere;
  std::vector<FlagSpec> flags;
  int failure_code = 1;
  // The exit code, or why there is none.
  Result<int> (*run)(const App& app, const Flags& flags) = nullptr;
};

std::span<const Command> commands();
// Each file of commands adds its own.
void add_lifecycle_commands(std::vector<Command>& commands);
void add_process_commands(std::vector<Command>& commands);
void add_resource_commands(std::vector<Command>& commands);
void add_checkpoint_commands(std::vector<Command>& commands);
void add_document_commands(std::vector<Command>& commands);

// Runs `words`, the first of which is what the program was called as; returns the exit code.
int run_command_line(const std::string& version, std::span<const std::string> words);

// To standard output. Fails when nobody can read it.
Result<void> print(std::string_view text);

}  // namespace fermata::cli::oci
