#include "cri/probes.h"

#include <sys/mount.h>

#include "kernel/mounts.h"
#include "kernel/user_namespace.h"

namespace fermata::cri {
namespace {

bool can_make_read_only_recursively() {
  const auto tree = kernel::make_detached_mount("tmpfs", "", 0);
  return tree && kernel::set_mount_attributes(tree->get(), MOUNT_ATTR_RDONLY, 0, 0, true);
}

bool can_map_ids(const std::string& store) {
  // Any ids but our own.
  const kernel::IdRange range{.inside = 0, .outside = 100'000, .size = 65'536};
  const auto user_namespace = kernel::make_user_namespace({.uids = {range}, .gids = {range}});
  if (!user_namespace) return false;
  const auto layers = kernel::clone_tree(store, false);
  const auto secrets = kernel::make_detached_mount("tmpfs", "", 0);
  return layers && secrets && kernel::map_mount_ids(layers->get(), user_namespace->get(), false) &&
         kernel::map_mount_ids(secrets->get(), user_namespace->get(), false);
}

}  // namespace

HostFeatures probe_host(const std::string& store) {
  return {.recursive_read_only = can_make_read_only_recursively(), .user_namespaces = can_map_ids(store)};
}

}  // namespace fermata::cri
