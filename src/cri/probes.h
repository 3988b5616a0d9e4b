// What this kernel can do of what Kubernetes asks a runtime about.
#pragma once

#include <string>

namespace fermata::cri {

struct HostFeatures {
  // mount_setattr(2) with AT_RECURSIVE.
  bool recursive_read_only = false;
  // User namespaces may be made, and both the layers below the store and tmpfs, which Kubernetes' secrets
  // are on, can be seen with other owners through them: Linux 6.3, depending on the store's file system.
  bool user_namespaces = false;
};

// By trying; leaves nothing behind. `store`: a directory of the file system that holds the layers.
HostFeatures probe_host(const std::string& store);

}  // namespace fermata::cri
