#include "pod/user_ids.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "runtime/stream_owner.h"

namespace fermata::pod {
namespace {

constexpr std::uint32_t kRange = 65536;            // what images expect
constexpr std::string_view kOwner = "containers";  // podman's, too
constexpr std::size_t kMaxFile = 1u << 20;

std::vector<kernel::IdRange> ranges_of(const std::vector<oci::IdMapping>& mappings) {
  std::vector<kernel::IdRange> ranges;
  for (const oci::IdMapping& mapping : mappings)
    ranges.push_back({mapping.container_id, mapping.host_id, mapping.size});
  return ranges;
}

bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b, std::uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

Result<void> check_mappings(const std::vector<oci::IdMapping>& mappings, const char* what) {
  // user_namespaces(7): 340 lines, and (uid_t) -1 is no user.
  constexpr std::size_t kMaxLines = 340;
  constexpr std::uint64_t kEnd = std::numeric_limits<std::uint32_t>::max();
  if (mappings.size() > kMaxLines)
    return fail(ErrorKind::invalid_argument, "user namespace: {} mappings of {} ids (at most {})",
                mappings.size(), what, kMaxLines);
  for (auto one = mappings.begin(); one != mappings.end(); ++one) {
    const std::uint64_t size = one->size;
    if (size == 0 || one->container_id + size > kEnd || one->host_id + size > kEnd)
      return fail(ErrorKind::invalid_argument, "user namespace: no such {} ids: {}:{}:{}", what,
                  one->container_id, one->host_id, one->size);
    for (auto other = mappings.begin(); other != one; ++other)
      if (overlap(one->container_id, size, other->container_id, other->size) ||
          overlap(one->host_id, size, other->host_id, other->size))
        return fail(ErrorKind::invalid_argument, "user namespace: {} ids {}:{}:{} and {}:{}:{} overlap", what,
                    other->container_id, other->host_id, other->size, one->container_id, one->host_id,
                    one->size);
  }
  if (!runtime::host_id(mappings, 0))
    return fail(ErrorKind::invalid_argument, "user namespace: {} 0 must be mapped", what);
  return {};
}

std::vector<IdSpan> spans_of(const std::vector<UserNamespace>& all,
                             std::vector<oci::IdMapping> UserNamespace::*kind) {
  std::vector<IdSpan> spans;
  for (const UserNamespace& one : all)
    for (const oci::IdMapping& mapping : one.*kind) spans.push_back({mapping.host_id, mapping.size});
  return spans;
}

Result<oci::IdMapping> choose(const char* file, const std::vector<IdSpan>& used) {
  const auto text = read_file(file, kMaxFile);
  const auto offered = parse_subordinate_ids(text.value_or(""), kOwner);
  if (offered.empty())
    return fail(
        ErrorKind::not_found,
        "user namespace: {} gives no ids to '{}': add a line such as '{}:2147483648:1073741824' to it, "
        "or say which with --uidmap and --gidmap",
        file, kOwner, kOwner);
  const auto first = free_range(offered, used);
  if (!first)
    return fail(
        ErrorKind::no_space,
        "user namespace: of the ids that {} gives to '{}' no {} in a row are free: remove containers, "
        "or add ids there",
        file, kOwner, kRange);
  return oci::IdMapping{0, *first, kRange};
}

}  // namespace

kernel::IdMaps id_maps(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids) {
  return {ranges_of(uids), ranges_of(gids)};
}

Result<void> check_user_namespace(const UserNamespace& wanted) {
  TRY(check_mappings(wanted.uids, "user"));
  return check_mappings(wanted.gids, "group");
}

Result<void> own_by_root(const std::string& path, const UserNamespace& owners) {
  const auto uid = runtime::host_id(owners.uids, 0), gid = runtime::host_id(owners.gids, 0);
  if (!uid || !gid)
    return fail(ErrorKind::invalid_argument, "user namespace: user 0 and group 0 must be mapped");
  if (::chown(path.c_str(), *uid, *gid) != 0)
    return fail(errno, "give '{}' to the root of a user namespace", path);
  return {};
}

std::vector<IdSpan> parse_subordinate_ids(std::string_view text, std::string_view owner) {
  std::vector<IdSpan> spans;
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(trim(line), ':');
    if (fields.size() != 3 || fields[0] != owner) continue;
    const auto first = parse_unsigned(fields[1]), size = parse_unsigned(fields[2]);
    constexpr std::uint64_t kEnd = std::numeric_limits<std::uint32_t>::max();
    if (!first || !size || *first >= kEnd) continue;
    spans.push_back({static_cast<std::uint32_t>(*first), std::min(*size, kEnd - *first)});
  }
  return spans;
}

std::optional<std::uint32_t> free_range(const std::vector<IdSpan>& offered, const std::vector<IdSpan>& used) {
  std::optional<std::uint32_t> best;
  for (const IdSpan& span : offered) {
    // The first free ones begin where the span does, or where another's end.
    std::vector<std::uint64_t> starts = {span.first};
    for (const IdSpan& other : used) starts.push_back(other.first + other.size);
    for (const std::uint64_t start : starts) {
      const bool inside = start >= span.first && start + kRange <= span.first + span.size;
      const bool taken = std::any_of(used.begin(), used.end(), [&](const IdSpan& other) {
        return overlap(start, kRange, other.first, other.size);
      });
      if (inside && !taken && (!best || start < *best)) best = static_cast<std::uint32_t>(start);
    }
  }
  return best;
}

Result<UserNamespace> choose_user_namespace(const std::vector<UserNamespace>& others) {
  TRY(const oci::IdMapping uids, choose("/etc/subuid", spans_of(others, &UserNamespace::uids)));
  TRY(const oci::IdMapping gids, choose("/etc/subgid", spans_of(others, &UserNamespace::gids)));
  return UserNamespace{.uids = {uids}, .gids = {gids}};
}

}  // namespace fermata::pod
