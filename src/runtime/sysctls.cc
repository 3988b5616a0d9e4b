#include "runtime/sysctls.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>

namespace fermata::runtime {
namespace {

using Type = oci::Namespace::Type;

struct Row {
  std::string_view name;  // with '.' at its end: everything below
  Type owner;
};
constexpr auto kOwners = std::to_array<Row>({
    {"net.", Type::network},
    {"fs.mqueue.", Type::ipc},
    {"kernel.msgmax", Type::ipc},
    {"kernel.msgmnb", Type::ipc},
    {"kernel.msgmni", Type::ipc},
    {"kernel.sem", Type::ipc},
    {"kernel.shmall", Type::ipc},
    {"kernel.shmmax", Type::ipc},
    {"kernel.shmmni", Type::ipc},
    {"kernel.shm_rmid_forced", Type::ipc},
    {"kernel.domainname", Type::uts},
    {"kernel.hostname", Type::uts},
    {"user.", Type::user},
});

const char* name_of(Type type) {
  switch (type) {
    case Type::network:
      return "network";
    case Type::ipc:
      return "ipc";
    case Type::uts:
      return "uts";
    default:
      return "user";
  }
}

const char* own_file(Type type) {
  switch (type) {
    case Type::network:
      return "/proc/self/ns/net";
    case Type::ipc:
      return "/proc/self/ns/ipc";
    case Type::uts:
      return "/proc/self/ns/uts";
    default:
      return "/proc/self/ns/user";
  }
}

bool is_ours(const oci::Namespace& one) {
  struct stat own = {}, other = {};
  return one.fd >= 0 && ::stat(own_file(one.type), &own) == 0 && ::fstat(one.fd, &other) == 0 &&
         own.st_ino == other.st_ino;
}

}  // namespace

std::optional<Type> namespace_of_sysctl(std::string_view name) {
  std::string dotted(name);
  // With a '/' anywhere, a '.' is part of a name (of an interface).
  if (dotted.find('/') != std::string::npos)
    for (char& c : dotted) c = c == '/' ? '.' : c == '.' ? '/' : c;
  for (const Row& row : kOwners)
    if (row.name.ends_with('.') ? dotted.starts_with(row.name) : dotted == row.name) return row.owner;
  return std::nullopt;
}

Result<void> check_sysctls(const oci::RuntimeSpec& spec) {
  for (const auto& [name, value] : spec.sysctl) {
    const auto owner = namespace_of_sysctl(name);
    if (!owner)
      return fail(ErrorKind::invalid_argument,
                  "linux.sysctl '{}': it belongs to no namespace, but to the whole host", name);
    const auto found = std::find_if(spec.namespaces.begin(), spec.namespaces.end(),
                                    [&](const oci::Namespace& one) { return one.type == *owner; });
    if (found == spec.namespaces.end() || is_ours(*found))
      return fail(ErrorKind::invalid_argument,
                  "linux.sysctl '{}': the container has the host's {} namespace; it needs one of its own",
                  name, name_of(*owner));
  }
  return {};
}

}  // namespace fermata::runtime
