#include "e2e/support/cgroup_manager.h"

#include <cstdlib>

namespace fermata::e2e {

std::string cgroup_manager() {
  const char* name = std::getenv("FERMATA_TEST_CGROUP_MANAGER");
  return name != nullptr ? name : "";
}

}  // namespace fermata::e2e
