#include "cli/container_flags.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "cdi/names.h"
#include "cli/mount_flags.h"
#include "cli/resource_flags.h"
#include "cli/runtime_flag.h"
#include "cli/user_flags.h"
#include "network/network.h"
#include "pod/selinux.h"

namespace fermata::cli {
namespace {

constexpr FlagKind kBoolean = FlagKind::boolean;
constexpr FlagKind kText = FlagKind::text;
constexpr FlagKind kList = FlagKind::list;
constexpr FlagKind kInteger = FlagKind::integer;

constexpr FlagSpec kSpecs[] = {
    {"add-host", 0, kList, "list", "Add a custom host-to-IP mapping (host:ip)"},
    {"attach", 'a', kList, "list", "Attach to STDIN, STDOUT or STDERR"},
    {"blkio-weight", 0, kInteger, "uint16", "Block IO (relative weight), between 10 and 1000"},
    {"cap-add", 0, kList, "list", "Add Linux capabilities"},
    {"cap-drop", 0, kList, "list", "Drop Linux capabilities"},
    {"cgroupns", 0, kText, "string", "Cgroup namespace to use (host|private)"},
    {"cidfile", 0, kText, "string", "Write the container ID to the file"},
    {"cpu-period", 0, kInteger, "int", "Limit CPU CFS (Completely Fair Scheduler) period"},
    {"cpu-quota", 0, kInteger, "int", "Limit CPU CFS (Completely Fair Scheduler) quota"},
    {"cpu-shares", 'c', kInteger, "int", "CPU shares (relative weight)"},
    {"cpus", 0, kText, "decimal", "Number of CPUs"},
    {"cpuset-cpus", 0, kText, "string", "CPUs in which to allow execution (0-3, 0,1)"},
    {"cpuset-mems", 0, kText, "string", "MEMs in which to allow execution (0-3, 0,1)"},
    {"device", 0, kList, "list",
     "Add a host device, or a CDI device (vendor.com/class=name), to the container"},
    {"dns", 0, kList, "list", "Set custom DNS servers"},
    {"dns-opt", 0, kList, "list", "", "dns-option"},
    {"dns-option", 0, kList, "list", "Set DNS options"},
    {"dns-search", 0, kList, "list", "Set custom DNS search domains"},
    {"domainname", 0, kText, "string", "Container NIS domain name"},
    {"entrypoint", 0, kText, "string", "Overwrite the default ENTRYPOINT of the image"},
    {"env", 'e', kList, "list", "Set environment variables"},
    {"env-file", 0, kList, "list", "Read in a file of environment variables"},
    {"expose", 0, kList, "list", "Expose a port or a range of ports"},
    {"gidmap", 0, kList, "list", "Group IDs of the user namespace (CONTAINER:HOST:SIZE)"},
    {"group-add", 0, kList, "list", "Add additional groups to join"},
    {"hostname", 'h', kText, "string", "Container host name"},
    {"infra-image", 0, kText, "string",
     "Image to run in place of the built-in pause (for the names of pause)"},
    {"init", 0, kBoolean, "",
     "Not supported: join a pause container with --pid=container:NAME, it reaps processes"},
    {"interactive", 'i', kBoolean, "", "Keep STDIN open even if not attached"},
    {"ipc", 0, kText, "string", "IPC mode to use (none|private|shareable|host|container:NAME)"},
    {"label", 'l', kList, "list", "Set meta data on a container"},
    {"label-file", 0, kList, "list", "Read in a line delimited file of labels"},
    {"log-driver", 0, kText, "string", "Logging driver for the container (json-file, cri or none)"},
    {"log-opt", 0, kList, "list", "Log driver options (max-size, max-file)"},
    {"memory", 'm', kText, "bytes", "Memory limit"},
    {"memory-reservation", 0, kText, "bytes", "Memory soft limit"},
    {"memory-swap", 0, kText, "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"},
    {"mount", 0, kList, "mount", "Attach a filesystem mount to the container"},
    {"name", 0, kText, "string", "Assign a name to the container"},
    {"net", 0, kText, "network", "", "network"},
    {"network", 0, kText, "network", "Connect a container to a network (bridge|none|host|container:NAME)"},
    {"no-healthcheck", 0, kBoolean, "", "Disable any container-specified HEALTHCHECK"},
    {"oom-score-adj", 0, kInteger, "int", "Tune host's OOM preferences (-1000 to 1000)"},
    {"pid", 0, kText, "string", "PID namespace to use (private|host|container:NAME)"},
    {"pids-limit", 0, kInteger, "int", "Tune container pids limit (set -1 for unlimited)"},
    {"platform", 0, kText, "string", "Set platform if the image is for several"},
    {"pod-infra-container-image", 0, kText, "string", "The same as --infra-image"},
    {"privileged", 0, kBoolean, "", "Give extended privileges to this container"},
    {"publish", 'p', kList, "list", "Publish a container's port(s) to the host"},
    {"publish-all", 'P', kBoolean, "", "Publish all exposed ports to random ports"},
    {"pull", 0, kText, "string",
     "Pull image before running (\"always\", \"missing\", \"never\") (default \"missing\")"},
    {"quiet", 'q', kBoolean, "", "Suppress the pull output"},
    {"read-only", 0, kBoolean, "", "Mount the container's root filesystem as read only"},
    {"restart", 0, kText, "string",
     "Restart policy to apply when a container exits (only \"no\") (default \"no\")"},
    {"rm", 0, kBoolean, "",
     "Automatically remove the container and its associated anonymous volumes when it exits"},
    {"runtime", 0, kText, "string", "Another OCI runtime to use for this container (a name or a path)"},
    {"security-opt", 0, kList, "list", "Security Options"},
    {"shm-size", 0, kText, "bytes", "Size of /dev/shm"},
    {"stop-signal", 0, kText, "string", "Signal to stop the container"},
    {"stop-timeout", 0, kInteger, "int", "Timeout (in seconds) to stop a container"},
    {"sysctl", 0, kList, "map", "Sysctl options"},
    {"tmpfs", 0, kList, "list", "Mount a tmpfs directory"},
    {"tty", 't', kBoolean, "", "Allocate a pseudo-TTY"},
    {"uidmap", 0, kList, "list", "User IDs of the user namespace (CONTAINER:HOST:SIZE)"},
    {"ulimit", 0, kList, "ulimit", "Ulimit options"},
    {"user", 'u', kText, "string", "Username or UID (format: <name|uid>[:<group|gid>])"},
    {"userns", 0, kText, "string", "User namespace to use (host|auto|private)"},
    {"uts", 0, kText, "string", "UTS namespace to use (private|host)"},
    {"volume", 'v', kList, "list", "Bind mount a volume"},
    {"workdir", 'w', kText, "string", "Working directory inside the container"},
};

// GOARCH where Linux runs, and what else they are called.
constexpr std::string_view kArchitectures[] = {"386",     "amd64",   "arm",    "arm64",    "loong64",
                                               "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
                                               "ppc64le", "riscv64", "s390x"};
constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"},
    {"i386", "386"},     {"armhf", "arm"},    {"armel", "arm"}};

tl::unexpected<Error> invalid(std::string why) { return fail(ErrorKind::invalid_argument, "{}", why); }

bool is_address(const std::string& text) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

// Lines of an env or label file: comments and empty lines left out.
Result<std::vector<std::string>> file_lines(const std::string& path) {
  TRY(const std::string bytes, read_file(path, 4u << 20));
  std::vector<std::string> lines;
  std::string_view text = bytes;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    if (!line.empty() && line[0] != '#') lines.emplace_back(line);
  }
  return lines;
}

