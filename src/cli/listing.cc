// ps, inspect, port, top.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/files.h"
#include "base/id.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/container_view.h"
#include "cli/human.h"
#include "cli/image_view.h"
#include "cli/owner_flag.h"
#include "cli/table.h"
#include "cli/template.h"
#include "pod/tree_size.h"

namespace fermata::cli {
namespace {

Result<ContainerSize> size_of(pod::Engine& engine, const pod::ContainerInfo& container) {
  const std::uint64_t written = pod::tree_size(container.upper_path);
  TRY(const auto image, engine.images().find(container.image_id));
  return ContainerSize{.written = written, .whole = written + (image ? image->size : 0)};
}

Result<int> run_ps(App& app, const Command&, const Flags& flags) {
  TRY(choose_container_owner(app, flags));
  pod::ContainerFilter filter{.all = flags.is_set("all"), .infra = flags.is_set("infra")};
  TRY(filter.filters, parse_filters(flags.list("filter")));
  if (const auto last = flags.integer("last"); last && *last > 0)
    filter.last = static_cast<std::size_t>(*last);
  if (flags.is_set("latest")) filter.last = 1;
  if (filter.last) filter.all = true;
  TRY(pod::Engine* const engine, app.engine());
  TRY(const auto containers, engine->list(filter));
  const bool truncate = !flags.is_set("no-trunc");
  if (flags.is_set("quiet")) {
    std::string out;
    for (const auto& container : containers) out += (truncate ? short_id(container.id) : container.id) + "\n";
    print(out);
    return 0;
  }
  std::vector<Value> rows;
  const std::int64_t time = now_ns();
  // To go through all its files takes time, which only who looks at the result is to spend.
  const bool sizes = flags.is_set("size") || flags.text("format").find(".Size") != std::string::npos;
  for (const auto& container : containers) {
    std::optional<ContainerSize> size;
    if (sizes) {
      TRY(size, size_of(*engine, container));
    }
    rows.push_back(container_row(container, time, truncate, size));
  }
  ListFormat format{.format = flags.text("format"),
                    .columns = {{"ID", "CONTAINER ID"},
                                {"Image", "IMAGE"},
                                {"Command", "COMMAND"},
                                {"RunningFor", "CREATED"},
                                {"Status", "STATUS"},
                                {"Ports", "PORTS"},
                                {"Names", "NAMES"}},
                    .headers = {{"CreatedAt", "CREATED AT"},
                                {"Labels", "LABELS"},
                                {"LocalVolumes", "LOCAL VOLUMES"},
                                {"Mounts", "MOUNTS"},
                                {"Networks", "NETWORKS"},
                                {"Owner", "OWNER"},
                                {"Pod", "POD"},
                                {"Size", "SIZE"},
                                {"State", "STATE"}}};
  if (flags.is_set("size")) format.columns.push_back({"Size", "SIZE"});
  TRY(const std::string text, print_list(format, rows));
  print(text);
  return 0;
}

Result<Value> inspect_one(pod::Engine& engine, const std::string& name, const std::string& type, bool sizes) {
  if (type != "image") {
    auto container = engine.inspect(name);
    if (container) {
      std::optional<ContainerSize> size;
      if (sizes) {
        TRY(size, size_of(engine, *container));
      }
      return inspect_container(*container, size);
    }
    if (type == "container" || container.error().kind() != ErrorKind::not_found)
      return tl::unexpected(std::move(container.error()));
  }
  TRY(const auto image, engine.images().find(name));
  if (image) return inspect_image(*image);
  return fail(ErrorKind::not_found, "No such {}: {}", type.empty() ? "object" : type, name);
}

Result<int> run_inspect(App& app, const Command& command, const Flags& flags) {
  const std::string type = flags.text("type", command.group), format = flags.text("format");
  if (!type.empty() && type != "container" && type != "image")
    return fail(ErrorKind::invalid_argument,
                "\"{}\" is not a valid value for --type: known are container and image", type);
  if (!format.empty() && format != "json") TRY(Template::parse(format));  // told before anything is looked up
  app.options().see_all_owners = true;
  TRY(pod::Engine* const engine, app.engine());
  Value::List found;
  int code = 0;
  for (const std::string& name : flags.arguments()) {
    auto value = inspect_one(*engine, name, type, flags.is_set("size"));
    if (value && !format.empty() && format != "json") {
      auto text = print_one(format, *value);
      if (!text) return fail_with(std::move(text.error()), "template parsing error");
      print(*text + "\n");
    } else if (value) {
      found.push_back(std::move(*value));
    } else {
      print_error(value.error());
      code = 1;
    }
  }
  if (format.empty())
    print(Value(std::move(found)).json(4) + "\n");
  else if (format == "json")
    print(Value(std::move(found)).json() + "\n");
  return code;
}

std::string binding(const network::PortMapping& port, std::string_view address) {
  const bool brackets = address.find(':') != std::string_view::npos;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", address, brackets ? "]" : "", port.host_port);
}

std::vector<std::string> bindings(const network::PortMapping& port) {
  if (!port.host_ip.empty()) return {binding(port, port.host_ip)};
  return {binding(port, "0.0.0.0"), binding(port, "::")};
}

Result<int> run_port(App& app, const Command&, const Flags& flags) {
  const std::string& name = flags.arguments()[0];
  TRY(pod::Engine* const engine, app.engine());
  TRY(const pod::ContainerInfo info, engine->inspect(name));
  auto ports = info.ports;
  std::sort(ports.begin(), ports.end(),
            [](const auto& a, const auto& b) { return a.container_port < b.container_port; });
  std::string out;
  if (flags.arguments().size() == 1) {
    for (const auto& port : ports)
      for (const std::string& text : bindings(port))
        out += fmt::format("{}/{} -> {}\n", port.container_port, port.protocol, text);
    print(out);
    return 0;
  }
  std::string wanted = flags.arguments()[1];
  if (wanted.find('/') == std::string::npos) wanted += "/tcp";
  for (const auto& port : ports)
    if (fmt::format("{}/{}", port.container_port, port.protocol) == wanted)
      for (const std::string& text : bindings(port)) out += text + "\n";
  if (out.empty()) return fail(ErrorKind::not_found, "no public port '{}' published for {}", wanted, name);
  print(out);
  return 0;
}

// The processes whose cgroup is the container's, or below it.
std::set<std::string> processes_in(const std::string& cgroup) {
  std::set<std::string> pids;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    const std::string pid = entry.path().filename();
    if (!parse_unsigned(pid)) continue;
    const auto text = read_file("/proc/" + pid + "/cgroup", 1u << 16);
    if (!text) continue;  // it has ended meanwhile
    for (const std::string_view line : split(*text, '\n')) {
      const auto at = line.find(cgroup);
      if (at == std::string_view::npos) continue;
      const std::string_view rest = line.substr(at + cgroup.size());
      if (rest.empty() || rest[0] == '/') pids.insert(pid);
    }
  }
  return pids;
}

