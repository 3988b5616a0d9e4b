#include "cli/mount_flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/core/flags.h"

namespace fermata::cli {
namespace {

using pod::VolumeMount;

tl::unexpected<Error> invalid(std::string_view why) { return fail(ErrorKind::invalid_argument, "{}", why); }

// "a/./b/../c/" -> "a/c"; the kernel is not asked.
std::string clean_path(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  return "/" + join(parts, "/");
}

std::string absolute(std::string_view path, std::string_view directory) {
  return path.starts_with('/') ? clean_path(path) : clean_path(fmt::format("{}/{}", directory, path));
}

bool is_volume_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return name.size() > 1 && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
           return letter(c) || c == '_' || c == '.' || c == '-';
         });
}

bool is_propagation(std::string_view text) {
  for (const std::string_view known : {"private", "rprivate", "shared", "rshared", "slave", "rslave"})
    if (text == known) return true;
  return false;
}

Result<void> set_destination(VolumeMount& mount, std::string_view path) {
  if (!path.starts_with('/'))
    return invalid(fmt::format("invalid mount path: '{}' mount path must be absolute", path));
  mount.destination = clean_path(path);
  if (mount.destination == "/") return invalid("invalid specification: destination can't be '/'");
  return {};
}

Result<void> set_source(VolumeMount& mount, std::string_view source, std::string_view directory) {
  if (source.starts_with('/') || source.starts_with('.')) {
    mount.kind = VolumeMount::Kind::bind;
    mount.source = absolute(source, directory);
    return {};
  }
  mount.kind = VolumeMount::Kind::volume;
  mount.source = source;
  if (!is_volume_name(source))
    return invalid(fmt::format(
        "\"{}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
        "allowed. If you intended to pass a host directory, use absolute path",
        source));
  return {};
}

Result<void> volume_option(VolumeMount& mount, std::string_view option) {
  if (option == "ro")
    mount.readonly = true;
  else if (option == "nocopy")
    mount.no_copy = true;
  else if (option == "idmap")
    mount.idmap = true;  // podman's
  else if (is_propagation(option))
    mount.propagation = option;
  else if (option == "z" || option == "Z")
    mount.relabel = option == "z" ? VolumeMount::Relabel::shared : VolumeMount::Relabel::exclusive;
  // Consistency is Docker Desktop's: nothing to do on this kernel.
  else if (option != "rw" && option != "consistent" && option != "cached" && option != "delegated")
    return invalid(fmt::format("invalid mode: {}", option));
  return {};
}

// One record of comma-separated values: a field in quotes may hold commas, and a quote as two. RFC 4180.
Result<std::vector<std::string>> csv_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return invalid(fmt::format("a quote is not closed in '{}'", text));
  return fields;
}

// The fields of one --mount, read in any order.
struct MountFields {
  std::string type = "volume", source, target, propagation, size, mode;
  bool readonly = false, no_copy = false, idmap = false;
};

Result<void> mount_field(MountFields& fields, std::string_view field) {
  const auto pair = split_once(field, '=');
  const std::string key = to_lower(pair ? pair->first : field);
  const std::string value(pair ? pair->second : std::string_view());
  const auto boolean = [&](bool& target) -> Result<void> {
    const auto parsed = pair ? parse_boolean(value) : std::optional<bool>(true);
    if (!parsed) return invalid(fmt::format("invalid value for {}: {}", key, value));
    target = *parsed;
    return {};
  };
  if (key == "readonly" || key == "ro") return boolean(fields.readonly);
  if (key == "idmap") return boolean(fields.idmap);
  if (key == "volume-nocopy") return boolean(fields.no_copy);
  if (!pair) return invalid(fmt::format("invalid field '{}' must be a key=value pair", field));
  if (key == "type")
    fields.type = to_lower(value);
  else if (key == "source" || key == "src")
    fields.source = value;
  else if (key == "target" || key == "dst" || key == "destination")
    fields.target = value;
  else if (key == "bind-propagation")
    fields.propagation = value;
  else if (key == "tmpfs-size")
    fields.size = value;
  else if (key == "tmpfs-mode")
    fields.mode = value;
  else if (key == "volume-driver" ? value != "local" : key != "consistency")
    return invalid(fmt::format("unexpected key '{}' in '{}'", key, field));
  return {};
}

