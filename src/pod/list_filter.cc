#include "pod/list_filter.h"

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"
#include "oci/reference.h"

namespace fermata::pod {
namespace {

constexpr auto kKeys =
    std::to_array<std::string_view>({"ancestor", "before", "exited", "expose", "health", "id", "label",
                                     "name", "network", "pod", "publish", "since", "status", "volume"});
constexpr auto kStates = std::to_array<std::string_view>(
    {"created", "running", "exited", "removing", "paused", "restarting", "dead"});
constexpr auto kHealths = std::to_array<std::string_view>({"none", "starting", "healthy", "unhealthy"});

// "80", "80/udp", "8000-8010/tcp"
struct PortRange {
  std::uint64_t first, last;
  std::string protocol;
  bool holds(std::uint64_t port, std::string_view of) const {
    return port >= first && port <= last && of == protocol;
  }
};
std::optional<PortRange> parse_ports(std::string_view text) {
  const auto pair = split_once(text, '/');
  const std::string_view numbers = pair ? pair->first : text;
  const auto ends = split_once(numbers, '-');
  const auto first = parse_unsigned(ends ? ends->first : numbers);
  const auto last = ends ? parse_unsigned(ends->second) : first;
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{*first, *last, std::string(pair ? pair->second : "tcp")};
}

// The host's ports.
bool publishes(const ContainerInfo& container, const PortRange& wanted) {
  return std::any_of(container.ports.begin(), container.ports.end(), [&](const network::PortMapping& port) {
    return wanted.holds(port.host_port, port.protocol);
  });
}

// The container's: what is published is exposed as well.
bool exposes(const ContainerInfo& container, const PortRange& wanted) {
  const auto& published = container.config.ports;
  return std::any_of(published.begin(), published.end(),
                     [&](const network::PortMapping& port) {
                       return wanted.holds(port.container_port, port.protocol);
                     }) ||
         std::any_of(container.exposed_ports.begin(), container.exposed_ports.end(),
                     [&](const std::string& port) {
                       const auto range = parse_ports(port);
                       return range && wanted.holds(range->first, range->protocol);
                     });
}

// Docker takes a regular expression; what is none is searched for as it stands.
bool matches_name(const std::string& name, const std::string& pattern) {
  try {
    const std::regex expression(pattern);
    return std::regex_search(name, expression) || std::regex_search("/" + name, expression);
  } catch (const std::regex_error&) {
    return name.find(pattern) != std::string::npos;
  }
}

bool matches_label(const ContainerInfo& container, const std::string& wanted) {
  const auto pair = split_once(wanted, '=');
  const auto found = container.config.labels.find(std::string(pair ? pair->first : std::string_view(wanted)));
  return found != container.config.labels.end() && (!pair || found->second == pair->second);
}

bool matches_ancestor(const ContainerInfo& container, const std::string& wanted) {
  const std::string& id = container.image_id;
  if (id == wanted || (id.starts_with("sha256:") && id.substr(7).starts_with(wanted) && wanted.size() >= 4))
    return true;
  const auto own = oci::parse_reference(container.config.image);
  const auto other = oci::parse_reference(wanted);
  return own && other && own->canonical() == other->canonical();
}

bool matches_volume(const ContainerInfo& container, const std::string& wanted) {
  return std::any_of(container.mounts.begin(), container.mounts.end(), [&](const auto& mount) {
    return mount.first == wanted || mount.second.source == wanted || mount.second.destination == wanted;
  });
}

bool matches_one(const ContainerInfo& container, const std::string& key, const std::string& value) {
  if (key == "id") return container.id.starts_with(value);
  if (key == "name") return matches_name(container.name, value);
  if (key == "status") return state_text(container) == value;
  if (key == "label") return matches_label(container, value);
  if (key == "ancestor") return matches_ancestor(container, value);
  if (key == "exited")
    return container.state == ContainerState::exited && std::to_string(container.exit_code) == value;
  if (key == "pod") return container.pod_id.starts_with(value);
  if (key == "volume") return matches_volume(container, value);
  if (key == "publish") return publishes(container, *parse_ports(value));
  if (key == "expose") return exposes(container, *parse_ports(value));
  if (key == "health") return value == "none";
  return container.config.net.kind == value || container.config.net.target == value;
}

bool is_valid(const std::string& key, const std::string& value) {
  if (key == "exited") return parse_unsigned(value).has_value();
  if (key == "status") return std::find(kStates.begin(), kStates.end(), value) != kStates.end();
  if (key == "health") return std::find(kHealths.begin(), kHealths.end(), value) != kHealths.end();
  if (key == "publish" || key == "expose") return parse_ports(value).has_value();
  return true;
}

}  // namespace

Result<ListFilter> ListFilter::parse(const ContainerFilter& filter, const CreationTime& created) {
  ListFilter parsed;
  parsed.all_ = filter.all || filter.last;
  for (const auto& [key, value] : filter.filters) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return fail(ErrorKind::invalid_argument, "invalid filter '{}': known are {}", key,
                  join({kKeys.begin(), kKeys.end()}, ", "));
    if (!is_valid(key, value)) return fail(ErrorKind::invalid_argument, "invalid filter '{}={}'", key, value);
    if (key == "before" || key == "since") {
      TRY(const std::int64_t time, created(value));
      (key == "before" ? parsed.before_ : parsed.since_) = time;
      continue;
    }
    // As docker: who asks for a state asks for those that do not run as well.
    if (key == "status" || key == "exited") parsed.all_ = true;
    parsed.wanted_[key].push_back(value);
  }
  return parsed;
}

bool ListFilter::matches(const ContainerInfo& container) const {
  if (!all_ && container.state != ContainerState::running) return false;
  if (before_ && container.created >= *before_) return false;
  if (since_ && container.created <= *since_) return false;
  return std::all_of(wanted_.begin(), wanted_.end(), [&](const auto& entry) {
    const std::string& key = entry.first;
    const auto& values = entry.second;
    const auto holds = [&](const std::string& value) { return matches_one(container, key, value); };
    // Labels must all be there; other values are alternatives.
    return key == "label" ? std::all_of(values.begin(), values.end(), holds)
                          : std::any_of(values.begin(), values.end(), holds);
  });
}

}  // namespace fermata::pod
