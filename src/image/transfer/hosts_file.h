// <host>/hosts.toml as containerd reads it ("Registry Configuration - Host Configuration"): where to ask for
// the images of a registry, in the file's order, and last the registry itself. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::image {

struct HostEntry {
  std::string url;  // "https://mirror.example:5000/prefix"; without a scheme: https
  bool pull = true, resolve = true;
  bool skip_verify = false;
  bool override_path = false;    // the URL's path is all there is; else /v2 is added
  std::vector<std::string> ca;   // files, as written
  std::string certificate, key;  // files, as written; the key may be in the certificate's
};

struct HostsFile {
  std::vector<HostEntry> hosts;
  HostEntry server;  // url "": the registry by its own name
};

Result<HostsFile> parse_hosts_file(std::string_view text, const std::string& path);

}  // namespace fermata::image
