#include "cdi/edits.h"

namespace fermata::cdi {
namespace {

template <class T>
void append_to(std::vector<T>& out, const std::vector<T>& more) {
  out.insert(out.end(), more.begin(), more.end());
}

// Of all six points of a container's life.
constexpr std::vector<oci::Hook> oci::Hooks::*kHookLists[] = {
    &oci::Hooks::prestart,        &oci::Hooks::create_runtime, &oci::Hooks::create_container,
    &oci::Hooks::start_container, &oci::Hooks::poststart,      &oci::Hooks::poststop};

}  // namespace

bool Edits::empty() const {
  for (const auto list : kHookLists)
    if (!(hooks.*list).empty()) return false;
  return env.empty() && device_nodes.empty() && mounts.empty() && additional_gids.empty() && !intel_rdt &&
         network_devices.empty();
}

void Edits::append(const Edits& other) {
  append_to(env, other.env);
  append_to(device_nodes, other.device_nodes);
  append_to(mounts, other.mounts);
  for (const auto list : kHookLists) append_to(hooks.*list, other.hooks.*list);
  append_to(additional_gids, other.additional_gids);
  if (other.intel_rdt) intel_rdt = other.intel_rdt;
  for (const auto& [outside, inside] : other.network_devices) network_devices[outside] = inside;
}

}  // namespace fermata::cdi
