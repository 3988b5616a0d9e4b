// Who makes the control groups of pods in this run of the tests.
#pragma once

#include <string>

namespace fermata::e2e {

// As --cgroup-manager takes it, from FERMATA_TEST_CGROUP_MANAGER (tests/vm/run); "": the programs' default,
// cgroupfs.
std::string cgroup_manager();

}  // namespace fermata::e2e
