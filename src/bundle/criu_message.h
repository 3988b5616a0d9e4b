// What is said to CRIU and what it answers: messages of its rpc.proto in the wire form of Protocol Buffers,
// as far as a checkpoint and a restore need them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata::bundle {

enum class CriuType : std::uint32_t { dump = 1, restore = 2, check = 3, pre_dump = 4, notify = 6 };

// Fields of the message criu_opts.
enum class CriuOption : std::uint32_t {
  images_dir_fd = 1,
  pid = 2,
  leave_running = 3,
  ext_unix_sk = 4,
  tcp_established = 5,
  evasive_devices = 6,
  shell_job = 7,
  file_locks = 8,
  log_level = 9,
  log_file = 10,
  notify_scripts = 12,
  root = 13,
  parent_img = 14,
  track_mem = 15,
  auto_dedup = 16,
  work_dir_fd = 17,
  link_remap = 18,
  manage_cgroups = 24,
  cg_root = 25,
  rst_sibling = 26,
  inherit_fd = 27,
  manage_cgroups_mode = 34,
  external = 37,
  empty_ns = 38,
  freeze_cgroup = 44,
  tcp_skip_in_flight = 46,
  orphan_pts_master = 50,
  lsm_profile = 53,
  lsm_mount_context = 63,
};

class CriuOptions {
 public:
  void number(CriuOption option, std::uint64_t value);
  void flag(CriuOption option, bool value) { number(option, value ? 1 : 0); }
  void text(CriuOption option, std::string_view value);
  // Descriptor `fd` of CRIU's stands for what has `key` in the images.
  void inherit(std::string_view key, int fd);
  // Where the groups of the processes are made, in the hierarchy of `controller`; "": in all of them.
  void group_root(std::string_view controller, std::string_view path);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string criu_request(CriuType type, const CriuOptions& options);
// To a notification.
std::string criu_acknowledgement(bool go_on);

struct CriuAnswer {
  std::uint32_t type = 0;
  bool success = false;
  std::string script;  // of a notification: "post-restore"
  int pid = 0;         // of a notification, or what was restored
  int error_number = 0;
  std::string message;
};
// nullopt: no such message. Fields that it does not know are passed over.
std::optional<CriuAnswer> parse_criu_answer(std::string_view bytes);

}  // namespace fermata::bundle
