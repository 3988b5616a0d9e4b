#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/oci/command.h"
#include "kernel/capabilities.h"
#include "kernel/seccomp.h"
#include "oci/features_document.h"
#include "oci/runtime_document.h"
#include "runtime/mount_options.h"

namespace fermata::cli::oci {
namespace {

using Names = std::vector<std::string>;

// config-linux.md, "Seccomp": what kernel/seccomp.h takes.
const Names kSeccompActions = {"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
                               "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                               "SCMP_ACT_NOTIFY",       "SCMP_ACT_TRACE",       "SCMP_ACT_TRAP"};
const Names kSeccompOperators = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",       "SCMP_CMP_LE",
                                 "SCMP_CMP_LT", "SCMP_CMP_NE", "SCMP_CMP_MASKED_EQ"};
const Names kSeccompArchitectures = {
    "SCMP_ARCH_AARCH64",   "SCMP_ARCH_ARM",      "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",   "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",    "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC",      "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",   "SCMP_ARCH_RISCV64",  "SCMP_ARCH_S390",     "SCMP_ARCH_S390X",
    "SCMP_ARCH_X32",       "SCMP_ARCH_X86",      "SCMP_ARCH_X86_64"};
const Names kSeccompFlags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                             "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};

Result<int> run_spec(const App&, const Flags& flags) {
  if (flags.is_set("rootless"))
    return fail(ErrorKind::unsupported, "spec --rootless: containers are made by root");
  const std::string path = flags.text("bundle", ".") + "/config.json";
  struct stat info = {};
  if (::lstat(path.c_str(), &info) == 0)
    return fail(ErrorKind::conflict, "file {} exists. Remove it first", path);
  if (errno != ENOENT) return fail(errno, "'{}'", path);
  TRY(write_file(path, fermata::oci::example_runtime_spec(), 0666));
  return 0;
}

Result<int> run_features(const App&, const Flags&) {
  fermata::oci::Features features;
  features.hooks = {"prestart",       "createRuntime", "createContainer",
                    "startContainer", "poststart",     "poststop"};
  features.mount_options = runtime::mount_option_names();
  features.namespaces = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"};
  features.capabilities = kernel::capability_names();
  features.cgroup = {.v1 = true, .v2 = true, .systemd = true, .systemd_user = false, .rdma = true};
  features.seccomp.enabled = true;
  features.seccomp.actions = kSeccompActions;
  features.seccomp.operators = kSeccompOperators;
  features.seccomp.architectures = kSeccompArchitectures;
  features.seccomp.known_flags = kSeccompFlags;
  features.seccomp.supported_flags = features.seccomp.known_flags;
  features.apparmor = true;
  features.selinux = true;
  features.intel_rdt = {.enabled = true, .schemata = true, .monitoring = true};
  features.memory_policy_modes = {
      "MPOL_BIND",      "MPOL_DEFAULT",        "MPOL_INTERLEAVE",         "MPOL_LOCAL",
      "MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"};
  features.memory_policy_flags = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"};
  features.idmapped_mounts = true;
  features.network_devices = true;
  features.annotations = {{"io.github.seccomp.libseccomp.version", kernel::seccomp_version()}};
  TRY(print(features_document(features) + "\n"));
  return 0;
}

}  // namespace

void add_document_commands(std::vector<Command>& commands) {
  commands.push_back({.name = "features",
                      .summary = "Print what this runtime understands, as JSON",
                      .usage = "",
                      .least = 0,
                      .most = 0,
                      .flags = {},
                      .run = run_features});
  commands.push_back(
      {.name = "spec",
       .summary = "Write an example config.json into a bundle",
       .usage = "[OPTIONS]",
       .least = 0,
       .most = 0,
       .flags = {{"bundle", 'b', FlagKind::text, "string", "The bundle's directory (default \".\")"},
                 {"rootless", 0, FlagKind::boolean, "", "For a user other than root"}},
       .run = run_spec});
}

}  // namespace fermata::cli::oci
