#include "image/transfer/manifest.h"

#include <nlohmann/json.hpp>

#include "oci/reference.h"

namespace fermata::image {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxEntries = 1000;

tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorKind::invalid_argument, "malformed manifest: {}", what);
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Descriptor> parse_descriptor(const json& object) {
  if (!object.is_object()) return malformed("a descriptor is no object");
  Descriptor descriptor;
  descriptor.media_type = text_of(object, "mediaType");
  descriptor.digest = text_of(object, "digest");
  if (!oci::is_digest(descriptor.digest)) return malformed("a descriptor without a digest");
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_unsigned()) return malformed("a descriptor without a size");
  descriptor.size = size->get<std::uint64_t>();
  if (const auto platform = object.find("platform"); platform != object.end() && platform->is_object()) {
    descriptor.architecture = text_of(*platform, "architecture");
    descriptor.os = text_of(*platform, "os");
    descriptor.variant = text_of(*platform, "variant");
  }
  if (const auto notes = object.find("annotations"); notes != object.end() && notes->is_object())
    for (const auto& [key, value] : notes->items())
      if (value.is_string()) descriptor.annotations[key] = value.get<std::string>();
  return descriptor;
}

Result<std::vector<Descriptor>> parse_descriptors(const json& list) {
  if (!list.is_array() || list.size() > kMaxEntries)
    return malformed("no list of descriptors, or too long a one");
  std::vector<Descriptor> descriptors;
  for (const json& entry : list) {
    TRY(auto descriptor, parse_descriptor(entry));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

}  // namespace

Result<std::variant<Manifest, Index>> parse_manifest(std::string_view text) {
  if (text.size() > kMaxManifest) return malformed("it is too large");
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return malformed("it is no JSON object");
  if (document.contains("fsLayers"))
    return fail(ErrorKind::unsupported,
                "docker image manifest schema 1 is not supported; push the image again with a current tool");
  if (const auto manifests = document.find("manifests"); manifests != document.end()) {
    TRY(auto entries, parse_descriptors(*manifests));
    return Index{std::move(entries)};
  }
  const auto config = document.find("config");
  const auto layers = document.find("layers");
  if (config == document.end() || layers == document.end())
    return malformed("neither an image manifest nor an index");
  Manifest manifest;
  TRY(manifest.config, parse_descriptor(*config));
  TRY(manifest.layers, parse_descriptors(*layers));
  return manifest;
}

Result<Descriptor> choose_platform(const Index& index, const std::string& architecture) {
  for (const Descriptor& entry : index.manifests)
    if (entry.os == "linux" && entry.architecture == architecture) return entry;
  // A layout with one image often leaves its platform out.
  if (index.manifests.size() == 1 && index.manifests[0].architecture.empty()) return index.manifests[0];
  return fail(ErrorKind::not_found, "no matching manifest for linux/{} in the manifest list entries",
              architecture);
}

}  // namespace fermata::image
