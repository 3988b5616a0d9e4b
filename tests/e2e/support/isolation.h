// The machine that a test program sees as its host: by default a network and a mount namespace of its own, so
// that ports, links, rules and mounts are nobody else's and every one left behind is seen.
// FERMATA_TEST_ON_HOST=1 stays in the caller's.
#pragma once

#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "e2e/support/process.h"

namespace fermata::e2e {

// Once, first thing in main(), while there is one thread. False: not root (tests are then skipped). Ends the
// program when the kernel refuses.
bool enter_test_host();
// Addresses of the host other than loopback; "" when it has none.
std::string host_ipv4();
std::string host_ipv6();

// Another machine: a network namespace that reaches the test's host over a cable. Only in a host of our own.
class OtherMachine {
 public:
  OtherMachine();
  ~OtherMachine();
  bool usable() const { return usable_; }
  Outcome run(const Arguments& arguments, const RunOptions& options = {}) const;

 private:
  pid_t pid_ = -1;
  bool usable_ = false;
};

}  // namespace fermata::e2e
