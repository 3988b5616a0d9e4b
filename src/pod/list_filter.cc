#include "pod/list_filter.h"

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"
#include "oci/reference.h"

namespace fermata::pod {
namespace {

constexpr auto kKeys = std::to_array<std::string_view>(
    {"id", "name", "status", "label", "ancestor", "exited", "pod", "volume", "network"});

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
  if (key == "status") return to_string(container.state) == value;
  if (key == "label") return matches_label(container, value);
  if (key == "ancestor") return matches_ancestor(container, value);
  if (key == "exited")
    return container.state == ContainerState::exited && std::to_string(container.exit_code) == value;
  if (key == "pod") return container.pod_id.starts_with(value);
  if (key == "volume") return matches_volume(container, value);
  return container.config.net.kind == value || container.config.net.target == value;
}

}  // namespace

Result<ListFilter> ListFilter::parse(const ContainerFilter& filter) {
  ListFilter parsed;
  parsed.all_ = filter.all || filter.last;
  for (const auto& [key, value] : filter.filters) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return fail(ErrorKind::invalid_argument, "invalid filter '{}'", key);
    if (key == "exited" && !parse_unsigned(value))
      return fail(ErrorKind::invalid_argument, "invalid filter 'exited={}'", value);
    if (key == "status") {
      constexpr std::string_view kStates[] = {"created", "running",    "exited", "removing",
                                              "paused",  "restarting", "dead"};
      if (std::find(std::begin(kStates), std::end(kStates), value) == std::end(kStates))
        return fail(ErrorKind::invalid_argument, "invalid filter 'status={}'", value);
    }
    // As docker: who asks for a state asks for those that do not run as well.
    if (key == "status" || key == "exited") parsed.all_ = true;
    parsed.wanted_[key].push_back(value);
  }
  return parsed;
}

bool ListFilter::matches(const ContainerInfo& container) const {
  if (!all_ && container.state != ContainerState::running) return false;
  return std::all_of(wanted_.begin(), wanted_.end(), [&](const auto& entry) {
    const auto& [key, values] = entry;
    const auto holds = [&](const std::string& value) { return matches_one(container, key, value); };
    // Labels must all be there; other values are alternatives.
    return key == "label" ? std::all_of(values.begin(), values.end(), holds)
                          : std::any_of(values.begin(), values.end(), holds);
  });
}

}  // namespace fermata::pod
