#include "cli/container_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/id.h"
#include "base/text.h"
#include "cli/human.h"
#include "cli/unicode.h"
#include "pod/container_spec.h"
#include "runtime/defaults.h"

namespace fermata::cli {
namespace {

using pod::ContainerInfo;
using pod::ContainerState;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kCommandWidth = 20;

std::string command_text(const ContainerInfo& container, bool truncate) {
  std::string words;
  for (const std::string& word : container.args) {
    // As docker: an argument with a space is marked as one, the program's path is not.
    const bool quoted = !words.empty() && word.find(' ') != std::string::npos;
    words += fmt::format("{}{}{}{}", words.empty() ? "" : " ", quoted ? "'" : "", word, quoted ? "'" : "");
  }
  return json_quote(truncate ? ellipsis(words, kCommandWidth) : words);
}

// An image that was given by its id is shown as one.
std::string image_text(const std::string& image, bool truncate) {
  const bool prefixed = image.starts_with("sha256:");
  const std::string digits = prefixed ? image.substr(7) : image;
  const bool id = digits.size() == 64 && digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  return truncate && id ? short_id(digits) : image;
}

std::string labels_text(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [key, value] : labels) out += fmt::format("{}{}={}", out.empty() ? "" : ",", key, value);
  return out;
}

bool is_volume(const pod::VolumeMount& mount) { return mount.kind == pod::VolumeMount::Kind::volume; }

// "" of a tmpfs, which is nothing of the host's.
std::string mount_name(const std::pair<std::string, pod::VolumeMount>& mount) {
  if (mount.second.kind == pod::VolumeMount::Kind::tmpfs) return "";
  return is_volume(mount.second) && !mount.second.source.empty() ? mount.second.source : mount.first;
}

std::string network_name(const ContainerInfo& container) {
  const auto& net = container.config.net;
  if (net.kind == "container") return "container:" + net.target;
  return net.kind.empty() ? "bridge" : net.kind;
}

std::string mode_text(const pod::NamespaceMode& mode, std::string_view otherwise) {
  if (mode.kind == "container") return "container:" + mode.target;
  return mode.kind.empty() ? std::string(otherwise) : mode.kind;
}

Value labels_value(const std::map<std::string, std::string>& labels) {
  Value::Members members;
  for (const auto& [key, value] : labels) members.emplace_back(key, value);
  return Value::map(std::move(members), "");
}

Value state(const ContainerInfo& container) {
  return Value::object({
      {"Status", state_text(container)},
      {"Running", container.state == ContainerState::running},
      {"Paused", container.paused},
      {"Restarting", false},
      {"OOMKilled", container.oom_killed},
      {"Dead", false},
      {"Pid", container.pid},
      {"ExitCode", container.exit_code},
      {"Error", container.error},
      {"StartedAt", rfc3339(container.started)},
      {"FinishedAt", rfc3339(container.finished)},
      {"Health", nullptr},
  });
}

// Of what runs in a network of its own, as docker shows them.
std::vector<std::string> exposed_ports(const ContainerInfo& container) {
  const bool shown = container.state == ContainerState::running && network_name(container) == "bridge";
  return shown ? container.exposed_ports : std::vector<std::string>();
}

// {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, ...]}; exposed ones without a binding are null.
Value port_bindings(const std::vector<network::PortMapping>& ports, const std::vector<std::string>& exposed,
                    bool resolved) {
  std::map<std::string, Value::List> bindings;
  for (const auto& name : exposed) bindings[name];
  for (const auto& port : ports) {
    auto& list = bindings[fmt::format("{}/{}", port.container_port, port.protocol)];
    const std::string number = port.host_port == 0 ? std::string() : fmt::format("{}", port.host_port);
    const auto add = [&](const std::string& address) {
      list.push_back(Value::object({{"HostIp", address}, {"HostPort", number}}));
    };
    if (!resolved || !port.host_ip.empty()) {
      add(port.host_ip);
    } else {
      add("0.0.0.0");
      add("::");
    }
  }
  Value::Members members;
  for (auto& [name, list] : bindings)
    members.emplace_back(name, list.empty() ? Value::nil_list() : Value(std::move(list)));
  return Value::map(std::move(members), Value::nil_list());
}

Value config(const ContainerInfo& container) {
  const pod::ContainerConfig& config = container.config;
  // What is published is exposed.
  std::set<std::string> exposed_names(container.exposed_ports.begin(), container.exposed_ports.end());
  for (const auto& port : config.ports)
    exposed_names.insert(fmt::format("{}/{}", port.container_port, port.protocol));
  Value::Members exposed, volumes;
  for (const auto& port : exposed_names) exposed.emplace_back(port, Value(Value::Members{}));
  for (const auto& mount : config.mounts)
    if (is_volume(mount)) volumes.emplace_back(mount.destination, Value(Value::Members{}));
  const bool foreground = config.attach_stdin;
  return Value::object({
      {"Hostname", config.hostname.empty() ? short_id(container.id) : config.hostname},
      {"Domainname", config.domainname},
      {"User", config.user},
      {"AttachStdin", foreground},
      {"AttachStdout", foreground},
      {"AttachStderr", foreground},
      {"ExposedPorts", Value::map(std::move(exposed))},
      {"Tty", config.terminal},
      {"OpenStdin", config.stdin_open},
      {"StdinOnce", config.attach_stdin},
      {"Env", Value::strings(config.env)},
      {"Cmd", Value::strings_or_nil(config.command)},
      {"Image", config.image},
      {"Volumes", volumes.empty() ? Value::nil_map() : Value::map(std::move(volumes))},
      {"WorkingDir", config.working_dir},
      {"Entrypoint", config.entrypoint ? Value::strings(*config.entrypoint) : Value::nil_list()},
      {"Labels", labels_value(config.labels)},
      {"StopSignal", container.stop_signal},
      {"StopTimeout", config.stop_timeout ? Value(*config.stop_timeout) : Value()},
      {"Healthcheck", nullptr},
  });
}

Value ulimits(const std::vector<pod::Ulimit>& limits) {
  Value::List list;
  for (const auto& limit : limits)
    list.push_back(Value::object({{"Name", limit.name}, {"Hard", limit.hard}, {"Soft", limit.soft}}));
  return Value(std::move(list));
}

// Docker knows a limit that is not set as 0.
void append_resources(Value::Members& out, const pod::Resources& limits) {
  out.emplace_back("Memory", limits.memory.value_or(0));
  out.emplace_back("MemoryReservation", limits.memory_reservation.value_or(0));
  // Unless it is told: as much swap again as memory.
  const std::int64_t swap = limits.memory_swap.value_or(0);
  out.emplace_back("MemorySwap", swap != 0 ? swap : static_cast<std::int64_t>(2 * limits.memory.value_or(0)));
  out.emplace_back("NanoCpus", static_cast<std::int64_t>(limits.cpus.value_or(0) * 1e9 + 0.5));
  out.emplace_back("CpuShares", limits.cpu_shares.value_or(0));
  out.emplace_back("CpuPeriod", limits.cpu_period.value_or(0));
  out.emplace_back("CpuQuota", limits.cpu_quota.value_or(0));
  out.emplace_back("CpusetCpus", limits.cpuset_cpus.value_or(""));
  out.emplace_back("CpusetMems", limits.cpuset_mems.value_or(""));
  out.emplace_back("BlkioWeight", limits.blkio_weight.value_or(0));
  out.emplace_back("PidsLimit", limits.pids_limit ? Value(*limits.pids_limit) : Value());
}

Value device_list(const std::vector<std::string>& devices) {
  Value::List list;
  for (const auto& device : devices) {
    const auto parts = split(device, ':');
    list.push_back(Value::object(
        {{"PathOnHost", parts[0]},
         {"PathInContainer", parts.size() > 1 && parts[1].starts_with('/') ? parts[1] : parts[0]},
         {"CgroupPermissions", parts.size() > 2 ? parts[2] : std::string_view("rwm")}}));
  }
  return Value(std::move(list));
}

// What -v gave.
Value binds(const pod::ContainerConfig& config) {
  Value::List list;
  for (const auto& mount : config.mounts)
    if (mount.mode)
      list.emplace_back(fmt::format("{}:{}{}{}", mount.source, mount.destination,
                                    mount.mode->empty() ? "" : ":", *mount.mode));
  return list.empty() ? Value::nil_list() : Value(std::move(list));
}

// What --mount gave; a tmpfs is in Tmpfs, whichever flag it came from.
Value mount_requests(const pod::ContainerConfig& config) {
  Value::List list;
  for (const auto& mount : config.mounts)
    if (!mount.mode && !mount.source.empty())
      list.push_back(Value::object({{"Type", is_volume(mount) ? "volume" : "bind"},
                                    {"Source", mount.source},
                                    {"Target", mount.destination},
                                    {"ReadOnly", mount.readonly}}));
  return list.empty() ? Value::nil_list() : Value(std::move(list));
}

// "net_admin" -> "CAP_NET_ADMIN"
Value capabilities(std::vector<std::string> names) {
  for (std::string& name : names) {
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (name != "ALL" && !name.starts_with("CAP_")) name.insert(0, "CAP_");
  }
  return Value::strings_or_nil(names);
}

void append_covered_paths(Value::Members& out, const pod::ContainerConfig& config) {
  const auto security = pod::parse_security(config.security_opt);
  const bool covered = !config.privileged && !(security && security->paths_unconfined);
  out.emplace_back("MaskedPaths", covered ? Value::strings(runtime::masked_paths()) : Value::nil_list());
  out.emplace_back("ReadonlyPaths", covered ? Value::strings(runtime::readonly_paths()) : Value::nil_list());
}

// Settings of docker's that there are none of here, as it shows them unused: a template that asks for them
// is to go on.
void append_unused(Value::Members& out) {
  for (const char* name : {"Cgroup", "ContainerIDFile", "Isolation", "VolumeDriver"})
    out.emplace_back(name, "");
  for (const char* name : {"CpuCount", "CpuPercent", "CpuRealtimePeriod", "CpuRealtimeRuntime",
                           "IOMaximumBandwidth", "IOMaximumIOps"})
    out.emplace_back(name, 0);
  for (const char* name : {"DeviceCgroupRules", "DeviceRequests", "Links", "VolumesFrom"})
    out.emplace_back(name, Value::nil_list());
  out.emplace_back("MemorySwappiness", nullptr);
  out.emplace_back("OomKillDisable", false);
}

// podman's field.
void append_user_namespace(Value::Members& out, const pod::ContainerConfig& config) {
  if (!config.user_namespace) return;
  const auto lines = [](const std::vector<oci::IdMapping>& mappings) {
    std::vector<std::string> texts;
    for (const oci::IdMapping& one : mappings)
      texts.push_back(fmt::format("{}:{}:{}", one.container_id, one.host_id, one.size));
    return Value::strings(texts);
  };
  out.emplace_back("IDMappings", Value::object({{"UidMap", lines(config.user_namespace->uids)},
                                                {"GidMap", lines(config.user_namespace->gids)}}));
}

Value host_config(const ContainerInfo& container) {
  const pod::ContainerConfig& config = container.config;
  Value::Members tmpfs;
  for (const auto& mount : config.mounts)
    if (mount.kind == pod::VolumeMount::Kind::tmpfs) tmpfs.emplace_back(mount.destination, mount.options);
  Value::Members out = {
      {"Binds", binds(config)},
      {"Mounts", mount_requests(config)},
      {"LogConfig",
       Value::object({{"Type", config.log_driver},
                      {"Config", Value::object({{"max-file", fmt::format("{}", config.log_max_files)},
                                                {"max-size", fmt::format("{}", config.log_max_size)}})}})},
      {"NetworkMode", mode_text(config.net, "bridge")},
      {"PortBindings", port_bindings(config.ports, {}, false)},
      {"RestartPolicy", Value::object({{"Name", "no"}, {"MaximumRetryCount", 0}})},
      {"AutoRemove", config.auto_remove},
      {"CapAdd", capabilities(config.cap_add)},
      {"CapDrop", capabilities(config.cap_drop)},
      {"CgroupnsMode", mode_text(config.cgroupns, "private")},
      {"Dns", Value::strings(config.dns)},
      {"DnsOptions", Value::strings(config.dns_options)},
      {"DnsSearch", Value::strings(config.dns_search)},
      {"ExtraHosts", Value::strings_or_nil(config.extra_hosts)},
      {"GroupAdd", Value::strings_or_nil(config.groups)},
      {"IpcMode", mode_text(config.ipc, container.infra ? "shareable" : "private")},
      {"OomScoreAdj", config.oom_score_adj.value_or(0)},
      {"PidMode", mode_text(config.pid, "")},
      {"Privileged", config.privileged},
      {"PublishAllPorts", config.publish_all},
      {"ReadonlyRootfs", config.readonly_root},
      {"SecurityOpt", Value::strings_or_nil(config.security_opt)},
      {"Tmpfs", Value::map(std::move(tmpfs), "")},
      {"UTSMode", mode_text(config.uts, "")},
      {"UsernsMode", config.user_namespace ? "private" : ""},
      {"ShmSize", config.shm_size.value_or(64u << 20)},
      {"Sysctls", labels_value(config.sysctls)},
      {"CgroupParent", ""},
      {"Devices", device_list(config.devices)},
      {"Ulimits", ulimits(config.ulimits)},
      {"Init", config.init},
      {"Runtime", config.runtime.empty() ? "fermata" : config.runtime},
  };
  append_resources(out, config.resources);
  append_covered_paths(out, config);
  append_user_namespace(out, config);
  append_unused(out);
  return Value(std::move(out));
}

// The third part of -v as docker tells it: a volume with a name is "z" (shared) by default.
std::string_view mount_mode(const ContainerInfo& container, const pod::VolumeMount& mount) {
  if (mount.mode && !mount.mode->empty()) return *mount.mode;
  if (!is_volume(mount)) return "";
  const auto& asked = container.config.mounts;
  const bool named = std::any_of(asked.begin(), asked.end(), [&](const pod::VolumeMount& one) {
    return one.destination == mount.destination && !one.source.empty();
  });
  return named ? "z" : "";
}

// Its own layer. The merged tree is mounted for the container alone and reached through its process.
Value graph_driver(const ContainerInfo& container) {
  const bool merged = container.state == ContainerState::running;
  return Value::object(
      {{"Name", "overlay"},
       {"Data", Value::object({{"MergedDir", merged ? fmt::format("/proc/{}/root", container.pid) : ""},
                               {"UpperDir", container.upper_path},
                               {"WorkDir", container.work_path}})}});
}

// A tmpfs has no source on the host: it is in HostConfig.Tmpfs.
Value mounts(const ContainerInfo& container) {
  Value::List list;
  for (const auto& [host, mount] : container.mounts) {
    if (mount.kind == pod::VolumeMount::Kind::tmpfs) continue;
    const bool volume = is_volume(mount);
    list.push_back(Value::object({
        {"Type", volume ? "volume" : "bind"},
        {"Name", volume ? mount.source : ""},
        {"Source", host},
        {"Destination", mount.destination},
        {"Driver", volume ? "local" : ""},
        {"Mode", mount_mode(container, mount)},
        {"RW", !mount.readonly},
        {"Propagation", !volume && mount.propagation.empty() ? "rprivate" : mount.propagation},
    }));
  }
  return Value(std::move(list));
}

Value network_settings(const ContainerInfo& container) {
  const network::Attachment net = container.network.value_or(network::Attachment{});
  const bool attached = container.network.has_value();
  const auto address = [&](std::initializer_list<std::pair<std::string, Value>> first) {
    Value::Members members(first);
    members.emplace_back("Gateway", net.ipv4_gateway);
    members.emplace_back("IPAddress", net.ipv4);
    members.emplace_back("IPPrefixLen", attached ? net.ipv4_prefix : 0);
    members.emplace_back("IPv6Gateway", net.ipv6_gateway);
    members.emplace_back("GlobalIPv6Address", net.ipv6);
    members.emplace_back("GlobalIPv6PrefixLen", attached && !net.ipv6.empty() ? net.ipv6_prefix : 0);
    members.emplace_back("MacAddress", net.mac);
    members.emplace_back("EndpointID", "");
    return members;
  };
  Value::Members networks;
  // Like docker, a container in another's network lists none of its own.
  if (container.config.net.kind != "container")
    networks.emplace_back(network_name(container), Value(address({{"IPAMConfig", nullptr},
                                                                  {"Links", Value::nil_list()},
                                                                  {"Aliases", Value::nil_list()},
                                                                  {"DriverOpts", Value::nil_map("")},
                                                                  {"NetworkID", ""}})));
  const bool running = container.state == ContainerState::running;
  Value::Members all =
      address({{"Bridge", ""},
               {"SandboxID", container.pod_id},
               {"SandboxKey", running ? fmt::format("/proc/{}/ns/net", container.pid) : ""}});
  all.emplace_back("Ports", port_bindings(container.ports, exposed_ports(container), true));
  all.emplace_back("Networks", Value::map(std::move(networks)));
  return Value(std::move(all));
}

}  // namespace

