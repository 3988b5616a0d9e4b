#include "runtime/sysctls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::runtime {
namespace {

using Type = oci::Namespace::Type;
using testing::HasSubstr;

TEST(Sysctls, BelongToNamespaces) {
  EXPECT_EQ(namespace_of_sysctl("net.ipv4.ip_forward"), Type::network);
  EXPECT_EQ(namespace_of_sysctl("net/ipv4/conf/eth0.1/forwarding"), Type::network);
  EXPECT_EQ(namespace_of_sysctl("kernel.shmmax"), Type::ipc);
  EXPECT_EQ(namespace_of_sysctl("fs/mqueue/msg_max"), Type::ipc);
  EXPECT_EQ(namespace_of_sysctl("kernel/domainname"), Type::uts);
  for (const char* name :
       {"kernel.core_pattern", "kernel.shmmaxx", "vm.swappiness", "fs.mqueue", "", "network.x"})
    EXPECT_EQ(namespace_of_sysctl(name), std::nullopt) << name;
}

TEST(Sysctls, OfTheHostAreRefused) {
  const auto problem = [](const char* name, std::vector<oci::Namespace> namespaces) {
    oci::RuntimeSpec spec;
    spec.sysctl = {{name, "1"}};
    spec.namespaces = std::move(namespaces);
    const auto checked = check_sysctls(spec);
    return checked ? std::string() : checked.error().message();
  };
  EXPECT_THAT(problem("kernel.core_pattern", {{Type::ipc}}), HasSubstr("kernel.core_pattern"));
  EXPECT_THAT(problem("net.ipv4.ip_forward", {{Type::ipc}}), HasSubstr("network namespace"));
  EXPECT_EQ(problem("net.ipv4.ip_forward", {{Type::network}}), "");
  EXPECT_EQ(problem("kernel.sem", {{Type::ipc}}), "");
}

}  // namespace
}  // namespace fermata::runtime