// The output of the host's ps with these words.
Result<std::string> host_ps(const std::vector<std::string>& words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "create a pipe");
  UniqueFd reader(ends[0]), writer(ends[1]);
  std::vector<char*> argv = {const_cast<char*>("ps")};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, "ps", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return fail(failed, "start ps");
  writer.reset();
  auto output = read_fd(reader.get());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (output && status != 0) return fail(ErrorKind::invalid_argument, "ps {} failed", join(words, " "));
  return output;
}

Result<int> run_top(App& app, const Command&, const Flags& flags) {
  const auto& words = flags.arguments();
  TRY(pod::Engine* const engine, app.engine());
  TRY(const pod::ContainerInfo info, engine->inspect(words[0]));
  if (info.state != pod::ContainerState::running)
    return fail(ErrorKind::conflict, "container {} is not running", words[0]);
  std::vector<std::string> options(words.begin() + 1, words.end());
  if (options.empty()) options = {"-ef"};
  TRY(const std::string output, host_ps(options));
  auto pids = processes_in(info.cgroup);
  pids.insert(std::to_string(info.pid));
  const auto cells = [](std::string_view line) {
    std::vector<std::string> result;
    for (const std::string_view cell : split(line, ' '))
      if (!cell.empty()) result.emplace_back(cell);
    return result;
  };
  const auto lines = split(output, '\n');
  const auto titles = cells(lines[0]);
  const auto column =
      static_cast<std::size_t>(std::find(titles.begin(), titles.end(), "PID") - titles.begin());
  if (column == titles.size())
    return fail(ErrorKind::invalid_argument, "couldn't find PID field in ps output");
  std::string table = join(titles, "\t") + "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto row = cells(lines[i]);
    if (row.size() <= column || !pids.contains(row[column])) continue;
    // The last column is the command, with its spaces.
    while (row.size() > titles.size()) {
      row[titles.size() - 1] += " " + row[titles.size()];
      row.erase(row.begin() + static_cast<std::ptrdiff_t>(titles.size()));
    }
    table += join(row, "\t") + "\n";
  }
  print(align_columns(table));
  return 0;
}

