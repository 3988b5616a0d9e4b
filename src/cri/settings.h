// The daemon's configuration file, /etc/fermata/fermatad.toml. TOML.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cri/log.h"
#include "image/images.h"
#include "pod/settings.h"

namespace fermata::cri {

inline constexpr char kSettingsPath[] = "/etc/fermata/fermatad.toml";

struct StreamingSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;        // 0: one that is free
  std::string certificate, key;  // PEM files; both: HTTPS
  std::chrono::seconds idle_timeout{4 * 60 * 60};
  bool operator==(const StreamingSettings&) const = default;
};

struct CniSettings {
  std::string conf_dir = "/etc/cni/net.d";
  std::vector<std::string> bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  bool operator==(const CniSettings&) const = default;
};

struct Settings {
  std::string listen = "/run/fermata/fermatad.sock";
  mode_t socket_mode = 0660;
  gid_t socket_gid = 0;
  std::string root = "/var/lib/fermata";
  std::string run_root = "/run/fermata";
  pod::CgroupManager cgroup_manager = pod::CgroupManager::cgroupfs;
  std::string infra_image;  // "": the built-in pause
  std::vector<std::string> cdi_dirs = {"/etc/cdi", "/var/run/cdi"};
  std::chrono::seconds stats_period{10};
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  StreamingSettings streaming;
  CniSettings cni;
  image::RegistryFiles registries;
  std::string metrics_address;  // "127.0.0.1:9889"; "": none
  std::map<std::string, std::string>
      runtimes;  // handlers beside "" and "fermata" -> an OCI runtime's program
  bool operator==(const Settings&) const = default;
};

// Unknown keys and values that cannot be are refused with their line. `path` is for messages.
Result<Settings> parse_settings(std::string_view text, const std::string& path);
// A missing file is an error when `required`; else every setting has its default.
Result<Settings> read_settings(const std::string& path, bool required);
// Whether a RuntimeClass may name it: "", "fermata", or one of `runtimes`.
bool is_handler(const Settings& settings, const std::string& name);
// A file with every setting, its default and what it is for.
std::string_view default_settings_text();

// As kubelets write it, too: "unix:///run/x.sock" -> "/run/x.sock".
std::string socket_path(std::string_view text);
// "127.0.0.1:9889", "[::1]:80".
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace fermata::cri
