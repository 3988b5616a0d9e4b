#include "bundle/external_mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mounts.h"
#include "runtime/defaults.h"

namespace fermata::bundle {
namespace {

constexpr std::size_t kMaxTable = 16u << 20;

struct MountRoot {
  std::uint64_t id = 0;
  bool directory = false;
};

// nullopt: nothing is mounted right there. statx(2); STATX_MNT_ID and STATX_ATTR_MOUNT_ROOT: Linux 5.8.
std::optional<MountRoot> mount_at(int root, const std::string& path) {
  const auto file = kernel::open_in_root(root, path, O_PATH);
  if (!file) return std::nullopt;
  struct statx info = {};
  if (::statx(file->get(), "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &info) != 0) return std::nullopt;
  if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) return std::nullopt;
  return MountRoot{.id = info.stx_mnt_id, .directory = S_ISDIR(info.stx_mode)};
}

KnownMounts look_up(const oci::RuntimeSpec& spec, int root) {
  KnownMounts known;
  if (const auto top = mount_at(root, "/")) known[top->id] = "";
  for (const oci::Mount& mount : spec.mounts)
    if (const auto found = mount_at(root, mount.destination))
      known[found->id] = is_bind(mount) ? mount.destination : "";
  // In a user namespace devices are those of the host, bound.
  std::vector<oci::Device> devices = runtime::default_devices();
  devices.insert(devices.end(), spec.devices.begin(), spec.devices.end());
  for (const oci::Device& device : devices)
    if (const auto found = mount_at(root, device.path)) known[found->id] = device.path;
  // A directory is masked by a file system of its own, a file by the null device.
  for (const std::string& path : spec.masked_paths)
    if (const auto found = mount_at(root, path)) known[found->id] = found->directory ? "" : kNullDevice;
  return known;
}

}  // namespace

bool is_bind(const oci::Mount& mount) {
  return mount.type == "bind" ||
         std::any_of(mount.options.begin(), mount.options.end(),
                     [](const std::string& option) { return option == "bind" || option == "rbind"; });
}

std::vector<std::pair<std::string, std::string>> external_mounts(const std::vector<kernel::MountLine>& mounts,
                                                                 const KnownMounts& known) {
  std::map<std::uint64_t, const kernel::MountLine*> by_id;
  for (const kernel::MountLine& mount : mounts) by_id[mount.id] = &mount;
  std::vector<std::pair<std::string, std::string>> external;
  for (const kernel::MountLine& mount : mounts) {
    // The nearest that is known decides for all that is below it. No chain is longer than the table.
    const kernel::MountLine* place = &mount;
    auto decides = known.find(place->id);
    for (std::size_t steps = 0; decides == known.end() && steps < mounts.size(); ++steps) {
      const auto parent = by_id.find(place->parent);
      if (parent == by_id.end()) break;
      place = parent->second;
      decides = known.find(place->id);
    }
    if (decides == known.end() || decides->second.empty()) continue;
    external.emplace_back(mount.point, place == &mount ? decides->second : mount.point);
  }
  return external;
}

Result<std::vector<std::pair<std::string, std::string>>> external_mounts_of(const oci::RuntimeSpec& spec,
                                                                            int pid) {
  TRY(const UniqueFd root, open_file(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
  TRY(const std::string table, read_file(fmt::format("/proc/{}/mountinfo", pid), kMaxTable));
  std::vector<kernel::MountLine> mounts;
  for (const std::string_view line : split(table, '\n'))
    if (auto mount = kernel::parse_mount(line)) mounts.push_back(std::move(*mount));
  return external_mounts(mounts, look_up(spec, root.get()));
}

}  // namespace fermata::bundle