constexpr FlagSpec kFormat = {
    "format", 0, FlagKind::text, "string",
    "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go TEMPLATE"};

constexpr FlagSpec kInspectFormat = {"format", 'f', FlagKind::text, "string",
                                     "Format output using a custom template: 'json' or a Go TEMPLATE"};

constexpr FlagSpec kSize = {"size", 's', FlagKind::boolean, "", "Display total file sizes"};

// `container inspect` and `image inspect` see the objects of their group alone.
Command group_inspect(std::string_view group, std::string_view name, std::string_view summary,
                      std::string_view usage, std::string_view example, std::vector<FlagSpec> flags) {
  return {.name = name,
          .group = group,
          .group_name = "inspect",
          .summary = summary,
          .usages = {usage},
          .example = example,
          .least = 1,
          .flags = std::move(flags),
          .hidden = true,
          .run = run_inspect};
}

}  // namespace

void add_listing_commands(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "ps",
       .group = "container",
       .group_name = "ls",
       .summary = "List containers",
       .usages = {"[OPTIONS]"},
       .example = "fermata ps -a --format 'table {{.Names}}\\t{{.Status}}'",
       .most = 0,
       .flags = {{"all", 'a', FlagKind::boolean, "", "Show all containers (default shows just running)"},
                 {"filter", 'f', FlagKind::list, "filter",
                  "Filter output based on conditions provided (ancestor, before, exited, expose, health, id, "
                  "label, name, network, pod, publish, since, status, volume)"},
                 kFormat,
                 {"infra", 0, FlagKind::boolean, "", "Show the pause containers that Fermata made"},
                 {"last", 'n', FlagKind::integer, "int",
                  "Show n last created containers (includes all states)"},
                 {"latest", 'l', FlagKind::boolean, "",
                  "Show the latest created container (includes all states)"},
                 {"no-trunc", 0, FlagKind::boolean, "", "Don't truncate output"},
                 kContainerOwner,
                 {"quiet", 'q', FlagKind::boolean, "", "Only display container IDs"},
                 kSize},
       .primary = true,
       .run = run_ps});
  commands.push_back({.name = "inspect",
                      .summary = "Return low-level information on containers and images",
                      .usages = {"[OPTIONS] NAME|ID [NAME|ID...]"},
                      .example = "fermata inspect --format '{{.State.Pid}}' web",
                      .least = 1,
                      .flags = {kInspectFormat,
                                kSize,
                                {"type", 0, FlagKind::text, "string",
                                 "Only inspect objects of the given type (container, image)"}},
                      .run = run_inspect});
  commands.push_back(group_inspect(
      "container", "container inspect", "Display detailed information on one or more containers",
      "[OPTIONS] CONTAINER [CONTAINER...]", "fermata container inspect --format '{{.State.Pid}}' web",
      {kInspectFormat, kSize}));
  commands.push_back(
      group_inspect("image", "image inspect", "Display detailed information on one or more images",
                    "[OPTIONS] IMAGE [IMAGE...]", "fermata image inspect --format '{{.Config.Cmd}}' nginx",
                    {kInspectFormat}));
  commands.push_back({.name = "port",
                      .group = "container",
                      .summary = "List port mappings or a specific mapping for the container",
                      .usages = {"CONTAINER [PRIVATE_PORT[/PROTO]]"},
                      .example = "fermata port web 80/tcp",
                      .least = 1,
                      .most = 2,
                      .run = run_port});
  commands.push_back({.name = "top",
                      .group = "container",
                      .summary = "Display the running processes of a container",
                      .usages = {"CONTAINER [ps OPTIONS]"},
                      .example = "fermata top web -o pid,comm",
                      .least = 1,
                      .placement = Placement::before_first,
                      .run = run_top});
}

}  // namespace fermata::cli
