// What a device does to a container: edits of its OCI runtime specification. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"

namespace fermata::cdi {

// Of what is absent the host's node has the last word.
struct DeviceNode {
  std::string path;                    // in the container, absolute
  std::string host_path;               // absolute
  char type = 0;                       // 'b', 'c', 'u', 'p'; 0: absent
  std::uint32_t major = 0, minor = 0;  // major 0: absent, both
  std::optional<std::uint32_t> file_mode;
  std::optional<std::uint32_t> uid, gid;  // in the container; absent: its user's
  std::string access = "rwm";             // of the device controller; "": none
  bool operator==(const DeviceNode&) const = default;
};

struct Mount {
  std::string source;       // of a bind mount absolute, on the host
  std::string destination;  // absolute
  std::string type;
  std::vector<std::string> options;  // with "bind" or "rbind" unless there is a type
  bool operator==(const Mount&) const = default;
};

struct Edits {
  std::vector<std::string> env;  // "NAME=value"
  std::vector<DeviceNode> device_nodes;
  std::vector<Mount> mounts;
  oci::Hooks hooks;
  std::vector<std::uint32_t> additional_gids;
  std::optional<oci::IntelRdt> intel_rdt;
  std::map<std::string, std::string> network_devices;  // of the host, by name; their names inside

  bool empty() const;
  // `other` comes after this one, and of one-time settings is the one that counts.
  void append(const Edits& other);
};

}  // namespace fermata::cdi
