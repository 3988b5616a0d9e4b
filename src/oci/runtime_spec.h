// The OCI runtime specification's config.json (Linux), as values: what is asked of runtime/.
// Names follow the specification (1.3) in snake_case; std::nullopt and empty containers stand for absent
// fields. oci/runtime_document.h reads them from JSON. A field marked "extension" is not in the document: the
// caller fills it with what it has opened.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fermata::oci {

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::optional<std::uint32_t> umask;
  std::vector<std::uint32_t> additional_gids;
};

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

// Sets of names such as "CAP_CHOWN".
struct Capabilities {
  std::vector<std::string> bounding, effective, inheritable, permitted, ambient;
};

// sched_setattr(2). Times in nanoseconds.
struct Scheduler {
  std::string policy;  // "SCHED_BATCH"
  std::int32_t nice = 0;
  std::int32_t priority = 0;
  std::vector<std::string> flags;  // "SCHED_FLAG_RESET_ON_FORK"
  std::uint64_t runtime = 0, deadline = 0, period = 0;
};

// ioprio_set(2).
struct IoPriority {
  std::string io_class;  // "IOPRIO_CLASS_BE"
  std::int32_t priority = 0;
};

// Lists such as "0-3,7"; "" leaves it.
struct CpuAffinity {
  std::string initial;  // from before the process enters the container's cgroup
  std::string final;    // from then on
};

struct Process {
  bool terminal = false;
  std::uint32_t console_rows = 0, console_columns = 0;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  Capabilities capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;
  CpuAffinity exec_cpu_affinity;
};

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

// A mount as the specification has it ("ro", "nosuid", "rbind", ... in options). Extension: a source that is
// a descriptor of the caller's (`tree`, a detached mount) instead of a path.
struct Mount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
  std::vector<IdMapping> uid_mappings, gid_mappings;
  int tree = -1;  // extension; borrowed; attached as it is
  bool file_target =
      false;  // extension: the source is a file: make a file at the destination if it is missing
};

struct Device {
  std::string path;
  char type = 'c';  // 'c', 'u', 'b', 'p'
  std::uint32_t major = 0, minor = 0;
  std::uint32_t file_mode = 0666;
  std::uint32_t uid = 0, gid = 0;
};

// One of the container's namespaces.
struct Namespace {
  enum class Type { mount, pid, network, ipc, uts, cgroup, user, time };
  Type type;
  int fd = -1;            // extension; borrowed: what `path` stands for; -1 makes a new one
  std::string path = {};  // to join; "": a new one
};

struct TimeOffset {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

// A rule of the device controller. Absent numbers mean any.
struct DeviceRule {
  bool allow = false;
  char type = 'a';
  std::optional<std::int64_t> major, minor;
  std::string access = "rwm";
};

struct WeightDevice {
  std::int64_t major = 0, minor = 0;
  std::optional<std::uint16_t> weight, leaf_weight;
};

struct ThrottleDevice {
  std::int64_t major = 0, minor = 0;
  std::uint64_t rate = 0;  // bytes or operations a second
};

struct HugepageLimit {
  std::string page_size;    // "2MB"
  std::uint64_t limit = 0;  // bytes
};

struct RdmaLimit {
  std::optional<std::uint32_t> hca_handles, hca_objects;
};

struct InterfacePriority {
  std::string name;
  std::uint32_t priority = 0;
};

// linux.resources. Absent: left as it is. -1 where a value is signed: no limit.
struct Resources {
  std::vector<DeviceRule> devices;
  // memory, bytes; `swap` is memory and swap together, v1's count
  std::optional<std::int64_t> memory_limit, memory_reservation, memory_swap, kernel_memory, kernel_tcp_memory;
  std::optional<std::uint64_t> memory_swappiness;
  std::optional<bool> disable_oom_killer, use_hierarchy, check_before_update;
  // cpu; quota, burst, period and runtime in microseconds
  std::optional<std::uint64_t> cpu_shares, cpu_period, cpu_burst, cpu_realtime_period;
  std::optional<std::int64_t> cpu_quota, cpu_realtime_runtime, cpu_idle;
  std::string cpuset_cpus, cpuset_mems;
  std::optional<std::int64_t> pids_limit;
  // blockIO
  std::optional<std::uint16_t> blkio_weight, blkio_leaf_weight;
  std::vector<WeightDevice> blkio_weight_devices;
  std::vector<ThrottleDevice> blkio_read_bps, blkio_write_bps, blkio_read_iops, blkio_write_iops;
  std::vector<HugepageLimit> hugepages;
  std::map<std::string, RdmaLimit> rdma;  // by device
  std::optional<std::uint32_t> network_class_id;
  std::vector<InterfacePriority> network_priorities;
  std::map<std::string, std::string> unified;  // files of the v2 group and their values
};

struct Hook {
  std::string path;  // absolute
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;  // seconds
};

struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct IntelRdt {
  std::string clos_id;
  std::vector<std::string> schemata;
  std::string l3_cache_schema, memory_bandwidth_schema;
  bool enable_monitoring = false;
};

struct MemoryPolicy {
  std::string mode;   // "MPOL_BIND"
  std::string nodes;  // "0-1"
  std::vector<std::string> flags;
};

struct RuntimeSpec {
  Process process;
  std::string root_path;             // an existing directory, or "" when `overlay` is given
  struct Overlay {                   // extension
    std::vector<std::string> lower;  // names below layers_directory, top first
    std::string layers_directory;
    std::string upper, work;  // absolute; both "" for a read-only mount without upper
  };
  std::optional<Overlay> overlay;
  int root_tree = -1;  // extension; borrowed: a detached mount as the root instead
  // Extension; borrowed: the mount namespace that the container's new one begins as a copy of, where nothing
  // but the detached mounts is needed; -1: the host's, each of whose mounts is copied, and left again.
  int mounts_from = -1;
  // Extension: an existing empty directory of ours, where the root is mounted in the new namespace.
  std::string mount_point;
  bool root_readonly = false;
  std::string hostname;  // "" leaves it (a joined UTS namespace)
  std::string domainname;
  std::vector<Mount> mounts;  // in order
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings, gid_mappings;   // of a new user namespace
  std::map<std::string, TimeOffset> time_offsets;      // "monotonic", "boottime"
  std::map<std::string, std::string> network_devices;  // of the host, by name; their names inside
  std::vector<Device> devices;
  std::string cgroups_path;
  Resources resources;
  std::map<std::string, std::string> sysctl;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;
  std::string rootfs_propagation = "rprivate";
  std::string seccomp;  // linux.seccomp, the JSON object as it stands (runtime/seccomp_profile.h reads it)
  int seccomp_program = -1;  // extension; borrowed: a file of struct sock_filter (kernel/seccomp.h), -1: none
  std::optional<IntelRdt> intel_rdt;
  std::optional<MemoryPolicy> memory_policy;
  std::string personality;  // "LINUX", "LINUX32"; "" leaves it
  Hooks hooks;
  std::map<std::string, std::string> annotations;
};

}  // namespace fermata::oci
