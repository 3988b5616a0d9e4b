// Network namespaces with a name in the file system, for plugins to open: each is bind mounted on a file,
// <directory>/fermata-<id>, as ip-netns(8) does.
//
// A path below /proc would not do: the number of a process that has ended may be another pod's later, and a
// plugin that runs in a container sees other numbers. The pin is the one mount of ours in the host's
// namespace, and keeps the network namespace alive until it is taken away.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace fermata::cni {

inline constexpr const char* kDefaultPinDirectory = "/run/netns";

// Its path. If the namespace is pinned already it stays; another under the same name, from an attempt that
// was broken off, is replaced. What that one had of CNI must have been detached before (Attachments::del):
// plugins look for the addresses inside to know which rules of the host to remove.
Result<std::string> pin_network_namespace(const std::string& directory, const std::string& id,
                                          int network_namespace);
// Absent is success.
Result<void> unpin_network_namespace(const std::string& directory, const std::string& id);
// The ids of what is pinned there, and of files that a broken-off attempt has left.
Result<std::vector<std::string>> list_pins(const std::string& directory);
// Whether the path leads to a namespace. A file below a pin that is gone is not one.
bool is_namespace(const std::string& path);

}  // namespace fermata::cni
