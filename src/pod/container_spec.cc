#include "pod/container_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "pod/limits.h"
#include "runtime/defaults.h"

namespace fermata::pod {
namespace {

constexpr int kPauseOomScore = -998;  // as Kubernetes has it
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view env_name(std::string_view variable) { return variable.substr(0, variable.find('=')); }

bool has_env(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& item) { return env_name(item) == name; });
}

bool has_mount(const ContainerConfig& config, std::string_view destination) {
  return std::any_of(config.mounts.begin(), config.mounts.end(),
                     [&](const VolumeMount& mount) { return mount.destination == destination; });
}

// docker/daemon: a command line of one's own drops the image's entry only together with an entrypoint of
// one's own.
std::vector<std::string> resolve_args(const ContainerConfig& config, const oci::ImageConfig& image) {
  std::vector<std::string> args = config.entrypoint.value_or(image.entrypoint);
  const bool cleared = args.size() == 1 && args[0].empty();
  if (cleared) args.clear();
  const bool own_entrypoint = config.entrypoint && !config.entrypoint->empty();
  const auto& command = config.command.empty() && !own_entrypoint ? image.cmd : config.command;
  args.insert(args.end(), command.begin(), command.end());
  return args;
}

}  // namespace

Result<Resolved> resolve_image(const ContainerConfig& config, const oci::ImageConfig& image) {
  Resolved resolved;
  resolved.args = resolve_args(config, image);
  if (resolved.args.empty()) return fail(ErrorKind::invalid_argument, "no command specified");
  resolved.env = merge_env(image.env, config.env);
  resolved.user = config.user.empty() ? image.user : config.user;
  resolved.working_dir = config.working_dir.empty() ? image.working_dir : config.working_dir;
  if (resolved.working_dir.empty()) resolved.working_dir = "/";
  if (resolved.working_dir[0] != '/') resolved.working_dir.insert(0, "/");
  resolved.stop_signal = config.stop_signal.empty() ? image.stop_signal : config.stop_signal;
  if (resolved.stop_signal.empty()) resolved.stop_signal = "SIGTERM";
  resolved.exposed_ports = image.exposed_ports;
  for (const std::string& port : config.expose)
    if (std::find(image.exposed_ports.begin(), image.exposed_ports.end(), port) == image.exposed_ports.end())
      resolved.exposed_ports.push_back(port);
  resolved.mounts = config.mounts;
  for (const std::string& volume : image.volumes) {
    if (!volume.starts_with('/') || volume == "/" || has_mount(config, volume)) continue;
    resolved.mounts.push_back({.kind = VolumeMount::Kind::volume, .destination = volume});
  }
  // Outer ones first, as docker sorts them: by the number of path components.
  std::stable_sort(resolved.mounts.begin(), resolved.mounts.end(),
                   [](const VolumeMount& a, const VolumeMount& b) {
                     return std::count(a.destination.begin(), a.destination.end(), '/') <
                            std::count(b.destination.begin(), b.destination.end(), '/');
                   });
  return resolved;
}

std::vector<std::string> merge_env(std::vector<std::string> base, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::string_view name = env_name(change);
    const auto old = std::find_if(base.begin(), base.end(),
                                  [&](const std::string& item) { return env_name(item) == name; });
    const bool removes = change.find('=') == std::string::npos;
    if (old == base.end()) {
      if (!removes) base.push_back(change);
    } else if (removes) {
      base.erase(old);
    } else {
      *old = change;
    }
  }
  return base;
}

std::vector<std::string> process_env(const std::vector<std::string>& env, const std::string& hostname,
                                     const std::string& home, bool terminal) {
  std::vector<std::string> preset = {fmt::format("PATH={}", kDefaultPath), "HOSTNAME=" + hostname};
  if (terminal) preset.emplace_back("TERM=xterm");
  auto result = merge_env(std::move(preset), env);
  if (!has_env(result, "HOME")) result.push_back("HOME=" + (home.empty() ? "/" : home));
  return result;
}

std::string rlimit_type(std::string_view ulimit) {
  // ulimit(1)'s names, as docker takes them; setrlimit(2).
  constexpr auto kNames =
      std::to_array<std::string_view>({"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
                                       "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"});
  if (std::find(kNames.begin(), kNames.end(), ulimit) == kNames.end()) return {};
  std::string type = "RLIMIT_";
  for (const char c : ulimit) type += static_cast<char>(c - 'a' + 'A');
  return type;
}

Result<Security> parse_security(const std::vector<std::string>& options) {
  Security security;
  for (const std::string& option : options) {
    // Docker takes ':' as well, its older form.
    const auto at = option.find_first_of("=:");
    const std::string key = option.substr(0, at);
    const std::string value = at == std::string::npos ? "" : option.substr(at + 1);
    if (key == "no-new-privileges" && (value.empty() || value == "true" || value == "false")) {
      security.no_new_privileges = value != "false";
    } else if (key == "seccomp" && value == "unconfined") {
      security.seccomp_unconfined = true;
    } else if (key == "seccomp" && trim(value).starts_with('{')) {
      security.seccomp_profile = value;
    } else if (key == "systempaths" && value == "unconfined") {
      security.paths_unconfined = true;
    } else if (key == "apparmor" && !value.empty()) {
      if (value != "unconfined") security.apparmor_profile = value;
    } else if (key == "label" && value == "disable") {
      continue;  // what is not applied here is off already
    } else {
      return fail(ErrorKind::invalid_argument, "invalid --security-opt: \"{}\"", option);
    }
  }
  return security;
}

