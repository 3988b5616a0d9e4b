// System call filters, compiled by libseccomp into the kernel's classic BPF. seccomp(2), seccomp_rule_add(3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace fermata::kernel {

struct SeccompAction {
  std::string name;        // "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", ...
  std::uint32_t data = 1;  // errno of ERRNO (EPERM), message of TRACE
};

struct SeccompComparison {
  unsigned index = 0;  // of the system call's argument, 0 to 5
  std::string op;      // "SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ", ...
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;  // of MASKED_EQ: what value & mask must equal
};

struct SeccompRule {
  std::string syscall;
  SeccompAction action;
  std::vector<SeccompComparison> comparisons;  // all must hold; several of one argument: any of them
};

struct SeccompPolicy {
  SeccompAction default_action;
  std::vector<std::string> architectures;  // besides the native one: "SCMP_ARCH_X86", ...
  std::vector<SeccompRule> rules;
};

// An array of struct sock_filter, as bytes. System calls and architectures that libseccomp does not know are
// left out (the default action then applies), as docker does: a profile is newer than the library as a rule.
Result<std::string> compile_seccomp(const SeccompPolicy& policy);
// Whether anything in it notifies (SCMP_ACT_NOTIFY): then loading it gives a descriptor, which somebody must
// read.
bool notifies(const SeccompPolicy& policy);
// Of the library that compiles: part of a cache's key. No call into it.
std::string seccomp_version();

}  // namespace fermata::kernel
