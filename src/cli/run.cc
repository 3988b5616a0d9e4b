// run, create and start.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "cdi/names.h"
#include "cdi/registry.h"
#include "cli/command.h"
#include "cli/container_flags.h"
#include "cli/foreground.h"
#include "cli/pull.h"
#include "pod/device_edits.h"

namespace fermata::cli {
namespace {

constexpr int kEngineFailed = 125;

Client this_client() {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  return {.environment = [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
          },
          .directory = failed ? "/" : directory.string()};
}

// The file must be new: an old one may belong to a container that still runs.
class CidFile {
 public:
  static Result<CidFile> create(const std::string& path) {
    CidFile file;
    if (path.empty()) return file;
    file.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file.fd_ && errno == EEXIST)
      return fail(ErrorKind::conflict,
                  "container ID file found, make sure the other container isn't running or delete {}", path);
    if (!file.fd_) return fail(errno, "failed to create the container ID file '{}'", path);
    file.path_ = path;
    return file;
  }
  CidFile(CidFile&&) = default;
  CidFile& operator=(CidFile&&) = delete;
  // Without an id it would only be in the way of the next try.
  ~CidFile() {
    if (fd_) ::unlink(path_.c_str());
  }
  Result<void> write(const std::string& id) {
    if (!fd_) return {};
    TRY(write_all(fd_.get(), id));
    fd_.reset();
    return {};
  }