std::string status_text(const ContainerInfo& container, std::int64_t now) {
  switch (container.state) {
    case ContainerState::created:
      return "Created";
    case ContainerState::running:
      return fmt::format("Up {}{}", human_duration((now - container.started) / kSecond),
                         container.paused ? " (Paused)" : "");
    case ContainerState::removing:
      return "Removal In Progress";
    case ContainerState::exited:
      break;
  }
  return fmt::format("Exited ({}) {} ago", container.exit_code,
                     human_duration((now - container.finished) / kSecond));
}

Value container_row(const ContainerInfo& container, std::int64_t now, bool truncate,
                    const std::optional<ContainerSize>& size) {
  std::vector<std::string> mount_names;
  std::int64_t volumes = 0;
  for (const auto& mount : container.mounts) {
    const std::string name = mount_name(mount);
    if (!name.empty()) mount_names.push_back(truncate ? ellipsis(name, 15) : name);
    volumes += is_volume(mount.second) ? 1 : 0;
  }
  const auto labels = container.config.labels;
  auto label = Value::function([labels](const Value::List& arguments) -> Result<Value> {
    if (arguments.size() != 1)
      return fail(ErrorKind::invalid_argument, "wrong number of args for Label: want 1 got {}",
                  arguments.size());
    const auto found = labels.find(arguments[0].print());
    return Value(found == labels.end() ? std::string() : found->second);
  });
  return Value::object({
      {"Command", command_text(container, truncate)},
      {"CreatedAt", local_time(container.created)},
      {"ID", truncate ? short_id(container.id) : container.id},
      {"Image", image_text(container.config.image, truncate)},
      {"Labels", labels_text(labels)},
      {"LocalVolumes", fmt::format("{}", volumes)},
      {"Mounts", join(mount_names, ",")},
      {"Names", container.name},
      {"Networks", network_name(container)},
      {"Owner", container.owner},
      {"Pod", truncate ? short_id(container.pod_id) : container.pod_id},
      {"Ports", network::describe_ports(container.ports, exposed_ports(container))},
      {"Size", size ? fmt::format("{} (virtual {})", human_size(size->written), human_size(size->whole))
                    : human_size(0)},
      {"RunningFor", human_duration((now - container.created) / kSecond) + " ago"},
      {"State", state_text(container)},
      {"Status", status_text(container, now)},
      {"Label", label},
  });
}

