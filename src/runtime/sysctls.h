// Which namespace a kernel parameter belongs to: the others are the host's, and no container's to change.
// sysctl(8), namespaces(7).
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

// Of "net.ipv4.ip_forward" or "net/ipv4/ip_forward"; nullopt: of the host alone. Pure.
std::optional<oci::Namespace::Type> namespace_of_sysctl(std::string_view name);

// Refuses a sysctl of `spec` whose namespace is the caller's own. Namespaces by path must have been opened.
Result<void> check_sysctls(const oci::RuntimeSpec& spec);

}  // namespace fermata::runtime