 private:
  CidFile() = default;
  UniqueFd fd_;
  std::string path_;
};

enum class PullPolicy { always, missing, never };

Result<PullPolicy> pull_policy(const Flags& flags) {
  const std::string text = flags.text("pull", "missing");
  if (text == "always") return PullPolicy::always;
  if (text == "missing") return PullPolicy::missing;
  if (text == "never") return PullPolicy::never;
  return fail(ErrorKind::invalid_argument,
              "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"", text);
}

// Without --platform (architecture "") an image of another architecture is the user's own choice.
bool runs_on(const image::Image& image, const std::string& architecture) {
  return architecture.empty() || image.builtin_pause || image.config.architecture.empty() ||
         image.config.architecture == architecture;
}

// A name that the built-in pause answers to; a digest means the real image.
bool names_pause(const std::string& image) {
  const auto reference = oci::parse_reference(image);
  return reference && image::is_pause_reference(*reference);
}

// What --infra-image, or else the configuration, puts in the place of the built-in pause.
Result<void> choose_infra_image(const App& app, const Flags& flags, pod::ContainerConfig& config) {
  std::string chosen = flags.text("infra-image", flags.text("pod-infra-container-image"));
  if (!chosen.empty() && !names_pause(config.image))
    return fail(ErrorKind::invalid_argument,
                "--infra-image: '{}' is not a name of pause: an infra image runs in place of the built-in "
                "pause, such as "
                "registry.k8s.io/pause",
                config.image);
  if (chosen.empty() && names_pause(config.image)) {
    TRY(pod::Settings settings, app.settings());
    chosen = std::move(settings.infra_image);
  }
  if (chosen.empty()) return {};
  config.image = std::move(chosen);
  config.infra = true;
  return {};
}

// The words that people search for, and the ways out.
Error sandbox_image_failure(const Error& error, const std::string& image) {
  return Error(
      error.kind(), error.error_number(),
      fmt::format(
          "failed to create pod sandbox: failed to get sandbox image \"{0}\": failed to pull {0}: {1}\n"
          "Hint: name a mirror that has the image, let this machine trust the registry's CA, or leave out "
          "the infra image (--infra-image, infra_image in {2}): the built-in pause is never pulled",
          image, error.message(), pod::kSettingsPath));
}

// Of --device vendor.com/class=device. Before anything is pulled or made.
Result<void> resolve_cdi_devices(const App& app, pod::ContainerConfig& config) {
  const auto is_named = [](const std::string& device) { return cdi::parse_device_name(device).has_value(); };
  if (std::none_of(config.devices.begin(), config.devices.end(), is_named)) return {};
  TRY(auto directories, app.cdi_spec_dirs());
  cdi::Registry registry(std::move(directories));
  return pod::inject_cdi(config, {}, registry);
}

// Makes the container, with a pull when its image, of the platform asked for, is not here.
Result<std::string> create_container(App& app, const Flags& flags, pod::ContainerConfig config) {
  TRY(choose_infra_image(app, flags, config));
  TRY(resolve_cdi_devices(app, config));
  TRY(const PullPolicy policy, pull_policy(flags));
  PullRequest request{.image = config.image, .quiet = flags.is_set("quiet"), .output = STDERR_FILENO};
  TRY(request.architecture, parse_platform(flags.text("platform")));
  config.architecture = request.architecture;
  TRY(CidFile file, CidFile::create(flags.text("cidfile")));
  TRY(pod::Engine* const engine, app.engine());
  bool pull = policy == PullPolicy::always;
  if (!pull) {
    TRY(const auto image, engine->images().find(config.image));
    pull = !image || !runs_on(*image, request.architecture);
    if (image && pull && policy == PullPolicy::never)
      return fail(ErrorKind::not_found,
                  "image with reference {} was found but is for {}, not for the platform asked for ({}), and "
                  "--pull=never forbids to pull another",
                  config.image, image->config.architecture, request.architecture);
    if (pull && policy == PullPolicy::never)
      return fail(ErrorKind::not_found, "No such image: {}: --pull=never forbids to pull it", config.image);
  }
  if (pull) {
    TRY(const oci::Reference reference, oci::parse_reference(config.image));
    request.image = reference.familiar();  // its tag is told here, not as `pull` tells it
    if (policy == PullPolicy::missing && !request.quiet)
      TRY(write_all(STDERR_FILENO, fmt::format("Unable to find image '{}' locally\n", request.image)));
    auto pulled = pull_image(*engine, request);
    if (!pulled)
      return tl::unexpected(config.infra || image::is_pause_reference(reference)
                                ? sandbox_image_failure(pulled.error(), config.image)
                                : std::move(pulled.error()));
  }
  TRY(std::string id, engine->create(std::move(config)));
  TRY(file.write(id));
  return id;
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) print_warning(warning);
}

// -a, -i and -t decide which streams are attached, as docker has it.
Result<Foreground> run_streams(const Flags& flags, const pod::ContainerConfig& config) {
  Foreground foreground{.terminal = config.terminal,
                        .input = config.stdin_open,
                        .forward_signals = flags.is_set("sig-proxy", true)};
  TRY(foreground.read_detach_keys(flags));
  if (!flags.has("attach")) return foreground;
  foreground.input = foreground.output = foreground.error_output = false;
  for (const std::string& text : flags.list("attach")) {
    const std::string name = to_lower(text);
    if (name == "stdin")
      foreground.input = true;
    else if (name == "stdout")
      foreground.output = true;
    else if (name == "stderr")
      foreground.error_output = true;
    else
      return fail(
          ErrorKind::invalid_argument,
          "invalid argument \"{}\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR",
          text);
  }
  foreground.input = foreground.input && config.stdin_open;
  return foreground;
}

Result<int> run_create(App& app, const Command& command, const Flags& flags) {
  TRY(pod::ContainerConfig config, container_config(flags, command.flags, this_client()));
  TRY(const Foreground foreground, run_streams(flags, config));
  config.attach_stdin = foreground.input;
  TRY(const std::string id, create_container(app, flags, config));
  print(id + "\n");
  TRY(pod::Engine* const engine, app.engine());
  TRY(const pod::ContainerInfo info, engine->inspect(id));
  print_warnings(info.warnings);
  return 0;
}

// "125: nothing was made": a run that could not start may be repeated under the same name. One that runs all
// the same (its streams were lost, or it was restarted) stays.
Result<void> undo_run(pod::Engine& engine, const std::string& id) {
  auto removed = engine.remove(id, {.volumes = true});
  const bool settled = !removed && (removed.error().kind() == ErrorKind::not_found ||
                                    removed.error().kind() == ErrorKind::conflict);
  return settled ? Result<void>() : removed;
}

Result<int> run_attached(pod::Engine& engine, const std::string& id, const Foreground& foreground,
                         bool remove, bool made_here) {
  const auto end = run_foreground(
      foreground,
      [&](const pod::StreamSelection& streams)
          -> tl::expected<std::unique_ptr<pod::Session>, pod::StartFailure> {
        auto started = engine.start(id, streams);
        if (!started) return tl::unexpected(std::move(started.error()));
        if (made_here) print_warnings(started->warnings);  // the terminal is not raw yet
        return std::move(started->session);
      },
      // A process that has just ended needs no signal.
      [&](int signal) { (void)engine.kill(id, fmt::format("{}", signal)); });
  if (!end) {
    const int code = report_start_failure(end.error());
    if (remove || (made_here && code == kEngineFailed)) TRY(undo_run(engine, id));
    return code;
  }
  if (end->why == StreamEnd::Why::detached) return 0;
  const int code = exit_code_of(*end);
  // The monitor's event command removes --rm containers; what this command returns from must be gone, so it
  // helps.
  if (remove) TRY(undo_run(engine, id));
  return code;
}

Result<int> run_run(App& app, const Command& command, const Flags& flags) {
  TRY(pod::ContainerConfig config, container_config(flags, command.flags, this_client()));
  const bool detach = flags.is_set("detach");
  if (detach && flags.has("attach"))
    return fail(ErrorKind::invalid_argument,
                "conflicting options: cannot specify both --attach and --detach");
  TRY(const Foreground foreground, run_streams(flags, config));
  config.attach_stdin = !detach && foreground.input;
  if (!detach) TRY(foreground.check_terminal());
  TRY(const std::string id, create_container(app, flags, config));
  TRY(pod::Engine* const engine, app.engine());
  if (!detach) return run_attached(*engine, id, foreground, config.auto_remove, true);
  const auto started = engine->start(id, {});
  if (!started) {
    const int code = report_start_failure(started.error());
    if (config.auto_remove || code == kEngineFailed) TRY(undo_run(*engine, id));
    return code;
  }
  print(id + "\n");
  print_warnings(started->warnings);
  return 0;
}

Result<int> start_attached(pod::Engine& engine, const std::string& name, const Flags& flags) {
  TRY(const pod::ContainerInfo info, engine.inspect(name));
  Foreground foreground{.terminal = info.config.terminal,
                        .input = flags.is_set("interactive") && info.config.stdin_open,
                        .forward_signals = flags.is_set("sig-proxy", true)};
  TRY(foreground.read_detach_keys(flags));
  TRY(foreground.check_terminal());
  return run_attached(engine, info.id, foreground, info.config.auto_remove, false);
}

Result<int> run_start(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  const auto& names = flags.arguments();
  if (flags.is_set("attach") || flags.is_set("interactive")) {
    if (names.size() > 1)
      return fail(ErrorKind::invalid_argument, "you cannot start and attach multiple containers at once");
    return start_attached(*engine, names[0], flags);
  }
  int code = 0;
  for (const std::string& name : names) {
    if (auto started = engine->start(name, {}); started) {
      print(name + "\n");
    } else {
      report_start_failure(started.error());
      code = 1;
    }
  }
  return code;
}

std::vector<FlagSpec> flags_with(std::initializer_list<FlagSpec> more) {
  const auto common = container_flag_specs();
  std::vector<FlagSpec> all(common.begin(), common.end());
  all.insert(all.end(), more);
  std::sort(all.begin(), all.end(), [](const FlagSpec& a, const FlagSpec& b) { return a.name < b.name; });
  return all;
}

constexpr FlagSpec kDetachKeys = {"detach-keys", 0, FlagKind::text, "string",
                                  "Override the key sequence for detaching a container"};
constexpr FlagSpec kSigProxy = {"sig-proxy", 0, FlagKind::boolean, "",
                                "Proxy received signals to the process (default true)"};

}  // namespace

