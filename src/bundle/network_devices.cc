#include "bundle/network_devices.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/files.h"

namespace fermata::bundle {
namespace {

constexpr std::string_view kTemplate = "%d";

bool has_network_namespace(const oci::RuntimeSpec& spec) {
  return std::any_of(spec.namespaces.begin(), spec.namespaces.end(),
                     [](const oci::Namespace& one) { return one.type == oci::Namespace::Type::network; });
}

Result<std::vector<kernel::NetworkPlace>> open_places(int pid) {
  std::vector<kernel::NetworkPlace> places;
  for (const std::string& path : {std::string("/proc/self/ns/net"), fmt::format("/proc/{}/ns/net", pid)}) {
    TRY(UniqueFd space, open_file(path, O_RDONLY));
    TRY(kernel::NetworkPlace place, kernel::NetworkPlace::open(std::move(space)));
    places.push_back(std::move(place));
  }
  return places;
}

// After the move it would be too late: the kernel finds out about a name only when the device has left.
Result<void> check_new_name(const kernel::NetlinkSocket& there, const std::string& name,
                            std::set<std::string>* taken) {
  if (name.find(kTemplate) != std::string::npos) return {};
  if (there.link_index(name) != 0 || !taken->insert(name).second)
    return fail(ErrorKind::conflict, "the container has an interface '{}' already", name);
  return {};
}

Result<std::vector<kernel::NetworkDevice>> look_up(const oci::RuntimeSpec& spec,
                                                   std::vector<kernel::NetworkPlace>* places) {
  std::vector<kernel::NetworkDevice> devices;
  std::set<std::string> taken;
  for (const auto& [outside, inside] : spec.network_devices) {
    TRY(auto device, kernel::find_network_device((*places)[0].socket, outside));
    if (device.loopback)
      return fail(ErrorKind::invalid_argument, "'{}' belongs to its network namespace for good", outside);
    TRY(check_new_name((*places)[1].socket, inside, &taken));
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace

MovedDevices::MovedDevices(MovedDevices&& other) noexcept
    : places_(std::move(other.places_)), moved_(std::exchange(other.moved_, {})) {}

MovedDevices& MovedDevices::operator=(MovedDevices&& other) noexcept {
  if (this != &other) {
    bring_back();
    places_.swap(other.places_);
    moved_.swap(other.moved_);
  }
  return *this;
}

MovedDevices::~MovedDevices() { bring_back(); }

void MovedDevices::bring_back() {
  for (const Moved& moved : moved_) {
    auto back = kernel::move_network_device(places_[1], moved.device, places_[0], moved.old_name);
    // A failure goes before this one, and is the one to tell.
    if (back) static_cast<void>(kernel::restore_network_device(places_[0], *back, moved.was_up).has_value());
  }
  moved_.clear();
}

Result<void> MovedDevices::move_one(const kernel::NetworkDevice& device, const std::string& name) {
  TRY(auto moved, kernel::move_network_device(places_[0], device, places_[1], name));
  moved_.push_back({.old_name = device.name, .was_up = device.up, .device = std::move(moved)});
  return kernel::restore_network_device(places_[1], moved_.back().device, true);
}

Result<MovedDevices> MovedDevices::move(const oci::RuntimeSpec& spec, int pid) {
  MovedDevices result;
  if (spec.network_devices.empty()) return result;
  if (!has_network_namespace(spec))
    return fail(ErrorKind::invalid_argument,
                "linux.netDevices: the container needs a network namespace (linux.namespaces)");
  const auto run = [&]() -> Result<void> {
    TRY(result.places_, open_places(pid));
    TRY(const auto devices, look_up(spec, &result.places_));
    for (const kernel::NetworkDevice& device : devices)
      TRY(result.move_one(device, spec.network_devices.at(device.name)));
    return {};
  };
  if (auto ran = run(); !ran) return fail_with(std::move(ran.error()), "linux.netDevices");
  return result;
}

}  // namespace fermata::bundle
