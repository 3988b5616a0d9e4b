#include "runtime/user.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace fermata::runtime {
namespace {

// Docker's bound: what an int32 of a tool in the container can hold.
constexpr std::uint64_t kMaxId = 0x7fffffff;

struct PasswdEntry {
  std::string_view name;
  std::uint32_t uid;
  std::uint32_t gid;
  std::string_view home;
};

struct GroupEntry {
  std::string_view name;
  std::uint32_t gid;
  std::string_view members;  // "a,b"
};

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto value = parse_unsigned(text);
  if (!value || *value > kMaxId) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

// The first N fields of "a:b:c"; those that the line lacks are "".
template <std::size_t N>
std::array<std::string_view, N> fields_of(std::string_view line) {
  std::array<std::string_view, N> fields;
  for (std::size_t i = 0; i < N; ++i) {
    const auto colon = line.find(':');
    fields[i] = line.substr(0, colon);
    if (colon == std::string_view::npos) break;
    line.remove_prefix(colon + 1);
  }
  return fields;
}

std::optional<PasswdEntry> parse_passwd_line(std::string_view line) {
  const auto fields = fields_of<7>(line);
  const auto uid = parse_id(fields[2]);
  const auto gid = parse_id(fields[3]);
  if (fields[0].empty() || fields[0][0] == '#' || !uid || !gid) return std::nullopt;
  return PasswdEntry{fields[0], *uid, *gid, fields[5]};
}

std::optional<GroupEntry> parse_group_line(std::string_view line) {
  const auto fields = fields_of<4>(line);
  const auto gid = parse_id(fields[2]);
  if (fields[0].empty() || fields[0][0] == '#' || !gid) return std::nullopt;
  return GroupEntry{fields[0], *gid, fields[3]};
}

// Calls `visit` with every well-formed entry until it returns true.
template <class Parse, class Visit>
void for_each_entry(std::string_view file, Parse parse, Visit visit) {
  while (!file.empty()) {
    const auto end = file.find('\n');
    if (const auto entry = parse(trim(file.substr(0, end))); entry && visit(*entry)) return;
    if (end == std::string_view::npos) return;
    file.remove_prefix(end + 1);
  }
}

// By name first come, first served, or by number: whichever line matches first, as docker has it.
std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view wanted) {
  const auto uid = parse_id(wanted);
  std::optional<PasswdEntry> found;
  for_each_entry(passwd, parse_passwd_line, [&](const PasswdEntry& entry) {
    if (entry.name != wanted && (!uid || entry.uid != *uid)) return false;
    found = entry;
    return true;
  });
  return found;
}

Result<std::uint32_t> find_group(std::string_view group, std::string_view wanted) {
  const auto gid = parse_id(wanted);
  std::optional<std::uint32_t> found;
  for_each_entry(group, parse_group_line, [&](const GroupEntry& entry) {
    if (entry.name != wanted && (!gid || entry.gid != *gid)) return false;
    found = entry.gid;
    return true;
  });
  if (found) return *found;
  if (gid) return *gid;
  if (parse_unsigned(wanted))
    return fail(ErrorKind::invalid_argument, "group id {} is not in 0-{}", wanted, kMaxId);
  return fail(ErrorKind::invalid_argument, "unable to find group {}: no matching entries in group file",
              wanted);
}

std::vector<std::uint32_t> groups_with_member(std::string_view group, std::string_view name) {
  std::vector<std::uint32_t> gids;
  for_each_entry(group, parse_group_line, [&](const GroupEntry& entry) {
    const auto members = split(entry.members, ',');
    if (std::find(members.begin(), members.end(), name) != members.end()) gids.push_back(entry.gid);
    return false;
  });
  return gids;
}

Result<ResolvedUser> look_up(std::string_view wanted, std::string_view passwd) {
  ResolvedUser result;
  result.home = "/";
  if (const auto entry = find_user(passwd, wanted)) {
    result.user.uid = entry->uid;
    result.user.gid = entry->gid;
    result.name = entry->name;
    if (!entry->home.empty()) result.home = entry->home;
    return result;
  }
  const auto uid = parse_id(wanted);
  if (uid) {
    result.user.uid = *uid;
    return result;
  }
  if (parse_unsigned(wanted))
    return fail(ErrorKind::invalid_argument, "user id {} is not in 0-{}", wanted, kMaxId);
  return fail(ErrorKind::invalid_argument, "unable to find user {}: no matching entries in passwd file",
              wanted);
}

}  // namespace

Result<ResolvedUser> resolve_user(std::string_view spec, std::string_view passwd, std::string_view group,
                                  const std::vector<std::string>& extra_groups) {
  const auto parts = split_once(spec, ':');
  const std::string_view user_part = parts ? parts->first : spec;
  const std::string_view group_part = parts ? parts->second : std::string_view();
  TRY(ResolvedUser result, look_up(user_part.empty() ? "0" : user_part, passwd));
  std::vector<std::uint32_t> more;
  if (!group_part.empty()) {
    TRY(result.user.gid, find_group(group, group_part));
  } else if (!result.name.empty()) {
    more = groups_with_member(group, result.name);
  }
  for (const std::string& extra : extra_groups) {
    TRY(const std::uint32_t gid, find_group(group, extra));
    more.push_back(gid);
  }
  // The primary group is among the others too: else a set-group-ID program could shed it (CVE-2022-36109).
  result.user.additional_gids.push_back(result.user.gid);
  for (const std::uint32_t gid : more) {
    auto& gids = result.user.additional_gids;
    if (std::find(gids.begin(), gids.end(), gid) == gids.end()) gids.push_back(gid);
  }
  return result;
}

}  // namespace fermata::runtime
