// What the engine is asked for and what it tells: plain values, shared by every face (CLI, CRI).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cdi/edits.h"
#include "network/network.h"
#include "oci/runtime_spec.h"

namespace fermata::pod {

// How a namespace is chosen: "", "private", "shareable" (ipc), "host", "none", "bridge" (net),
// "container:<name>".
struct NamespaceMode {
  std::string kind;    // "" (default), "private", "shareable", "host", "none", "bridge", "container"
  std::string target;  // of "container"
};

struct VolumeMount {
  enum class Kind { bind, volume, tmpfs, image };
  enum class Relabel { none, shared, exclusive };
  Kind kind = Kind::bind;
  std::string source;  // host path, volume name ("": an anonymous one), or an image as Images::find takes it
  std::string destination;  // absolute, in the container
  bool readonly = false;
  bool create_source = false;       // -v makes a missing host directory, --mount does not
  bool no_copy = false;             // a new volume is not filled from the image
  std::string propagation;          // "rprivate" by default
  std::string options;              // of tmpfs: "size=64m,mode=1777"
  std::optional<std::string> mode;  // of -v, as written: "ro,z"; --mount has none
  std::string sub_path;             // of image: a directory or file below its root; "": all of it
  bool recursive_readonly = true;   // with readonly: all that is mounted below, too; mount_setattr(2)
  std::vector<oci::IdMapping> uid_mappings, gid_mappings;  // of bind: an idmapped mount
  bool idmap = false;  // of bind: one with the mappings of the pod's user namespace; volumes always are
  // Of bind and volume, where SELinux is on: the files get the label of the container's, or one that all
  // containers may use.
  Relabel relabel = Relabel::none;
};

// The user namespace of a pod. Every id of an image must be mapped; user_namespaces(7).
struct UserNamespace {
  std::vector<oci::IdMapping> uids, gids;
  bool operator==(const UserNamespace&) const = default;
};

struct Resources {
  std::optional<std::uint64_t> memory;      // bytes
  std::optional<std::int64_t> memory_swap;  // bytes together with memory; -1: no limit on swap
  std::optional<std::uint64_t> memory_reservation;
  std::optional<double> cpus;               // 1.5 = one and a half
  std::optional<std::int64_t> cpu_quota;    // microseconds of each period, instead of cpus; -1: none
  std::optional<std::uint64_t> cpu_period;  // microseconds
  std::optional<std::uint64_t> cpu_shares;
  std::optional<std::string> cpuset_cpus, cpuset_mems;
  std::optional<std::uint16_t> blkio_weight;                     // 10..1000
  std::optional<std::int64_t> pids_limit;                        // -1: none
  std::vector<std::pair<std::string, std::uint64_t>> hugepages;  // page size ("2MB") -> bytes
  std::map<std::string, std::string> unified;                    // files of cgroup v2, as they are
};

struct Ulimit {
  std::string name;          // "nofile"
  std::uint64_t soft, hard;  // ~0: unlimited
};

// A pod's network by CNI plugins: net.kind "cni".
struct CniRequest {
  std::string configuration_directory;
  std::vector<std::string> plugin_directories;
  std::vector<std::pair<std::string, std::string>> arguments;  // CNI_ARGS
  std::uint64_t ingress_rate = 0, egress_rate = 0;             // bits a second; 0: no limit
  std::vector<std::string> ip_ranges;                          // "10.244.3.0/24": one address of each
};

// Everything `fermata create` can ask.
struct ContainerConfig {
  std::string name;                  // "" : one is made up
  std::string image;                 // as the user wrote it
  bool infra = false;                // its pod's infra container, whatever the image is called
  std::string image_id;              // filled in by the engine
  std::string architecture;          // of --platform; "": whichever the image is for
  std::vector<std::string> command;  // replaces the image's cmd
  std::optional<std::vector<std::string>> entrypoint;  // --entrypoint; {""}: clears the image's
  std::vector<std::string> env;     // "K=V", or "K": from the client's environment (resolved by the CLI)
  std::string user;                 // --user
  std::vector<std::string> groups;  // --group-add
  std::string working_dir;
  std::string hostname;
  std::string domainname;
  bool terminal = false;
  bool stdin_open = false;
  bool attach_stdin = false;  // stdin closes with the first client's
  bool auto_remove = false;
  bool privileged = false;
  bool readonly_root = false;
  bool init = false;
  bool publish_all = false;
  std::vector<network::PortMapping> ports;
  std::vector<std::string> expose;  // --expose: "80/tcp", beside those of the image
  std::vector<VolumeMount> mounts;
  NamespaceMode net, ipc, pid, uts, cgroupns;
  std::vector<std::string> extra_hosts;  // "name:address" (host-gateway allowed)
  std::vector<std::string> dns, dns_search, dns_options;
  std::vector<std::string> cap_add, cap_drop;
  std::vector<std::string>
      security_opt;  // "no-new-privileges", "seccomp=unconfined", "seccomp=<json content>"
  std::vector<Ulimit> ulimits;
  std::vector<std::string> devices;  // "/dev/fuse[:/dev/x[:rwm]]"
  cdi::Edits edits;                  // of CDI devices, but for what is in env and groups; device_edits.h
  std::map<std::string, std::string> sysctls;
  std::map<std::string, std::string> labels;
  std::optional<std::uint64_t> shm_size;  // bytes
  std::string stop_signal;
  std::optional<int> stop_timeout;  // seconds
  std::optional<int> oom_score_adj;
  std::uint64_t log_max_size = 10u << 20;
  std::uint32_t log_max_files = 3;
  std::string log_driver = "cri";  // "none": nothing is kept
  Resources resources;

