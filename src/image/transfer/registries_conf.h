// registries.conf, containers-registries.conf(5): what podman, skopeo and CRI-O read of registries and their
// mirrors. Pure. Only its present form, [[registry]], says anything here: the search for short names is none
// of ours.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/reference.h"

namespace fermata::image {

struct MirrorRule {
  std::string location;
  bool insecure = false;
  bool by_tag = true, by_digest = true;  // pull-from-mirror
};

struct RegistryRule {
  std::string prefix;    // "docker.io", "docker.io/library", "*.example.com"
  std::string location;  // stands where the prefix stood; "": the prefix
  bool insecure = false;
  bool blocked = false;
  std::vector<MirrorRule> mirrors;
};

// Other settings of the file are left alone. `path` is for messages.
Result<std::vector<RegistryRule>> parse_registries_conf(std::string_view text, const std::string& path);
// The one with the longest prefix; nullptr: none speaks of the image.
const RegistryRule* rule_for(const std::vector<RegistryRule>& rules, const oci::Reference& image);
// "docker.io/library/nginx" with `location` where the rule's prefix was.
std::string relocated(const RegistryRule& rule, const std::string& location, const oci::Reference& image);

}  // namespace fermata::image
