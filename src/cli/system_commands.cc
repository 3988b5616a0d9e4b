// version, info, and the command that monitors start.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/table.h"
#include "oci/image_config.h"

namespace fermata::cli {
namespace {

Result<int> run_version(App& app, const Command&, const Flags& flags) {
  const std::string platform = oci::host_architecture();
  if (flags.has("format")) {
    const Value client = Value::object({{"Version", app.version()}, {"Os", "linux"}, {"Arch", platform}});
    // The engine is a library: client and server are one program.
    TRY(const std::string text,
        print_one(flags.text("format"), Value::object({{"Client", client}, {"Server", client}})));
    print(text + "\n");
    return 0;
  }
  print(
      fmt::format("Client:\n Version:           {}\n OS/Arch:           linux/{}\n\nServer: (the engine is "
                  "part of this program)\n"
                  " Version:           {}\n OS/Arch:           linux/{}\n",
                  app.version(), platform, app.version(), platform));
  return 0;
}

Value info_value(const App& app, const pod::EngineInfo& info) {
  return Value::object({{"Containers", static_cast<std::uint64_t>(info.containers)},
                        {"ContainersRunning", static_cast<std::uint64_t>(info.running)},
                        {"ContainersPaused", static_cast<std::uint64_t>(info.paused)},
                        {"ContainersStopped", static_cast<std::uint64_t>(info.stopped)},
                        {"Images", static_cast<std::uint64_t>(info.images)},
                        {"Driver", "overlay"},
                        {"CgroupDriver", info.cgroup_driver},
                        {"CgroupVersion", info.cgroup_version},
                        {"KernelVersion", info.kernel},
                        {"OperatingSystem", info.operating_system},
                        {"OSType", "linux"},
                        {"Architecture", info.architecture},
                        {"NCPU", info.cpus},
                        {"MemTotal", info.memory},
                        {"Name", info.hostname},
                        {"FermataRootDir", info.root},
                        {"FermataRunDir", info.run_root},
                        {"ServerVersion", app.version()},
                        {"UserNamespaces", info.user_namespaces},
                        {"SecurityOptions", Value::strings(info.security_options)},
                        {"Warnings", Value::strings(info.warnings)}});
}

std::string info_text(const App& app, const pod::EngineInfo& info) {
  std::string out = fmt::format(
      "Client:\n Version:    {0}\n\nServer:\n Containers: {1}\n  Running: {2}\n  Paused: {7}\n  Stopped: "
      "{3}\n "
      "Images: {4}\n"
      " Server Version: {0}\n Storage Driver: overlay\n Cgroup Driver: {5}\n Cgroup Version: {6}\n",
      app.version(), info.containers, info.running, info.stopped, info.images, info.cgroup_driver,
      info.cgroup_version, info.paused);
  if (!info.security_options.empty()) {
    out += " Security Options:\n";
    for (const std::string& option : info.security_options) out += fmt::format("  {}\n", option);
  }
  out += fmt::format(
      " User Namespaces: {}\n Kernel Version: {}\n Operating System: {}\n OSType: linux\n Architecture: {}\n "
      "CPUs: {}\n Total "
      "Memory: {:.4g}GiB\n Name: {}\n"
      " Root Dir: {}\n Run Dir: {}\n",
      info.user_namespaces, info.kernel, info.operating_system, info.architecture, info.cpus,
      static_cast<double>(info.memory) / (1u << 30), info.hostname, info.root, info.run_root);
  for (const std::string& warning : info.warnings) out += fmt::format("WARNING: {}\n", warning);
  return out;
}

Result<int> run_info(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  TRY(const pod::EngineInfo info, engine->info());
  if (!flags.has("format")) {
    print(info_text(app, info));
    return 0;
  }
  TRY(const std::string text, print_one(flags.text("format"), info_value(app, info)));
  print(text + "\n");
  return 0;
}

Result<int> run_event(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  TRY(engine->handle_event(flags.arguments()[0]));
  return 0;
}

constexpr FlagSpec kFormat = {"format", 'f', FlagKind::text, "string",
                              "Format output using a custom template: 'json' or a Go TEMPLATE"};

}  // namespace

void add_system_commands(std::vector<Command>& commands) {
  commands.push_back({.name = "version",
                      .summary = "Show the Fermata version information",
                      .usages = {"[OPTIONS]"},
                      .example = "fermata version --format '{{.Client.Version}}'",
                      .most = 0,
                      .flags = {kFormat},
                      .primary = true,
                      .run = run_version});
  commands.push_back({.name = "info",
                      .summary = "Display system-wide information",
                      .usages = {"[OPTIONS]"},
                      .example = "fermata info --format json",
                      .most = 0,
                      .flags = {kFormat},
                      .primary = true,
                      .run = run_info});
  // Started by a pod's monitor (monitor/protocol.h) when one of its processes has ended.
  commands.push_back({.name = "__event",
                      .summary = "Handle an event of a pod",
                      .usages = {"POD"},
                      .least = 1,
                      .most = 1,
                      .hidden = true,
                      .run = run_event});
}

}  // namespace fermata::cli