  // Of Kubernetes' pods. `pod`: the pod that this becomes a member of, which must be ready; it shares what
  // the pod has (network, hostname, IPC unless ipc says otherwise), and never brings the pod back when that
  // has ended. "": it founds a pod, or joins others' namespaces.
  std::string pod;
  std::map<std::string, std::string> annotations;
  std::string attachment;  // what the face that made it keeps with it; the engine does not read it
  std::string
      cgroup_parent;     // of the pod that it founds: a cgroup, with systemd a slice; "": the engine's own
  std::string log_path;  // the log is there, and nobody rotates it but its owner (reopen_log); "": ours
  CniRequest cni;
  std::vector<std::string> cap_ambient;
  std::string selinux_label;  // "user:role:type:level"; left out where SELinux is off
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;  // nullopt: the default ones
  bool strict_groups = false;                   // the groups given, and none that the image gives the user
  std::optional<UserNamespace> user_namespace;  // of the pod that it founds; nullopt: the host's
  bool own_users = false;                       // the engine chooses that one, of ids that no other pod has
  // The program of another OCI runtime that makes its process, and those of a pod's members that say nothing:
  // an absolute path. An infra container is always ours. "": ours.
  std::string runtime;
};

enum class ContainerState { created, running, exited, removing };
const char* to_string(ContainerState state);
struct ContainerInfo;
// The same, or "paused".
const char* state_text(const ContainerInfo& container);

// How a container stands now, as `ps` and `inspect` show it.
struct ContainerInfo {
  std::string id;
  std::string name;
  std::string owner;
  std::string pod_id;
  ContainerConfig config;
  std::string image_id;
  std::vector<std::string> args;  // entrypoint and command, resolved
  ContainerState state = ContainerState::created;
  bool paused = false;  // it runs, and all its processes stand still
  int pid = 0;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;                                    // why it did not start, "MonitorLost"
  std::int64_t created = 0, started = 0, finished = 0;  // ns, 0: not yet
  bool infra = false;                                   // the pause container of its pod
  std::vector<network::PortMapping>
      ports;  // of its pod when it owns them, resolved; empty when that does not run
  std::optional<network::Attachment> network;
  std::vector<std::string> exposed_ports;
  std::vector<std::pair<std::string, VolumeMount>> mounts;  // host path -> mount, as applied
  std::vector<std::string> warnings;                        // what could not be done on this machine
  std::string log_path, resolv_conf_path, hosts_path, hostname_path;
  std::string upper_path, work_path;  // of the overlay: what it wrote; "" of the built-in pause
  std::string stop_signal;            // effective
  oci::User user;                     // of its last start
  int restart_count = 0;
  std::string cgroup;  // path below the hierarchies
};

// A pod that has an infra container, as the faces that know pods see it.
struct PodInfo {
  std::string id;
  ContainerInfo infra;  // its name, owner, labels, annotations and attachment are the pod's
  bool ready = false;   // the infra container runs
  std::optional<network::Attachment> network;
  std::vector<network::PortMapping> ports;  // with the chosen numbers
  std::string cgroup;                       // of all of it, a path below the hierarchies; "" when not ready
};

// Another number after each change of what the store knows of a pod and its containers.
struct PodRevision {
  std::string id;
  std::int64_t number = 0;
};

struct ExecConfig {
  std::vector<std::string> command;
  std::vector<std::string> env;
  std::string user;
  std::string working_dir;
  bool terminal = false;
  bool stdin_open = false;
  bool privileged = false;
  // Then the command is killed with all that it has started. 0: never.
  std::chrono::milliseconds timeout{0};
};

}  // namespace fermata::pod