Result<void> append_variable(std::vector<std::string>& out, const std::string& entry, const Client& client) {
  const auto pair = split_once(entry, '=');
  const std::string_view name = pair ? pair->first : std::string_view(entry);
  if (name.empty()) return invalid(fmt::format("invalid environment variable: {}", entry));
  if (pair) {
    out.push_back(entry);
  } else if (const auto value = client.environment(entry)) {
    out.push_back(entry + "=" + *value);
  }
  return {};
}

// Reads flags into a config, group by group; every step returns its first error.
class ConfigReader {
 public:
  ConfigReader(const Flags& flags, std::span<const FlagSpec> specs, const Client& client)
      : flags_(flags), specs_(specs), client_(client) {}

  Result<pod::ContainerConfig> read() {
    const auto& words = flags_.arguments();
    config_.image = words.empty() ? std::string() : words[0];
    if (words.size() > 1) config_.command.assign(words.begin() + 1, words.end());
    TRY(process());
    TRY(identity());
    TRY(namespaces());
    TRY(network());
    TRY(mounts());
    TRY(security());
    TRY(resources());
    TRY(logging());
    return std::move(config_);
  }

 private:
  tl::unexpected<Error> bad(std::string_view flag, std::string_view value, std::string_view why) const {
    return invalid_flag_value(specs_, flag, value, why);
  }

