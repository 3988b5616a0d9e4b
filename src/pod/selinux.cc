#include "pod/selinux.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/files.h"
#include "base/text.h"
#include "kernel/security_modules.h"
#include "kernel/tree_attribute.h"

namespace fermata::pod {
namespace {

constexpr char kAttribute[] = "security.selinux";
// Where a policy does not say: what those for containers have.
constexpr std::string_view kFileLabel = "system_u:object_r:container_file_t:s0";

struct Label {
  std::string_view user, role, type, level;  // the level has colons of its own
};

std::optional<Label> parse_label(std::string_view text) {
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    const auto pair = split_once(text, ':');
    if (!pair) return std::nullopt;
    part = pair->first;
    text = pair->second;
  }
  return Label{parts[0], parts[1], parts[2], text};
}

std::string format_label(const Label& label) {
  return fmt::format("{}:{}:{}:{}", label.user, label.role, label.type, label.level);
}

// The value of KEY=VALUE, quoted or not, on a line of its own; the last one counts.
std::string value_of(std::string_view text, std::string_view key) {
  std::string value;
  for (const std::string_view line : split(text, '\n')) {
    const auto pair = split_once(line, '=');
    if (!pair || trim(pair->first) != key) continue;
    value = trim(pair->second);
    std::erase(value, '"');
  }
  return value;
}

std::string label_of_policy() {
  const std::string policy = policy_name(read_file("/etc/selinux/config").value_or(""));
  return file_label(read_file(fmt::format("/etc/selinux/{}/contexts/lxc_contexts", policy)).value_or(""));
}

}  // namespace

std::string process_label(std::string_view user, std::string_view role, std::string_view type,
                          std::string_view level) {
  if (user.empty() && role.empty() && type.empty() && level.empty()) return {};
  const auto either = [](std::string_view given, std::string_view otherwise) {
    return given.empty() ? otherwise : given;
  };
  return format_label({.user = either(user, "system_u"),
                       .role = either(role, "system_r"),
                       .type = either(type, "container_t"),
                       .level = either(level, "s0")});
}

std::string policy_name(std::string_view config) {
  const std::string name = value_of(config, "SELINUXTYPE");
  return name.empty() ? "targeted" : name;
}

std::string file_label(std::string_view contexts) {
  const std::string label = value_of(contexts, "file");
  return parse_label(label) ? label : std::string(kFileLabel);
}

std::string files_label(std::string_view process, std::string_view policy_label) {
  const auto own = parse_label(process), files = parse_label(policy_label);
  if (!own || !files) return {};
  return format_label({.user = own->user, .role = files->role, .type = files->type, .level = own->level});
}

std::string shared_label(std::string_view files) {
  auto label = parse_label(files);
  if (!label) return {};
  label->level = "s0";
  return format_label(*label);
}

Result<void> check_relabel(std::string_view path) {
  // hier(7), and what is below some of it.
  constexpr auto kHosts = std::to_array<std::string_view>(
      {"/",          "/bin",        "/boot",       "/dev",       "/etc",       "/home",     "/lib",
       "/lib32",     "/lib64",      "/libx32",     "/media",     "/mnt",       "/opt",      "/proc",
       "/root",      "/run",        "/sbin",       "/srv",       "/sys",       "/sysroot",  "/tmp",
       "/usr",       "/usr/bin",    "/usr/lib",    "/usr/lib64", "/usr/local", "/usr/sbin", "/usr/share",
       "/var",       "/var/cache",  "/var/lib",    "/var/log",   "/var/run",   "/var/tmp",  "/etc/passwd",
       "/etc/group", "/etc/shadow", "/etc/gshadow"});
  constexpr auto kAllOf = std::to_array<std::string_view>({"/proc/", "/sys/", "/dev/", "/boot/"});
  const bool home = path.starts_with("/home/") && path.find('/', 6) == std::string_view::npos;
  if (home || std::find(kHosts.begin(), kHosts.end(), path) != kHosts.end() ||
      std::any_of(kAllOf.begin(), kAllOf.end(), [&](std::string_view top) { return path.starts_with(top); }))
    return fail(
        ErrorKind::invalid_argument,
        "'{}' is not given another SELinux label: others on this host rely on that which it has; mount a "
        "directory of the container's own, or leave the label as it is",
        path);
  return {};
}

SelinuxLabels selinux_labels(const std::string& process) {
  if (process.empty() || !kernel::selinux_enabled()) return {};
  return {.process = process, .files = files_label(process, label_of_policy())};
}

Result<void> relabel(const std::string& source, VolumeMount::Relabel mode, const SelinuxLabels& labels,
                     bool again) {
  if (mode == VolumeMount::Relabel::none || labels.files.empty()) return {};
  TRY(const UniqueFd tree, open_file(source, O_PATH));
  // Of where it really is: the source may be a symlink.
  std::error_code error;
  const auto path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", tree.get()), error);
  if (error) return fail(error.value(), "look where '{}' is", source);
  TRY(check_relabel(path.string()));
  const std::string label = mode == VolumeMount::Relabel::shared ? shared_label(labels.files) : labels.files;
  TRY(const std::string present, kernel::read_attribute(tree.get(), kAttribute));
  if (again && present == label) return {};
  return kernel::set_tree_attribute(tree.get(), kAttribute, label);
}

}  // namespace fermata::pod
