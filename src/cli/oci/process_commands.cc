#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "cli/core/terminal.h"
#include "cli/oci/command.h"
#include "cli/oci/foreground.h"
#include "oci/runtime_document.h"

namespace fermata::cli::oci {
namespace {

constexpr int kExecFailed = 255;  // so that no code of the command is taken for it

Result<std::uint32_t> parse_id(std::string_view text, std::string_view flag) {
  const auto number = parse_unsigned(text);
  if (!number || *number >= 0xffffffff)
    return fail(ErrorKind::invalid_argument, "--{} {}: not a number", flag, text);
  return static_cast<std::uint32_t>(*number);
}

Result<void> set_user(const Flags& flags, fermata::oci::User* user) {
  if (const std::string given = flags.text("user"); !given.empty()) {
    const auto pair = split_once(given, ':');
    TRY(user->uid, parse_id(pair ? pair->first : std::string_view(given), "user"));
    if (pair) {
      TRY(user->gid, parse_id(pair->second, "user"));
    }
  }
  for (const std::string& group : flags.list("additional-gids")) {
    TRY(const std::uint32_t gid, parse_id(group, "additional-gids"));
    user->additional_gids.push_back(gid);
  }
  return {};
}

// The container's own process with another command, as far as the flags do not say otherwise.
Result<fermata::oci::Process> process_of_flags(const App& app, const Flags& flags) {
  const auto& arguments = flags.arguments();
  if (arguments.size() < 2)
    return fail(ErrorKind::invalid_argument, "exec needs a command, or --process with a file");
  TRY(const auto container, app.runtime.find(arguments[0]));
  TRY(const auto spec, app.runtime.spec(container));
  fermata::oci::Process process = spec.process;
  process.args.assign(arguments.begin() + 1, arguments.end());
  process.terminal = flags.is_set("tty");
  process.console_rows = process.console_columns = 0;
  if (flags.has("cwd")) process.cwd = flags.text("cwd");
  if (flags.has("process-label")) process.selinux_label = flags.text("process-label");
  if (flags.has("apparmor")) process.apparmor_profile = flags.text("apparmor");
  if (flags.has("no-new-privs")) process.no_new_privileges = flags.is_set("no-new-privs");
  for (const std::string& variable : flags.list("env")) process.env.push_back(variable);
  for (const std::string& name : flags.list("cap")) {
    auto& sets = process.capabilities;
    for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted})
      if (std::find(set->begin(), set->end(), name) == set->end()) set->push_back(name);
  }
  TRY(set_user(flags, &process.user));
  return process;
}

Result<bundle::ExecOptions> exec_options(const App& app, const Flags& flags) {
  bundle::ExecOptions options;
  if (const std::string path = flags.text("process"); !path.empty()) {
    TRY(const std::string text, read_file(path, 16u << 20));
    auto process = fermata::oci::parse_process(text);
    if (!process) return fail_with(std::move(process.error()), path);
    options.process = std::move(*process);
  } else {
    TRY(options.process, process_of_flags(app, flags));
  }
  options.pid_file = flags.text("pid-file");
  options.console_socket = flags.text("console-socket");
  options.cgroup = flags.text("cgroup");
  options.preserve_fds = static_cast<int>(flags.integer("preserve-fds").value_or(0));
  options.ignore_paused = flags.is_set("ignore-paused");
  return options;
}

Result<int> run_exec(const App& app, const Flags& flags) {
  TRY(protect(app.program));
  TRY(const auto options, exec_options(app, flags));
  const std::string& id = flags.arguments()[0];
  if (flags.is_set("detach")) {
    if (options.process.terminal && options.console_socket.empty())
      return fail(ErrorKind::invalid_argument, "a terminal needs --console-socket with --detach");
    TRY(app.runtime.exec(id, options));
    return 0;
  }
  TRY(const auto signals, HeldSignals::hold());
  TRY(const auto started, app.runtime.exec(id, options));
  return stand_by(started, signals);
}

