#include "cri/settings.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"
#include "base/toml_reader.h"

namespace fermata::cri {
namespace {

constexpr const char* kOwnHandler = "fermata";
constexpr std::int64_t kYear = 366 * 24 * 60 * 60;
// sockaddr_un holds 108 bytes with the zero at the end; unix(7).
constexpr std::size_t kMaxSocketPath = 107;

Result<void> check_optional_path(const std::string& path) {
  return path.empty() ? Result<void>() : check_absolute(path);
}

Result<void> check_listen(const std::string& path) {
  TRY(check_absolute(socket_path(path)));
  if (socket_path(path).size() <= kMaxSocketPath) return {};
  return fail(ErrorKind::invalid_argument, "the path of a socket has at most {} bytes", kMaxSocketPath);
}

Result<void> check_ip_address(const std::string& address) {
  unsigned char bytes[sizeof(in6_addr)];
  if (::inet_pton(AF_INET, address.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, address.c_str(), bytes) == 1)
    return {};
  return fail(ErrorKind::invalid_argument, "'{}' is not an IP address", address);
}

Result<void> check_metrics_address(const std::string& address) {
  if (address.empty()) return {};
  TRY(parse_host_port(address));
  return {};
}

Result<void> read_socket_mode(TomlReader& reader, mode_t& mode) {
  return reader.word("socket_mode", "\"0600\" to \"0777\", in octal digits", [&](std::string_view text) {
    const auto value = parse_unsigned(text, 8);
    if (!value || *value < 0600 || *value > 0777) return false;
    mode = static_cast<mode_t>(*value);
    return true;
  });
}

Result<void> read_log(TomlReader& reader, Settings& settings) {
  TRY(reader.word("level", "\"debug\", \"info\", \"warning\", \"error\"", [&](std::string_view name) {
    const auto level = parse_log_level(name);
    settings.log_level = level.value_or(settings.log_level);
    return level.has_value();
  }));
  return reader.word("format", "\"text\", \"json\"", [&](std::string_view name) {
    const auto format = parse_log_format(name);
    settings.log_format = format.value_or(settings.log_format);
    return format.has_value();
  });
}

Result<void> read_streaming(TomlReader& reader, StreamingSettings& streaming) {
  TRY(reader.checked("address", streaming.address, check_ip_address));
  TRY(reader.number("port", 0, 65535,
                    [&](std::int64_t port) { streaming.port = static_cast<std::uint16_t>(port); }));
  TRY(reader.checked("certificate", streaming.certificate, check_optional_path));
  TRY(reader.checked("key", streaming.key, check_optional_path));
  TRY(reader.number("idle_timeout", 1, kYear,
                    [&](std::int64_t value) { streaming.idle_timeout = std::chrono::seconds(value); }));
  if (streaming.certificate.empty() != streaming.key.empty())
    return fail(ErrorKind::invalid_argument, "streaming: certificate and key go together; one is missing");
  return {};
}

Result<void> read_cni(TomlReader& reader, CniSettings& cni) {
  TRY(reader.checked("conf_dir", cni.conf_dir, check_absolute));
  return reader.checked("bin_dirs", cni.bin_dirs, check_absolute);
}

Result<void> read_registries(TomlReader& reader, image::RegistryFiles& registries) {
  TRY(reader.checked("conf", registries.conf, check_optional_path));
  return reader.checked("hosts_dirs", registries.hosts_dirs, check_absolute);
}

Result<void> read_runtime(const std::string& name, TomlReader& reader, Settings& settings) {
  if (name.empty() || name == kOwnHandler)
    return fail(ErrorKind::invalid_argument, "runtimes.{}: that handler is the engine itself",
                name.empty() ? "\"\"" : name);
  std::string path;
  TRY(reader.checked("path", path, check_absolute));
  if (path.empty())
    return fail(ErrorKind::invalid_argument, "runtimes.{}: path, the program of an OCI runtime, is missing",
                name);
  settings.runtimes[name] = std::move(path);
  return {};
}

Result<void> read_file_table(TomlReader& reader, Settings& settings) {
  TRY(reader.checked("listen", settings.listen, check_listen));
  settings.listen = socket_path(settings.listen);
  TRY(read_socket_mode(reader, settings.socket_mode));
  TRY(reader.number("socket_gid", 0, 0xffff'fffe,
                    [&](std::int64_t gid) { settings.socket_gid = static_cast<gid_t>(gid); }));
  TRY(reader.checked("root", settings.root, check_absolute));
  TRY(reader.checked("run_root", settings.run_root, check_absolute));
  TRY(pod::read_cgroup_manager(reader, settings.cgroup_manager));
  TRY(reader.checked("infra_image", settings.infra_image, pod::check_infra_image));
  TRY(reader.checked("cdi_dirs", settings.cdi_dirs, check_absolute));
  TRY(reader.number("stats_period", 1, kYear,
                    [&](std::int64_t value) { settings.stats_period = std::chrono::seconds(value); }));
  TRY(reader.table("log", [&](TomlReader& table) { return read_log(table, settings); }));
  TRY(reader.table("streaming",
                   [&](TomlReader& table) { return read_streaming(table, settings.streaming); }));
  TRY(reader.table("cni", [&](TomlReader& table) { return read_cni(table, settings.cni); }));
  TRY(reader.table("registries",
                   [&](TomlReader& table) { return read_registries(table, settings.registries); }));
  TRY(reader.table("metrics", [&](TomlReader& table) {
    return table.checked("address", settings.metrics_address, check_metrics_address);
  }));
  return reader.table("runtimes", [&](TomlReader& table) {
    return table.tables(
        [&](const std::string& name, TomlReader& runtime) { return read_runtime(name, runtime, settings); });
  });
}

}  // namespace

bool is_handler(const Settings& settings, const std::string& name) {
  return name.empty() || name == kOwnHandler || settings.runtimes.contains(name);
}

std::string socket_path(std::string_view text) {
  constexpr std::string_view kScheme = "unix://";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  return std::string(text);
}

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string host(text.substr(0, colon));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto port = parse_unsigned(text.substr(colon + 1));
    if (port && *port <= 65535 && check_ip_address(host))
      return HostPort{std::move(host), static_cast<std::uint16_t>(*port)};
  }
  return fail(ErrorKind::invalid_argument, "'{}' is not an IP address with a port, such as 127.0.0.1:9889",
              text);
}

Result<Settings> parse_settings(std::string_view text, const std::string& path) {
  Settings settings;
  TRY(parse_toml(text, path, [&](TomlReader& reader) { return read_file_table(reader, settings); }));
  return settings;
}

Result<Settings> read_settings(const std::string& path, bool required) {
  TRY(const std::string text, read_toml_file(path, required));
  return parse_settings(text, path);
}

}  // namespace fermata::cri