Result<void> bind_fields(VolumeMount& mount, const MountFields& fields, std::string_view directory) {
  if (fields.source.empty()) return invalid("type 'bind' requires a source");
  if (!fields.propagation.empty() && !is_propagation(fields.propagation))
    return invalid(fmt::format("invalid propagation: {}", fields.propagation));
  mount.kind = VolumeMount::Kind::bind;
  mount.source = absolute(fields.source, directory);
  mount.propagation = fields.propagation;
  return {};
}

Result<void> tmpfs_fields(VolumeMount& mount, const MountFields& fields) {
  mount.kind = VolumeMount::Kind::tmpfs;
  if (!fields.source.empty()) return invalid("cannot specify a source for a tmpfs mount");
  std::vector<std::string> options;
  if (!fields.size.empty()) {
    const auto size = parse_size(fields.size);
    if (!size) return invalid(fmt::format("invalid value for tmpfs-size: {}", fields.size));
    options.push_back(fmt::format("size={}", *size));
  }
  if (!fields.mode.empty()) {
    const auto mode = parse_unsigned(fields.mode, 8);
    if (!mode || *mode > 07777) return invalid(fmt::format("invalid value for tmpfs-mode: {}", fields.mode));
    options.push_back(fmt::format("mode={:o}", *mode));
  }
  mount.options = join(options, ",");
  return {};
}

// tmpfs(5) has more, but only these reach a container by docker's rules.
Result<void> check_tmpfs_options(std::string_view options) {
  constexpr std::string_view kFlags[] = {
      "defaults", "ro",         "rw",       "suid",       "nosuid",      "dev",           "nodev",
      "exec",     "noexec",     "sync",     "async",      "dirsync",     "atime",         "noatime",
      "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "remount"};
  constexpr std::string_view kValued[] = {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"};
  for (const std::string_view option : split(options, ',')) {
    if (option.empty()) continue;
    const auto pair = split_once(option, '=');
    const bool known = pair ? std::ranges::find(kValued, pair->first) != std::end(kValued)
                            : std::ranges::find(kFlags, option) != std::end(kFlags);
    if (!known) return invalid(fmt::format("invalid tmpfs option '{}'", option));
  }
  return {};
}

}  // namespace

Result<VolumeMount> parse_volume(std::string_view text, std::string_view directory) {
  VolumeMount mount;
  const auto parts = split(text, ':');
  const bool empty_part =
      std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty(); });
  if (parts.size() > 3 || empty_part) return invalid(fmt::format("invalid volume specification: '{}'", text));
  if (parts.size() == 1) {
    mount.kind = VolumeMount::Kind::volume;  // anonymous
    TRY(set_destination(mount, parts[0]));
    return mount;
  }
  TRY(set_source(mount, parts[0], directory));
  TRY(set_destination(mount, parts[1]));
  mount.create_source = mount.kind == VolumeMount::Kind::bind;
  mount.mode = parts.size() == 3 ? parts[2] : "";
  if (parts.size() == 3)
    for (const std::string_view option : split(parts[2], ',')) TRY(volume_option(mount, option));
  return mount;
}

Result<VolumeMount> parse_mount(std::string_view text, std::string_view directory) {
  MountFields fields;
  TRY(const auto texts, csv_fields(text));
  for (const std::string& field : texts) TRY(mount_field(fields, field));
  VolumeMount mount;
  mount.readonly = fields.readonly;
  mount.no_copy = fields.no_copy;
  mount.idmap = fields.idmap;
  if (fields.target.empty()) return invalid("target is required");
  TRY(set_destination(mount, fields.target));
  if (fields.type == "bind") {
    TRY(bind_fields(mount, fields, directory));
  } else if (fields.type == "tmpfs") {
    TRY(tmpfs_fields(mount, fields));
  } else if (fields.type == "volume") {
    mount.kind = VolumeMount::Kind::volume;
    mount.source = fields.source;
    if (!mount.source.empty() && !is_volume_name(mount.source))
      return invalid(fmt::format("\"{}\" is no volume name; type=bind mounts a host path", mount.source));
  } else {
    return invalid(fmt::format("mount type unknown: \"{}\" (bind, volume and tmpfs are known)", fields.type));
  }
  return mount;
}

Result<VolumeMount> parse_tmpfs(std::string_view text) {
  VolumeMount mount;
  mount.kind = VolumeMount::Kind::tmpfs;
  const auto pair = split_once(text, ':');
  TRY(set_destination(mount, pair ? pair->first : text));
  if (pair) mount.options = pair->second;
  TRY(check_tmpfs_options(mount.options));
  for (const std::string_view option : split(mount.options, ','))
    mount.readonly = mount.readonly || option == "ro";
  return mount;
}

}  // namespace fermata::cli
