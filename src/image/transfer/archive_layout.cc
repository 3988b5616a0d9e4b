#include "image/transfer/archive_layout.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "image/transfer/digest.h"
#include "image/transfer/manifest.h"
#include "kernel/mounts.h"
#include "oci/reference.h"

namespace fermata::image {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxImages = 1000;

Result<std::string> read_archived(int directory, const std::string& path) {
  TRY(const UniqueFd file, open_archived(directory, path));
  auto bytes = read_fd(file.get(), kMaxManifest);
  if (!bytes) return fail_with(std::move(bytes.error()), "'" + path + "'");
  return bytes;
}

bool is_text(const json& value) { return value.is_string(); }

// docker-archive: [{"Config": file, "RepoTags": [...], "Layers": [file, ...]}]
Result<std::vector<ArchivedImage>> read_docker(int directory, const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_array() || document.size() > kMaxImages)
    return fail(ErrorKind::invalid_argument, "damaged image archive: manifest.json is no list of images");
  std::vector<ArchivedImage> images;
  for (const json& entry : document) {
    const auto member = [&](const char* key) {
      return entry.is_object() && entry.contains(key) ? entry[key] : json();
    };
    const json config = member("Config"), layers = member("Layers"), tags = member("RepoTags");
    if (!config.is_string() || !layers.is_array() || !std::all_of(layers.begin(), layers.end(), is_text))
      return fail(ErrorKind::invalid_argument, "damaged image archive: manifest.json lacks Config or Layers");
    ArchivedImage image;
    TRY(image.config_json, read_archived(directory, config.get<std::string>()));
    image.layers = layers.get<std::vector<std::string>>();
    if (tags.is_array())
      for (const json& tag : tags)
        if (tag.is_string()) image.names.push_back(tag.get<std::string>());
    images.push_back(std::move(image));
  }
  return images;
}

std::string blob_path(const std::string& digest) {
  std::string path = "blobs/" + digest;
  path[path.find(':')] = '/';
  return path;
}

// A blob small enough for the memory, its digest checked.
Result<std::string> read_blob(int directory, const std::string& digest) {
  TRY(auto bytes, read_archived(directory, blob_path(digest)));
  if (const std::string found = sha256_of(bytes); found != digest)
    return fail(ErrorKind::invalid_argument, "damaged image archive: blob digest mismatch: {} holds {}",
                digest, found);
  return bytes;
}

// The name of an image in index.json: containerd's annotation has all of it, the specification's may be a tag
// alone.
std::vector<std::string> names_of(const Descriptor& entry) {
  for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    const auto found = entry.annotations.find(key);
    if (found == entry.annotations.end()) continue;
    const bool whole = found->second.find_first_of("/:") != std::string::npos;
    if (whole && oci::parse_reference(found->second)) return {found->second};
  }
  return {};
}

Result<ArchivedImage> read_oci_image(int directory, const Descriptor& entry,
                                     const std::string& architecture) {
  Descriptor wanted = entry;
  for (int depth = 0; depth < 4; ++depth) {
    TRY(const std::string text, read_blob(directory, wanted.digest));
    TRY(const auto document, parse_manifest(text));
    if (const auto* index = std::get_if<Index>(&document)) {
      TRY(wanted, choose_platform(*index, architecture));
      continue;
    }
    const Manifest& manifest = std::get<Manifest>(document);
    ArchivedImage image;
    TRY(image.config_json, read_blob(directory, manifest.config.digest));
    image.manifest_digest = wanted.digest;
    for (const Descriptor& layer : manifest.layers) image.layers.push_back(blob_path(layer.digest));
    image.names = names_of(entry);
    return image;
  }
  return fail(ErrorKind::invalid_argument, "damaged image archive: its indexes are nested too deep");
}

}  // namespace

Result<UniqueFd> open_archived(int directory, const std::string& path) {
  // O_NONBLOCK: a FIFO would block the open.
  auto file = kernel::open_in_root(directory, path, O_RDONLY | O_NONBLOCK);
  if (!file) {
    if (file.error().error_number() == ENOENT)
      return fail(ErrorKind::invalid_argument, "damaged image archive: '{}' is missing", path);
    return tl::unexpected<Error>(std::move(file.error()));
  }
  struct stat info = {};
  if (::fstat(file->get(), &info) != 0) return fail(errno, "stat '{}'", path);
  if (!S_ISREG(info.st_mode))
    return fail(ErrorKind::invalid_argument, "damaged image archive: '{}' is no regular file", path);
  return file;
}

Result<std::vector<ArchivedImage>> read_layout(int directory, const std::string& architecture) {
  const auto holds = [&](const char* name) {
    return kernel::open_in_root(directory, name, O_PATH).has_value();
  };
  // Newer docker writes both; only manifest.json has all names.
  if (holds("manifest.json")) {
    TRY(const std::string text, read_archived(directory, "manifest.json"));
    return read_docker(directory, text);
  }
  if (!holds("index.json"))
    return fail(ErrorKind::invalid_argument,
                "not an image archive: neither manifest.json (docker-archive) nor index.json (OCI layout) is "
                "in it; a root file system "
                "is brought in by 'fermata import'");
  TRY(const std::string text, read_archived(directory, "index.json"));
  TRY(const auto document, parse_manifest(text));
  const auto* index = std::get_if<Index>(&document);
  if (index == nullptr)
    return fail(ErrorKind::invalid_argument, "damaged image archive: index.json is no index");
  std::vector<ArchivedImage> images;
  for (const Descriptor& entry : index->manifests) {
    TRY(auto image, read_oci_image(directory, entry, architecture));
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace fermata::image