  Result<std::optional<std::uint64_t>> bytes(std::string_view flag) const {
    if (!flags_.has(flag)) return std::optional<std::uint64_t>();
    const std::string text = flags_.text(flag);
    const auto value = parse_size(text);
    if (!value) return bad(flag, text, fmt::format("invalid size: '{}'", text));
    return std::optional<std::uint64_t>(*value);
  }

  Result<std::optional<int>> small(std::string_view flag, std::int64_t least, std::int64_t most) const {
    const auto value = flags_.integer(flag);
    if (!value) return std::optional<int>();
    if (*value < least || *value > most)
      return bad(flag, flags_.text(flag), fmt::format("must be from {} to {}", least, most));
    return std::optional<int>(static_cast<int>(*value));
  }

  Result<void> process() {
    if (flags_.has("entrypoint")) config_.entrypoint = std::vector<std::string>{flags_.text("entrypoint")};
    TRY(config_.env, environment(flags_, client_));
    config_.user = flags_.text("user");
    config_.groups = flags_.list("group-add");
    config_.working_dir = flags_.text("workdir");
    if (!config_.working_dir.empty() && config_.working_dir[0] != '/')
      return invalid(fmt::format("the working directory '{}' is invalid, it needs to be an absolute path",
                                 config_.working_dir));
    config_.terminal = flags_.is_set("tty");
    config_.stdin_open = flags_.is_set("interactive");
    config_.init = flags_.is_set("init");
    config_.stop_signal = flags_.text("stop-signal");
    TRY(config_.stop_timeout, small("stop-timeout", -1, 1 << 30));
    TRY(config_.oom_score_adj, small("oom-score-adj", -1000, 1000));
    return {};
  }

  Result<void> identity() {
    config_.name = flags_.text("name");
    config_.hostname = flags_.text("hostname");
    config_.domainname = flags_.text("domainname");
    config_.auto_remove = flags_.is_set("rm");
    const std::string restart = flags_.text("restart", "no");
    if (restart != "no" && !restart.empty())
      return bad("restart", restart, "restart policies are not there yet: only \"no\" is accepted");
    for (const std::string& path : flags_.list("label-file")) {
      TRY(const auto lines, file_lines(path));
      for (const std::string& line : lines) TRY(label(line));
    }
    for (const std::string& text : flags_.list("label")) TRY(label(text));
    return {};
  }

  Result<void> label(const std::string& text) {
    const auto pair = split_once(text, '=');
    if (text.empty() || (pair && pair->first.empty())) return bad("label", text, "invalid label format");
    config_.labels[std::string(pair ? pair->first : std::string_view(text))] =
        pair ? pair->second : std::string_view();
    return {};
  }

  Result<void> namespaces() {
    constexpr std::string_view kNet[] = {"bridge", "none", "host", "container", "default"};
    constexpr std::string_view kIpc[] = {"none", "private", "shareable", "host", "container"};
    constexpr std::string_view kPid[] = {"private", "host", "container"};
    constexpr std::string_view kOwn[] = {"private", "host"};
    TRY(config_.net, parse_namespace("network", "network", flags_.text("network"), kNet));
    if (config_.net.kind == "default") config_.net.kind.clear();
    TRY(config_.ipc, parse_namespace("ipc", "IPC", flags_.text("ipc"), kIpc));
    TRY(config_.pid, parse_namespace("pid", "PID", flags_.text("pid"), kPid));
    TRY(config_.uts, parse_namespace("uts", "UTS", flags_.text("uts"), kOwn));
    TRY(config_.cgroupns, parse_namespace("cgroupns", "CGROUP", flags_.text("cgroupns"), kOwn));
    TRY(user_namespace_flags(flags_, specs_, &config_));
    if (config_.hostname.empty() || config_.uts.kind != "host") return {};
    return invalid("conflicting options: hostname and the UTS mode");
  }

