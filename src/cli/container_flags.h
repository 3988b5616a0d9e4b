// The flags of `run` and `create`, and what they ask of the engine.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "cli/core/flags.h"
#include "pod/model.h"

namespace fermata::cli {

// What belongs to the client's process; a value, so that tests can pass their own.
struct Client {
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string directory;  // where relative paths begin
};

// Shared by run and create, sorted by name.
std::span<const FlagSpec> container_flag_specs();
// `specs`: the command's whole table, for messages. arguments()[0] is the image.
Result<pod::ContainerConfig> container_config(const Flags& flags, std::span<const FlagSpec> specs,
                                              const Client& client);

// --env and --env-file, in docker's order: files first. "K" alone takes the client's value, or is left out.
Result<std::vector<std::string>> environment(const Flags& flags, const Client& client);
// "container:web" -> {container, web}; kinds that are not in `kinds` fail as "--ipc: invalid IPC mode".
Result<pod::NamespaceMode> parse_namespace(std::string_view flag, std::string_view label,
                                           std::string_view text, std::span<const std::string_view> kinds);
// "nofile=1024:2048"
Result<pod::Ulimit> parse_ulimit(std::string_view text);
// "linux/amd64", "arm64/v8" -> "amd64"
Result<std::string> parse_platform(std::string_view text);

}  // namespace fermata::cli