void add_run_commands(std::vector<Command>& commands) {
  commands.push_back({
      .name = "run",
      .group = "container",
      .summary = "Create and run a new container from an image",
      .usages = {"[OPTIONS] IMAGE [COMMAND] [ARG...]"},
      .example = "fermata run -d --name web -p 8080:80 nginx",
      .least = 1,
      .placement = Placement::before_first,
      .flags = flags_with(
          {{"detach", 'd', FlagKind::boolean, "", "Run container in background and print container ID"},
           kDetachKeys,
           kSigProxy}),
      .failure_code = kEngineFailed,
      .primary = true,
      .run = run_run,
  });
  commands.push_back({
      .name = "create",
      .group = "container",
      .summary = "Create a new container",
      .usages = {"[OPTIONS] IMAGE [COMMAND] [ARG...]"},
      .example = "fermata create --name web nginx",
      .least = 1,
      .placement = Placement::before_first,
      .flags = flags_with({}),
      .failure_code = kEngineFailed,
      .run = run_create,
  });
  commands.push_back({
      .name = "start",
      .group = "container",
      .summary = "Start one or more stopped containers",
      .usages = {"[OPTIONS] CONTAINER [CONTAINER...]"},
      .example = "fermata start web",
      .least = 1,
      .flags = {{"attach", 'a', FlagKind::boolean, "", "Attach STDOUT/STDERR and forward signals"},
                kDetachKeys,
                {"interactive", 'i', FlagKind::boolean, "", "Attach container's STDIN"},
                kSigProxy},
      .run = run_start,
  });
}

}  // namespace fermata::cli
