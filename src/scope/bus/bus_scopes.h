#pragma once

#include <memory>

#include "scope/scopes.h"

namespace fermata::scope {

// Connects on first use: as root to systemd's own socket, which needs no message bus, else to the system bus.
std::unique_ptr<Scopes> make_bus_scopes();

}  // namespace fermata::scope
