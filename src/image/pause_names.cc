// The names under which the pause image is known (mission.md, W1): the engine serves it from inside itself.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "image/images.h"

namespace fermata::image {
namespace {

constexpr auto kNames = std::to_array<std::string_view>(
    {"registry.k8s.io/pause", "k8s.gcr.io/pause", "gcr.io/google_containers/pause",
     "gcr.io/google_containers/pause-amd64", "docker.io/jimmysong/pause-amd64",
     "registry.aliyuncs.com/google_containers/pause",
     "registry.cn-hangzhou.aliyuncs.com/google_containers/pause"});

}  // namespace

bool is_pause_reference(const oci::Reference& reference) {
  if (!reference.digest.empty()) return false;
  return std::find(kNames.begin(), kNames.end(), reference.registry + "/" + reference.repository) !=
         kNames.end();
}

std::string pause_user(const oci::Reference& reference) {
  const auto parts = split_once(reference.tag, '.');
  const auto major = parse_unsigned(parts ? parts->first : std::string_view(reference.tag));
  if (!major) return "65535:65535";  // "latest" is new
  const auto minor =
      parse_unsigned(parts ? parts->second.substr(0, parts->second.find_first_not_of("0123456789")) : "0");
  const bool old = *major < 3 || (*major == 3 && minor.value_or(0) < 5);
  return old ? "0:0" : "65535:65535";
}

}  // namespace fermata::image
