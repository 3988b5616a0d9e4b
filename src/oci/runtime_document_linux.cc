// The `linux` object: config-linux.md.
#include <algorithm>
#include <array>
#include <utility>

#include "oci/runtime_document_parts.h"

namespace fermata::oci {
namespace {

Result<void> read_namespace(const Fields& fields, Namespace& out) {
  constexpr auto kTypes = std::to_array<std::pair<std::string_view, Namespace::Type>>({
      {"pid", Namespace::Type::pid},
      {"network", Namespace::Type::network},
      {"mount", Namespace::Type::mount},
      {"ipc", Namespace::Type::ipc},
      {"uts", Namespace::Type::uts},
      {"user", Namespace::Type::user},
      {"cgroup", Namespace::Type::cgroup},
      {"time", Namespace::Type::time},
  });
  TRY(fields.require("type"));
  std::string type;
  TRY(fields.read("type", type));
  const auto* known =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.first == type; });
  if (known == kTypes.end())
    return fields.wrong("type", "'{}' is none of pid, network, mount, ipc, uts, user, cgroup, time", type);
  out.type = known->second;
  TRY(fields.read("path", out.path));
  if (!out.path.empty() && out.path[0] != '/')
    return fields.wrong("path", "'{}' is not an absolute path", out.path);
  return {};
}

Result<void> read_namespaces(const Fields& fields, std::vector<Namespace>& out) {
  TRY(fields.read_objects("namespaces", out, read_namespace));
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t before = 0; before < i; ++before)
      if (out[before].type == out[i].type)
        return fields.wrong(fmt::format("namespaces[{}].type", i), "the same as of [{}]", before);
  return {};
}

Result<void> read_time_offset(const Fields& fields, TimeOffset& out) {
  TRY(fields.read("secs", out.seconds));
  return fields.read_between("nanosecs", 0, 999'999'999, out.nanoseconds);
}

Result<void> read_time_offsets(const Fields& fields, std::map<std::string, TimeOffset>& out) {
  TRY(fields.read_named_objects("timeOffsets", out, read_time_offset));
  for (const auto& [clock, offset] : out)
    if (clock != "monotonic" && clock != "boottime")
      return fields.wrong("timeOffsets", "'{}' is none of monotonic, boottime", clock);
  return {};
}

// What the kernel takes for an interface (dev_valid_name in net/core/dev.c).
bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() < 16 && name != "." && name != ".." &&
         name.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

Result<void> read_network_device(const Fields& fields, std::string& out) { return fields.read("name", out); }

Result<void> read_network_devices(const Fields& fields, std::map<std::string, std::string>& out) {
  TRY(fields.read_named_objects("netDevices", out, read_network_device));
  for (auto& [outside, inside] : out) {
    if (inside.empty()) inside = outside;
    for (const std::string& name : {outside, inside})
      if (!is_interface_name(name)) return fields.wrong("netDevices", "'{}' is no interface's name", name);
  }
  return {};
}

Result<void> read_device(const Fields& fields, Device& out) {
  TRY(fields.require("path"));
  TRY(fields.read_absolute("path", out.path));
  TRY(fields.require("type"));
  std::string type;
  TRY(fields.read_word("type", {"c", "u", "b", "p"}, type));
  out.type = type[0];
  if (out.type != 'p') {
    TRY(fields.require("major"));
    TRY(fields.require("minor"));
  }
  // What mknod(2) can say: 12 and 20 bits.
  TRY(fields.read_between("major", 0, 0xfff, out.major));
  TRY(fields.read_between("minor", 0, 0xfffff, out.minor));
  // Some writers leave the bits of the file's type in.
  TRY(fields.read("fileMode", out.file_mode));
  out.file_mode &= 07777;
  TRY(fields.read("uid", out.uid));
  return fields.read("gid", out.gid);
}

Result<void> read_intel_rdt(const Fields& fields, IntelRdt& out) {
  TRY(fields.read("closID", out.clos_id));
  TRY(fields.read("schemata", out.schemata));
  TRY(fields.read("l3CacheSchema", out.l3_cache_schema));
  TRY(fields.read("memBwSchema", out.memory_bandwidth_schema));
  return fields.read("enableMonitoring", out.enable_monitoring);
}

Result<void> read_memory_policy(const Fields& fields, MemoryPolicy& out) {
  TRY(fields.require("mode"));
  TRY(fields.read_word("mode",
                       {"MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
                        "MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_LOCAL"},
                       out.mode));
  TRY(fields.read("nodes", out.nodes));
  return fields.read_words("flags", {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"},
                           out.flags);
}

Result<void> read_personality(const Fields& fields, RuntimeSpec& out) {
  TRY(fields.require("domain"));
  TRY(fields.read_word("domain", {"LINUX", "LINUX32"}, out.personality));
  std::vector<std::string> flags;
  TRY(fields.read("flags", flags));
  if (!flags.empty()) return fields.wrong("flags", "'{}' is not known; there are none so far", flags[0]);
  return {};
}

Result<void> read_seccomp(const Fields& fields, std::string& out) {
  const Json* profile = fields.find("seccomp");
  if (profile == nullptr) return {};
  if (!profile->is_object()) return fields.wrong("seccomp", "not an object");
  out = profile->dump();  // does not throw: what was parsed is UTF-8
  return {};
}

Result<void> read_file_system(const Fields& fields, RuntimeSpec& out) {
  TRY(fields.read_objects("devices", out.devices, read_device));
  TRY(fields.read_absolute("maskedPaths", out.masked_paths));
  TRY(fields.read_absolute("readonlyPaths", out.readonly_paths));
  TRY(fields.read("mountLabel", out.mount_label));
  std::string propagation;
  TRY(fields.read("rootfsPropagation", propagation));
  if (propagation.empty()) return {};  // the default
  return fields.read_word(
      "rootfsPropagation",
      {"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"},
      out.rootfs_propagation);
}

}  // namespace

Result<void> read_linux(const Fields& fields, RuntimeSpec& out) {
  TRY(read_namespaces(fields, out.namespaces));
  TRY(fields.read_objects("uidMappings", out.uid_mappings, read_id_mapping));
  TRY(fields.read_objects("gidMappings", out.gid_mappings, read_id_mapping));
  TRY(read_time_offsets(fields, out.time_offsets));
  TRY(read_network_devices(fields, out.network_devices));
  TRY(read_file_system(fields, out));
  TRY(fields.read("cgroupsPath", out.cgroups_path));
  TRY(fields.read_object("resources", out.resources, read_resources));
  TRY(fields.read("sysctl", out.sysctl));
  TRY(read_seccomp(fields, out.seccomp));
  TRY(fields.read_object("intelRdt", out.intel_rdt, read_intel_rdt));
  TRY(fields.read_object("memoryPolicy", out.memory_policy, read_memory_policy));
  return fields.read_object("personality", out, read_personality);
}

}  // namespace fermata::oci