  Result<void> network() {
    for (const std::string& text : flags_.list("publish")) {
      auto ports = network::parse_publish(text);
      if (!ports) return bad("publish", text, ports.error().message());
      config_.ports.insert(config_.ports.end(), ports->begin(), ports->end());
    }
    config_.publish_all = flags_.is_set("publish-all");
    for (const std::string& text : flags_.list("expose")) TRY(expose(text));
    for (const std::string& text : flags_.list("add-host")) TRY(add_host(text));
    for (const std::string& text : flags_.list("dns"))
      if (!is_address(text)) return bad("dns", text, fmt::format("{} is not an ip address", text));
    config_.dns = flags_.list("dns");
    config_.dns_search = flags_.list("dns-search");
    config_.dns_options = flags_.list("dns-option");
    return {};
  }

  // "80", "80-82/udp"
  Result<void> expose(const std::string& text) {
    const auto pair = split_once(text, '/');
    const std::string protocol = pair ? to_lower(pair->second) : "tcp";
    const std::string_view range = pair ? pair->first : std::string_view(text);
    const auto bounds = split_once(range, '-');
    const auto first = parse_unsigned(bounds ? bounds->first : range),
               last = parse_unsigned(bounds ? bounds->second : range);
    const bool known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
    if (!first || !last || !known || *first < 1 || *last > 65535 || *first > *last)
      return bad("expose", text, fmt::format("invalid range format for --expose: {}", text));
    for (std::uint64_t port = *first; port <= *last; ++port)
      config_.expose.push_back(fmt::format("{}/{}", port, protocol));
    return {};
  }

  Result<void> add_host(const std::string& text) {
    const std::size_t at = text.find_first_of("=:");
    if (at == std::string::npos || at == 0)
      return bad("add-host", text, fmt::format("bad format for add-host: \"{}\"", text));
    std::string address = text.substr(at + 1);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
      address = address.substr(1, address.size() - 2);
    if (address != "host-gateway" && !is_address(address))
      return bad("add-host", text, fmt::format("invalid IP address in add-host: \"{}\"", address));
    config_.extra_hosts.push_back(text.substr(0, at) + ":" + address);
    return {};
  }

  Result<void> mounts() {
    const auto read = [&](std::string_view flag, auto parse) -> Result<void> {
      for (const std::string& text : flags_.list(flag)) {
        auto mount = parse(text);
        if (!mount) return bad(flag, text, mount.error().message());
        for (const pod::VolumeMount& other : config_.mounts)
          if (other.destination == mount->destination)
            return invalid(fmt::format("duplicate mount point: {}", mount->destination));
        config_.mounts.push_back(std::move(*mount));
      }
      return {};
    };
    TRY(read("volume", [this](const std::string& text) { return parse_volume(text, client_.directory); }));
    TRY(read("mount", [this](const std::string& text) { return parse_mount(text, client_.directory); }));
    TRY(read("tmpfs", [](const std::string& text) { return parse_tmpfs(text); }));
    config_.readonly_root = flags_.is_set("read-only");
    return {};
  }

  Result<void> security() {
    config_.privileged = flags_.is_set("privileged");
    if (flags_.has("runtime")) {
      const char* path = std::getenv("PATH");
      TRY(config_.runtime, find_runtime(flags_.text("runtime"), path == nullptr ? "" : path));
    }
    config_.cap_add = flags_.list("cap-add");
    config_.cap_drop = flags_.list("cap-drop");
    for (const std::string& text : flags_.list("security-opt")) TRY(security_option(text));
    config_.selinux_label =
        pod::process_label(selinux_["user"], selinux_["role"], selinux_["type"], selinux_["level"]);
    for (const std::string& text : flags_.list("device")) TRY(device(text));
    for (const std::string& text : flags_.list("sysctl")) {
      const auto pair = split_once(text, '=');
      if (!pair || pair->first.empty()) return bad("sysctl", text, "must be name=value");
      config_.sysctls[std::string(pair->first)] = pair->second;
    }
    for (const std::string& text : flags_.list("ulimit")) {
      auto limit = parse_ulimit(text);
      if (!limit) return bad("ulimit", text, limit.error().message());
      // The last one of a name wins.
      std::erase_if(config_.ulimits, [&](const pod::Ulimit& other) { return other.name == limit->name; });
      config_.ulimits.push_back(std::move(*limit));
    }
    return {};
  }

