// The entry of fermata-systemd.so (scope/scopes.h).
#include "scope/bus/bus_scopes.h"

extern "C" __attribute__((visibility("default"))) fermata::scope::Scopes* fermata_scopes_create() {
  return fermata::scope::make_bus_scopes().release();
}
