#include "kernel/resctrl.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mountinfo.h"

namespace fermata::kernel {
namespace {

constexpr char kSchemata[] = "/schemata";
constexpr char kTasks[] = "/tasks";
constexpr char kMonitorGroups[] = "/mon_groups/";
constexpr char kLastStatus[] = "/info/last_cmd_status";
// Directories of the mount that are no groups.
constexpr std::array<std::string_view, 3> kReserved = {"info", "mon_data", "mon_groups"};

Result<void> check_name(const std::string& name) {
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
  if (name.empty() || name == "." || name == ".." || name.find_first_of("/\n") != std::string::npos ||
      reserved)
    return fail(ErrorKind::invalid_argument, "'{}' is no name of a group", name);
  return {};
}

Result<void> check_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines)
    if (line.empty() || line.find('\n') != std::string::npos)
      return fail(ErrorKind::invalid_argument, "'{}' is no single line of a schemata file", line);
  return {};
}

// true: made; false: it was there.
Result<bool> make_group_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return true;
  if (errno == EEXIST) return false;
  // ENOSPC is the hardware's end of classes, which nobody would guess from its words.
  if (errno == ENOSPC)
    return fail(ErrorKind::no_space, "make '{}': this processor has no class or monitor left", path);
  return fail(errno, "make '{}'", path);
}

Result<void> remove_directory(const std::string& path) {
  if (path.empty() || ::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail(errno, "remove '{}'", path);
}

// Numbers compare without their leading zeros: the kernel pads them.
std::string_view plain_number(std::string_view text) {
  text = trim(text);
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  return text;
}

// {"L3", "0"} -> "f" of "L3:0=f;1=3".
using Shares = std::map<std::pair<std::string, std::string>, std::string>;
void add_shares(std::string_view line, Shares* shares) {
  const auto resource = split_once(line, ':');
  if (!resource) return;
  for (const std::string_view domain : split(resource->second, ';'))
    if (const auto share = split_once(domain, '='))
      (*shares)[{std::string(trim(resource->first)), std::string(plain_number(share->first))}] =
          to_lower(plain_number(share->second));
}

}  // namespace

std::string resctrl_mount(std::string_view mountinfo) {
  for (const std::string_view line : split(mountinfo, '\n'))
    if (const auto mount = parse_mount(line); mount && mount->type == "resctrl") return mount->point;
  return "";
}

bool has_schemata(std::string_view file, const std::vector<std::string>& lines) {
  Shares has, wanted;
  for (const std::string_view line : split(file, '\n')) add_shares(line, &has);
  for (const std::string& line : lines) add_shares(line, &wanted);
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& share) {
    const auto found = has.find(share.first);
    return found != has.end() && found->second == share.second;
  });
}

Result<Resctrl> Resctrl::detect() {
  TRY(const std::string mountinfo, read_file("/proc/self/mountinfo"));
  std::string mount = resctrl_mount(mountinfo);
  if (mount.empty())
    return fail(
        ErrorKind::unsupported,
        "the resource control file system is not mounted, or the processor has none: mount -t resctrl "
        "resctrl /sys/fs/resctrl");
  return Resctrl(std::move(mount));
}

Error Resctrl::explain(Error error) const {
  const auto status = read_file(mount_ + kLastStatus, 4096);
  const std::string_view said = status ? trim(*status) : std::string_view();
  if (said.empty() || said == "ok") return error;
  return Error(error.kind(), error.error_number(), fmt::format("{} ({})", error.message(), said));
}

Result<ResctrlGroup> Resctrl::open_or_make(const ResctrlRequest& request) const {
  if (request.group == "/") return ResctrlGroup{.path = mount_};
  TRY(check_name(request.group));
  ResctrlGroup group{.path = mount_ + "/" + request.group};
  if (request.must_exist) {
    if (::access(group.path.c_str(), F_OK) != 0)
      return fail(errno, "'{}' has to be there when no schemata are given", group.path);
    return group;
  }
  TRY(group.made, make_group_directory(group.path));
  return group;
}

Result<void> Resctrl::fill(const ResctrlRequest& request, ResctrlGroup* group) const {
  const std::string file = group->path + kSchemata;
  if (!group->made && !request.pinned.empty()) {
    TRY(const std::string present, read_file(file));
    if (!has_schemata(present, request.pinned))
      return fail(ErrorKind::conflict, "'{}' has other shares than '{}'", group->path,
                  join(request.pinned, "', '"));
  }
  // A line for each write, so that the kernel's word on it is about this line.
  for (const auto* lines : {&request.pinned, &request.lines})
    for (const std::string& line : *lines)
      if (auto written = write_kernel_file(file, line + "\n"); !written)
        return fail_with(std::move(written.error()), fmt::format("'{}'", line));
  if (request.monitor.empty()) return {};
  TRY(check_name(request.monitor));
  const std::string monitor = group->path + kMonitorGroups + request.monitor;
  TRY(const bool made, make_group_directory(monitor));
  if (!made) return fail(ErrorKind::conflict, "'{}' exists: somebody else counts there", monitor);
  group->monitor_path = monitor;
  return {};
}

Result<ResctrlGroup> Resctrl::make(const ResctrlRequest& request) const {
  TRY(check_lines(request.pinned));
  TRY(check_lines(request.lines));
  auto group = open_or_make(request);
  if (!group) return tl::unexpected(explain(std::move(group.error())));
  if (auto filled = fill(request, &*group); !filled) {
    const Error error = explain(std::move(filled.error()));
    // The first failure is the one to tell.
    static_cast<void>(remove_resctrl_group(*group).has_value());
    return tl::unexpected(error);
  }
  return group;
}

Result<void> Resctrl::add_process(const ResctrlGroup& group, int pid) const {
  for (const std::string& directory : {group.path, group.monitor_path}) {
    if (directory.empty()) continue;
    if (auto added = write_kernel_file(directory + kTasks, std::to_string(pid)); !added)
      return tl::unexpected(explain(std::move(added.error())));
  }
  return {};
}

Result<void> remove_resctrl_group(const ResctrlGroup& group) {
  TRY(remove_directory(group.monitor_path));
  return remove_directory(group.made ? group.path : "");
}

}  // namespace fermata::kernel
