// The files that name resolution reads in a container: /etc/hosts, /etc/resolv.conf, /etc/hostname. Contents
// are made by pure functions; write_network_files puts them into the pod's run directory, shared by its
// containers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "network/network.h"
#include "pod/rows.h"

namespace fermata::pod {

// `addresses`: the pod's own. "host-gateway" in an extra host ("name:address") stands for `gateway`.
std::string hosts_file(const std::string& hostname, const std::string& domainname,
                       const std::vector<std::string>& addresses, const std::vector<std::string>& extra_hosts,
                       const std::string& gateway);

struct ResolverOptions {
  std::vector<std::string> servers, search, options;  // --dns, --dns-search ("." for none), --dns-option
  bool ipv6 = true;                                   // servers with IPv6 addresses can be reached
  bool keep_loopback = false;                         // the network namespace is the host's
};
// What a container gets for the host's file: loopback servers cannot be reached from another network
// namespace, and public ones step in when none is left, as docker does.
std::string resolv_conf(std::string_view host, const ResolverOptions& options);
// Do all its servers point at systemd-resolved's stub? Then /run/systemd/resolve/resolv.conf has the real
// ones.
bool is_stub_resolver(std::string_view resolv_conf);

Result<void> write_network_files(const std::string& directory, const PodConfig& config,
                                 const PodRuntime& runtime);

}  // namespace fermata::pod
