#include "network/pod_ranges.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "network/address_pool.h"
#include "network/records.h"

namespace fermata::network {
namespace {

constexpr char kSetting[] = "pod_ranges";

const char* family_name(const kernel::IpNetwork& network) {
  return network.address.family == AF_INET ? "IPv4" : "IPv6";
}

}  // namespace

Result<PodRanges> parse_pod_ranges(std::string_view text) {
  PodRanges ranges;
  for (const std::string_view part : split(text, ',')) {
    const auto range = kernel::parse_network(trim(part));
    if (!range)
      return fail(ErrorKind::invalid_argument,
                  "'{}' is not a network; give one such as 10.244.3.0/24 or fd00:10:244:3::/64", trim(part));
    const auto same = std::find_if(ranges.begin(), ranges.end(), [&](const kernel::IpNetwork& other) {
      return other.address.family == range->address.family;
    });
    if (same != ranges.end())
      return fail(ErrorKind::invalid_argument,
                  "'{}' and '{}' are both {}: a node has one network of each family",
                  kernel::format_network(*same), kernel::format_network(*range), family_name(*range));
    ranges.push_back(*range);
  }
  return ranges;
}

std::string format_pod_ranges(const PodRanges& ranges) {
  std::string text;
  for (const kernel::IpNetwork& range : ranges)
    text += (text.empty() ? "" : ",") + kernel::format_network(range);
  return text;
}

std::string unsuited(const kernel::IpNetwork& range) {
  if (AddressPool::suits(range)) return {};
  return fmt::format(
      "{}: the built-in network takes IPv4 networks from /8 to /30 and IPv6 networks up to /96",
      kernel::format_network(range));
}

Result<PodRanges> recorded_pod_ranges(state::Database& database) {
  TRY(const std::string text, setting(database, kSetting));
  if (text.empty()) return PodRanges();
  return parse_pod_ranges(text);
}

Result<void> record_pod_ranges(state::Database& database, const PodRanges& ranges) {
  return set_setting(database, kSetting, format_pod_ranges(ranges));
}

}  // namespace fermata::network