  // A profile is read here: its path is the client's.
  Result<void> security_option(const std::string& text) {
    const std::size_t at = text.find_first_of("=:");
    const std::string key = text.substr(0, at), value = at == std::string::npos ? "" : text.substr(at + 1);
    if (key == "no-new-privileges") {
      const auto yes = value.empty() ? std::optional<bool>(true) : parse_boolean(value);
      if (!yes) return bad("security-opt", text, "invalid --security-opt");
      if (*yes) config_.security_opt.emplace_back("no-new-privileges");
      return {};
    }
    if (key == "seccomp" && !value.empty()) {
      if (value == "unconfined" || value == "builtin") {
        config_.security_opt.push_back("seccomp=" + value);
        return {};
      }
      auto profile = read_file(value, 4u << 20);
      if (!profile) return fail_with(std::move(profile.error()), "opening seccomp profile failed");
      config_.security_opt.push_back("seccomp=" + *profile);
      return {};
    }
    if (key == "label") return selinux_option(text, value);
    // Turning off what is not on needs no act.
    if (key == "apparmor" && value == "unconfined") return {};
    return bad("security-opt", text,
               "known are no-new-privileges, seccomp=unconfined, seccomp=PROFILE.json, label=disable and "
               "label=user|role|type|level:VALUE");
  }

  Result<void> selinux_option(const std::string& text, const std::string& value) {
    const auto part = split_once(value, ':');
    const std::string key(part ? part->first : value);
    if (key == "disable" && !part) {
      selinux_.clear();
      return {};
    }
    if (!part || part->second.empty() || (key != "user" && key != "role" && key != "type" && key != "level"))
      return bad("security-opt", text,
                 "a label is disable, or one of user, role, type and level with a value");
    selinux_[key] = part->second;
    return {};
  }

  Result<void> device(const std::string& text) {
    if (cdi::parse_device_name(text)) {
      config_.devices.push_back(text);
      return {};
    }
    const auto parts = split(text, ':');
    const auto is_mode = [](std::string_view mode) {
      return !mode.empty() && mode.find_first_not_of("rwm") == std::string_view::npos;
    };
    const bool path_ok =
        parts.size() < 2 || parts[1].starts_with('/') || (parts.size() == 2 && is_mode(parts[1]));
    if (parts.size() > 3 || !parts[0].starts_with('/') || !path_ok ||
        (parts.size() == 3 && !is_mode(parts[2])))
      return bad("device", text, fmt::format("bad format for path or device mode specified: {}", text));
    config_.devices.push_back(text);
    return {};
  }

  Result<void> resources() {
    TRY(config_.resources, resource_flags(flags_, specs_));
    TRY(config_.shm_size, bytes("shm-size"));
    if (config_.shm_size == 0u) config_.shm_size.reset();  // docker's way to say "the default"
    return {};
  }

  Result<void> logging() {
    const std::string driver = flags_.text("log-driver", "cri");
    if (driver != "cri" && driver != "json-file" && driver != "none")
      return bad("log-driver", driver,
                 "unknown log driver: known are json-file and cri (the same files here) and none");
    config_.log_driver = driver == "none" ? "none" : "cri";
    for (const std::string& text : flags_.list("log-opt")) {
      const auto pair = split_once(text, '=');
      const std::string_view key = pair ? pair->first : std::string_view(text);
      const std::string_view value = pair ? pair->second : std::string_view();
      if (key == "max-size") {
        const auto size = value == "-1" ? std::optional<std::uint64_t>(0) : parse_size(value);
        if (!size) return bad("log-opt", text, fmt::format("invalid size: '{}'", value));
        config_.log_max_size = *size;
      } else if (key == "max-file") {
        const auto files = parse_unsigned(value);
        if (!files || *files < 1 || *files > 1000)
          return bad("log-opt", text, "max-file must be from 1 to 1000");
        config_.log_max_files = static_cast<std::uint32_t>(*files);
      } else {
        return bad("log-opt", text,
                   fmt::format("unknown log opt '{}': known are max-size and max-file", key));
      }
    }
    return {};
  }

  const Flags& flags_;
  std::span<const FlagSpec> specs_;
  const Client& client_;
  pod::ContainerConfig config_;
  std::map<std::string, std::string> selinux_;  // parts of a label, by name
};

}  // namespace

