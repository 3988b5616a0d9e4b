// The features structure of the OCI runtime specification (features.md, features-linux.md), as JSON text:
// what a runtime understands, whatever the machine it runs on can do. Pure; the caller knows what is compiled
// in.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace fermata::oci {

// Names are the specification's: "prestart", "rbind", "CAP_CHOWN", "SCMP_ACT_ALLOW".
struct Features {
  std::vector<std::string> hooks;
  std::vector<std::string> mount_options;
  std::vector<std::string> namespaces;
  std::vector<std::string> capabilities;
  struct Cgroup {
    bool v1 = false, v2 = false, systemd = false, systemd_user = false, rdma = false;
  } cgroup;
  struct Seccomp {
    bool enabled = false;
    std::vector<std::string> actions, operators, architectures;
    std::vector<std::string> known_flags, supported_flags;
  } seccomp;
  bool apparmor = false;
  bool selinux = false;
  struct IntelRdt {
    bool enabled = false, schemata = false, monitoring = false;
  } intel_rdt;
  std::vector<std::string> memory_policy_modes, memory_policy_flags;
  bool idmapped_mounts = false;
  bool network_devices = false;
  std::map<std::string, std::string> annotations;
  // Annotations of a config.json that change what the runtime does; one that ends in "." is a prefix.
  std::vector<std::string> potentially_unsafe_annotations;
};

// The versions are this layer's own: from 1.0.0 to kRuntimeSpecVersion. Lists come out sorted.
std::string features_document(const Features& features);

}  // namespace fermata::oci
