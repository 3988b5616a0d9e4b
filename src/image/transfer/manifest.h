// Manifests and indexes: OCI image-spec and docker's schema 2. Foreign bytes: types, bounds and depth are
// checked, unknown fields ignored. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace fermata::image {

inline constexpr std::size_t kMaxManifest = 4u << 20;  // bytes, as registries limit them

struct Descriptor {
  std::string media_type;
  std::string digest;  // checked: sha256:...
  std::uint64_t size = 0;
  std::string architecture, os, variant;  // of an index entry
  std::map<std::string, std::string> annotations;
};
struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // bottom first
};
struct Index {
  std::vector<Descriptor> manifests;
};

// The kind is told by the document's fields. Schema 1 is refused by name.
Result<std::variant<Manifest, Index>> parse_manifest(std::string_view json);
// The entry for linux and this GOARCH; "no matching manifest for linux/arm64 in the manifest list entries"
// else.
Result<Descriptor> choose_platform(const Index& index, const std::string& architecture);

}  // namespace fermata::image