Value inspect_container(const ContainerInfo& container, const std::optional<ContainerSize>& size) {
  const auto& args = container.args;
  Value::Members out = {
      {"Id", container.id},
      {"Created", rfc3339(container.created)},
      {"Path", args.empty() ? std::string() : args[0]},
      {"Args", Value::strings(args.empty() ? args : std::vector<std::string>(args.begin() + 1, args.end()))},
      {"State", state(container)},
      {"Image", container.image_id},
      {"ResolvConfPath", container.resolv_conf_path},
      {"HostnamePath", container.hostname_path},
      {"HostsPath", container.hosts_path},
      {"LogPath", container.log_path},
      {"Name", "/" + container.name},
      {"RestartCount", container.restart_count},
      {"Driver", "overlay"},
      {"Platform", "linux"},
      {"MountLabel", ""},
      {"ProcessLabel", ""},
      {"AppArmorProfile", ""},
      {"ExecIDs", Value::nil_list()},
      {"HostConfig", host_config(container)},
      {"GraphDriver", graph_driver(container)},
      {"Mounts", mounts(container)},
      {"Config", config(container)},
      {"NetworkSettings", network_settings(container)},
      {"Pod", container.pod_id},
      {"Infra", container.infra},
      {"Owner", container.owner},
      {"CgroupPath", container.cgroup},
      {"Warnings", Value::strings(container.warnings)},
  };
  if (size) {
    out.emplace_back("SizeRw", size->written);
    out.emplace_back("SizeRootFs", size->whole);
  }
  return Value(std::move(out));
}

}  // namespace fermata::cli