// The lines of ps(1) that are about these processes; its own columns tell where the id is.
Result<std::string> filter_table(std::string_view table, const std::vector<int>& pids) {
  const auto lines = split(table, '\n');
  const auto fields = [](std::string_view line) {
    std::vector<std::string_view> words;
    for (const auto word : split(line, ' '))
      if (!word.empty()) words.push_back(word);
    return words;
  };
  const auto titles = fields(lines.front());
  const auto column =
      static_cast<std::size_t>(std::find(titles.begin(), titles.end(), "PID") - titles.begin());
  if (column == titles.size())
    return fail(ErrorKind::invalid_argument, "ps: the options leave out the column PID");
  std::string out = std::string(lines.front()) + "\n";
  for (const auto line : lines) {
    const auto words = fields(line);
    const auto pid = column < words.size() ? parse_unsigned(words[column]) : std::nullopt;
    if (pid && std::find(pids.begin(), pids.end(), static_cast<int>(*pid)) != pids.end())
      out += std::string(line) + "\n";
  }
  return out;
}

Result<std::string> output_of_ps(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ps");
  std::vector<char*> words;
  for (std::string& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  TRY(const UniqueFd output, memory_file("ps", ""));
  posix_spawn_file_actions_t actions;
  if (const int error = ::posix_spawn_file_actions_init(&actions); error != 0)
    return fail(error, "prepare ps");
  int error = ::posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  pid_t pid = -1;
  if (error == 0) error = ::posix_spawnp(&pid, "ps", &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(error, "execute ps (Debian: procps)");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(ErrorKind::failed, "ps failed");
  if (::lseek(output.get(), 0, SEEK_SET) < 0) return fail(errno, "read the output of ps");
  return read_fd(output.get());
}

Result<int> run_ps(const App& app, const Flags& flags) {
  const auto& arguments = flags.arguments();
  const std::string format = flags.text("format", "table");
  if (format != "table" && format != "json")
    return fail(ErrorKind::invalid_argument, "invalid format: {} (table or json)", format);
  TRY(const auto pids, app.runtime.processes(arguments[0]));
  if (format == "json") {
    TRY(print(fmt::format("[{}]\n", fmt::join(pids, ","))));
    return 0;
  }
  std::vector<std::string> options(arguments.begin() + 1, arguments.end());
  if (options.empty()) options = {"-ef"};
  TRY(const std::string table, output_of_ps(std::move(options)));
  TRY(const std::string filtered, filter_table(table, pids));
  TRY(print(filtered));
  return 0;
}

}  // namespace

void add_process_commands(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "exec",
       .summary = "Execute another program in a container",
       .usage = "[OPTIONS] CONTAINER-ID COMMAND [ARG...]",
       .most = ~std::size_t{0},
       .placement = Placement::before_first,
       .flags = {{"additional-gids", 'g', FlagKind::list, "list", "Additional groups, by number"},
                 {"apparmor", 0, FlagKind::text, "string", "The AppArmor profile"},
                 {"cap", 'c', FlagKind::list, "list", "Add a capability"},
                 {"cgroup", 0, FlagKind::text, "string", "A control group below the container's"},
                 {"console-socket", 0, FlagKind::text, "string", "A socket that gets the terminal's master"},
                 {"cwd", 0, FlagKind::text, "string", "The working directory"},
                 {"detach", 'd', FlagKind::boolean, "", "Return when the program was executed"},
                 {"env", 'e', FlagKind::list, "list", "Set an environment variable"},
                 {"ignore-paused", 0, FlagKind::boolean, "", "Also in a container that is paused"},
                 {"no-new-privs", 0, FlagKind::boolean, "", "No new privileges for the process"},
                 {"pid-file", 0, FlagKind::text, "string", "Write the process's id to this file"},
                 {"preserve-fds", 0, FlagKind::integer, "int", "Hand down this many descriptors, from 3 on"},
                 {"process", 'p', FlagKind::text, "string", "A file with the process, as config.json has it"},
                 {"process-label", 0, FlagKind::text, "string", "The SELinux label"},
                 {"tty", 't', FlagKind::boolean, "", "Give it a terminal"},
                 {"user", 'u', FlagKind::text, "string", "uid[:gid]"}},
       .failure_code = kExecFailed,
       .run = run_exec});
  commands.push_back(
      {.name = "ps",
       .summary = "Show the processes of a container",
       .usage = "[OPTIONS] CONTAINER-ID [PS-OPTION...]",
       .most = ~std::size_t{0},
       .placement = Placement::before_first,
       .flags = {{"format", 'f', FlagKind::text, "string", "table or json (default \"table\")"}},
       .run = run_ps});
}

}  // namespace fermata::cli::oci