std::span<const FlagSpec> container_flag_specs() { return kSpecs; }

Result<pod::ContainerConfig> container_config(const Flags& flags, std::span<const FlagSpec> specs,
                                              const Client& client) {
  return ConfigReader(flags, specs, client).read();
}

Result<std::vector<std::string>> environment(const Flags& flags, const Client& client) {
  std::vector<std::string> result;
  for (const std::string& path : flags.list("env-file")) {
    TRY(const auto lines, file_lines(path));
    for (const std::string& line : lines) {
      const std::string name = line.substr(0, line.find('='));
      if (name.find_first_of(" \t") != std::string::npos)
        return fail(ErrorKind::invalid_argument, "invalid env file ({}): variable '{}' contains whitespaces",
                    path, name);
      TRY(append_variable(result, line, client));
    }
  }
  for (const std::string& entry : flags.list("env")) TRY(append_variable(result, entry, client));
  return result;
}

Result<pod::NamespaceMode> parse_namespace(std::string_view flag, std::string_view label,
                                           std::string_view text, std::span<const std::string_view> kinds) {
  pod::NamespaceMode mode;
  if (text.empty()) return mode;
  const auto pair = split_once(text, ':');
  mode.kind = pair ? pair->first : text;
  mode.target = pair ? pair->second : std::string_view();
  const bool known = std::find(kinds.begin(), kinds.end(), mode.kind) != kinds.end();
  if (mode.kind == "container" && known) {
    if (mode.target.empty())
      return fail(ErrorKind::invalid_argument, "--{}: container:NAME needs the name of a container", flag);
    return mode;
  }
  if (known && !pair) return mode;
  if (flag == "network")
    return fail(ErrorKind::invalid_argument,
                "network {} not found: known are bridge, none, host and container:NAME", text);
  return fail(ErrorKind::invalid_argument, "--{}: invalid {} mode: {}", flag, label, text);
}

Result<pod::Ulimit> parse_ulimit(std::string_view text) {
  constexpr std::string_view kNames[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                         "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                         "rss",     "rtprio",   "rttime", "sigpending", "stack"};
  const auto pair = split_once(text, '=');
  if (!pair) return fail(ErrorKind::invalid_argument, "invalid ulimit argument: {}", text);
  if (std::find(std::begin(kNames), std::end(kNames), pair->first) == std::end(kNames))
    return fail(ErrorKind::invalid_argument, "invalid ulimit type: {}", pair->first);
  const auto limit = [](std::string_view number) {
    return number == "-1" || number == "unlimited" ? std::optional<std::uint64_t>(~std::uint64_t{0})
                                                   : parse_unsigned(number);
  };
  const auto values = split_once(pair->second, ':');
  const auto soft = limit(values ? values->first : pair->second),
             hard = limit(values ? values->second : pair->second);
  if (!soft || !hard) return fail(ErrorKind::invalid_argument, "invalid ulimit argument: {}", text);
  if (*soft > *hard)
    return fail(ErrorKind::invalid_argument,
                "ulimit soft limit must be less than or equal to hard limit: {} > {}", *soft, *hard);
  return pod::Ulimit{std::string(pair->first), *soft, *hard};
}

Result<std::string> parse_platform(std::string_view text) {
  if (text.empty()) return std::string();
  const auto parts = split(text, '/');
  const bool os_first = parts[0] == "linux";
  if (parts.size() > 3 || (!os_first && parts.size() == 3))
    return fail(ErrorKind::invalid_argument, "invalid platform '{}': give linux/ARCHITECTURE", text);
  if (os_first && parts.size() == 1) return std::string();
  const auto named = parts[os_first ? 1 : 0];
  const auto alias = std::find_if(std::begin(kAliases), std::end(kAliases),
                                  [&](const auto& each) { return each.first == named; });
  const std::string_view architecture = alias == std::end(kAliases) ? named : alias->second;
  if (std::find(std::begin(kArchitectures), std::end(kArchitectures), architecture) ==
      std::end(kArchitectures))
    return fail(ErrorKind::invalid_argument,
                "invalid platform '{}': unknown operating system or architecture: give linux/ARCHITECTURE",
                text);
  return std::string(architecture);
}

}  // namespace fermata::cli
