// The OCI runtime specification's config.json (Linux), as values: what the engine asks of runtime/.
// Names follow the specification in snake_case. Reading and writing its JSON is not part of this header.
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
};

// A mount as the specification has it ("ro", "nosuid", "rbind", ... in options). Extension: a source that is
// a descriptor of the caller's (`tree`, a detached mount) instead of a path.
struct Mount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
  int tree = -1;             // borrowed; attached as it is
  bool file_target = false;  // the source is a file: make a file at the destination if it is missing
};

struct Device {
  std::string path;
  char type = 'c';
  std::uint32_t major = 0, minor = 0;
  std::uint32_t file_mode = 0666;
  std::uint32_t uid = 0, gid = 0;
};

// One of the container's namespaces. `fd` (borrowed) joins it; -1 makes a new one.
struct Namespace {
  enum class Type { mount, pid, network, ipc, uts, cgroup, user };
  Type type;
  int fd = -1;
};

struct RuntimeSpec {
  Process process;
  std::string root_path;  // an existing directory, or "" when `overlay` is given
  struct Overlay {
    std::vector<std::string> lower;  // names below layers_directory, top first
    std::string layers_directory;
    std::string upper, work;  // absolute; both "" for a read-only mount without upper
  };
  std::optional<Overlay> overlay;
  int root_tree = -1;  // borrowed: a detached mount as the root instead (the built-in pause)
  std::string
      mount_point;  // an existing empty directory of ours, where the root is mounted in the new namespace
  bool root_readonly = false;
  std::string hostname;       // "" leaves it (a joined UTS namespace)
  std::vector<Mount> mounts;  // in order
  std::vector<Namespace> namespaces;
  std::vector<Device> devices;
  std::map<std::string, std::string> sysctl;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string rootfs_propagation = "rprivate";
  int seccomp_program = -1;  // borrowed: a file of struct sock_filter (kernel/seccomp.h), -1: none
};

}  // namespace fermata::oci
