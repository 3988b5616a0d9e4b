// What the store keeps of pods and containers, beside the values of model.h. Internal to pod/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernel/resctrl.h"
#include "oci/runtime_spec.h"
#include "pod/model.h"

namespace fermata::pod {

// What a sandbox is made from; taken from the container that founded the pod, and kept when that is removed.
struct PodConfig {
  std::string net;  // "bridge", "none", "host", "cni"
  CniRequest cni;   // of "cni"
  std::string
      ipc;  // "pod": the pod has an IPC namespace and a /dev/shm; "host"; "none": the members have their own
  std::string uts;  // "pod", "host"
  std::string hostname;
  std::string domainname;
  std::vector<network::PortMapping> ports;  // as asked for: host_port 0 is chosen at each start
  std::vector<std::string> extra_hosts, dns, dns_search, dns_options;
  std::uint64_t shm_size = 64u << 20;              // bytes
  std::map<std::string, std::string> net_sysctls;  // "net.*": of the namespace, so of the pod
  std::map<std::string, std::string> ipc_sysctls;  // of the pod's IPC namespace, likewise
  std::string cgroup_parent;                       // "": the engine's own
  std::string infra;                               // id of the infra container, "" if there is none
  std::optional<UserNamespace> user_namespace;     // which owns the others; nullopt: the host's
  bool infra_made = false;                         // nobody asked for it by name; hidden by default
};

// The present run of a sandbox; empty when there is none.
struct PodRuntime {
  std::optional<network::Attachment> network;
  std::vector<network::PortMapping> ports;  // with the chosen numbers
  std::string cgroup;                       // path below the hierarchies
  std::vector<std::string> warnings;
};

// A container's configuration together with its image's, settled at creation: an image that is retagged or
// removed later changes nothing.
struct Resolved {
  std::vector<std::string> args;
  std::vector<std::string> env;  // without what the start adds (PATH, HOSTNAME, HOME)
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> exposed_ports;
  std::vector<std::string> layers;  // bottom first
  std::vector<VolumeMount> mounts;  // with the image's volumes, anonymous volumes named
  bool pause = false;               // the built-in pause: no layers
};

struct ContainerRuntime {
  Resolved resolved;
  std::int64_t started = 0, finished = 0;  // ns
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  int restart_count = 0;
  std::vector<std::string> warnings;                        // of the creation and of the last start
  std::vector<std::pair<std::string, VolumeMount>> mounts;  // of the last start: host path -> mount
  // How its process was started, for exec.
  std::vector<std::string> env;
  oci::User user;
  // What its end has left to do (start_actions.h).
  bool stop_actions = false;
  kernel::ResctrlGroup resctrl;
};

struct PodRow {
  std::string id, name, owner;
  std::int64_t created = 0;
  bool ready = false;
  PodConfig config;
  PodRuntime runtime;
};

// The column `state`. `running` means "was launched in the pod's present run": the monitor knows whether it
// still runs.
struct ContainerRow {
  std::string id, name, owner, pod;
  std::string image;  // "" for the built-in pause
  std::int64_t created = 0;
  ContainerState state = ContainerState::created;
  ContainerConfig config;
  ContainerRuntime runtime;
};

}  // namespace fermata::pod