Result<DeviceRequest> parse_device(std::string_view text) {
  const auto parts = split(text, ':');
  DeviceRequest request{.host = std::string(parts[0]), .container = std::string(parts[0]), .access = "rwm"};
  const auto is_access = [](std::string_view part) {
    return !part.empty() && part.size() <= 3 && part.find_first_not_of("rwm") == std::string_view::npos;
  };
  if (parts.size() > 3 || !request.host.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "invalid device specification: {}", text);
  if (parts.size() == 3) {
    if (!is_access(parts[2])) return fail(ErrorKind::invalid_argument, "bad mode specified: {}", parts[2]);
    request.access = parts[2];
  }
  if (parts.size() >= 2) {
    if (parts.size() == 2 && is_access(parts[1]))
      request.access = parts[1];
    else
      request.container = parts[1];
  }
  if (!request.container.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "invalid device specification: {}", text);
  return request;
}

Result<std::vector<std::string>> container_capabilities(const ContainerConfig& config) {
  std::vector<std::string> add = config.cap_add;
  add.insert(add.end(), config.cap_ambient.begin(), config.cap_ambient.end());
  return runtime::adjust_capabilities(
      config.privileged ? runtime::all_capabilities() : runtime::default_capabilities(), add,
      config.cap_drop);
}

Result<oci::Capabilities> container_sets(const ContainerConfig& config) {
  TRY(const auto all, container_capabilities(config));
  // Neither inheritable nor ambient unless asked for: a program without file capabilities must not gain any
  // (CVE-2022-24769). What is to be ambient has to be inheritable, capabilities(7).
  oci::Capabilities sets{.bounding = all, .effective = all, .permitted = all};
  if (config.cap_ambient.empty()) return sets;
  TRY(sets.ambient, runtime::adjust_capabilities({}, config.cap_ambient, {}));
  sets.inheritable = sets.ambient;
  return sets;
}

void drop_covered_mounts(std::vector<oci::Mount>& mounts, const ContainerConfig& config) {
  std::vector<std::string> covered;
  for (const VolumeMount& mount : config.mounts) covered.push_back(mount.destination);
  for (const cdi::Mount& mount : config.edits.mounts) covered.push_back(mount.destination);
  std::erase_if(mounts, [&](const oci::Mount& mount) {
    return std::any_of(covered.begin(), covered.end(), [&](const std::string& destination) {
      return destination == mount.destination ||
             (destination == "/dev" && mount.destination.starts_with("/dev/"));
    });
  });
}

Result<oci::RuntimeSpec> make_spec(const SpecInput& input) {
  const ContainerConfig& config = input.config;
  oci::RuntimeSpec spec;
  spec.process.terminal = config.terminal;
  spec.process.console_rows = input.rows;
  spec.process.console_columns = input.columns;
  spec.process.user = input.user;
  spec.process.args = input.resolved.args;
  spec.process.env = input.env;
  spec.process.cwd = input.resolved.working_dir;
  TRY(spec.process.capabilities, container_sets(config));
  for (const Ulimit& ulimit : config.ulimits)
    spec.process.rlimits.push_back({rlimit_type(ulimit.name), ulimit.soft, ulimit.hard});
  TRY(const Security security, parse_security(config.security_opt));
  spec.process.no_new_privileges = security.no_new_privileges;
  spec.process.apparmor_profile = security.apparmor_profile;
  spec.process.selinux_label = input.labels.process;
  spec.mount_label = input.labels.files;
  spec.process.oom_score_adj = config.oom_score_adj;
  spec.root_readonly = config.readonly_root;
  // The founder's net.* were set with the network (sandbox.cc); who joins one must not change it.
  spec.sysctl = config.sysctls;
  std::erase_if(spec.sysctl, [](const auto& entry) { return entry.first.starts_with("net."); });
  if (!config.domainname.empty() && config.uts.kind != "host")
    spec.sysctl.emplace("kernel.domainname", config.domainname);
  spec.mounts = runtime::default_mounts(config.privileged);
  drop_covered_mounts(spec.mounts, config);
  spec.devices = has_mount(config, "/dev") ? std::vector<oci::Device>() : runtime::default_devices();
  if (!has_mount(config, "/dev")) {
    for (const oci::Device& device : input.devices) {
      std::erase_if(spec.devices, [&](const oci::Device& other) { return other.path == device.path; });
      spec.devices.push_back(device);
    }
  }
  if (!config.privileged && !security.paths_unconfined) {
    spec.masked_paths = config.masked_paths.value_or(runtime::masked_paths());
    spec.readonly_paths = config.readonly_paths.value_or(runtime::readonly_paths());
  }
  return spec;
}

oci::RuntimeSpec make_pause_spec(const SpecInput& input) {
  oci::RuntimeSpec spec;
  spec.process.terminal = input.config.terminal;
  spec.process.user = input.user;
  spec.process.args = input.resolved.args;
  spec.process.env = input.env;
  spec.process.cwd = "/";
  spec.process.no_new_privileges = true;
  // Where the machine permits it: the last to go before what must never go.
  spec.process.oom_score_adj = input.config.oom_score_adj.value_or(kPauseOomScore);
  spec.root_readonly = true;
  return spec;
}

kernel::CgroupLimits make_limits(const ContainerConfig& config, const std::vector<AllowedDevice>& requested) {
  kernel::CgroupLimits limits = limits_of(config.resources);
  if (!config.privileged) {
    limits.devices = runtime::default_device_rules();
    for (const AllowedDevice& allowed : requested)
      limits.devices.push_back({.allow = true,
                                .type = allowed.device.type,
                                .major = allowed.device.major,
                                .minor = allowed.device.minor,
                                .access = allowed.access});
  }
  return limits;
}

}  // namespace fermata::pod
