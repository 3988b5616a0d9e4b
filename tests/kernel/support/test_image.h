// Images made of nothing: layers with one file each, a configuration, a manifest.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "image/transfer/digest.h"

namespace fermata::test {

// A ustar archive with one regular file.
inline std::string tar_of(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  const auto octal = [](std::size_t value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*zo", digits, value);
    return std::string(text);
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, octal(content.size(), 11));
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\00000", 8));
  std::size_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + '\0');
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512);
  return header + padded + std::string(1024, '\0');
}

struct TestImage {
  static constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
  std::map<std::string, std::string> blobs;  // by digest; the manifest too
  std::vector<std::string> layers;           // digests
  std::vector<std::string> diff_ids;
  std::string config, manifest;  // digests

  const std::string& manifest_bytes() const { return blobs.at(manifest); }
  std::string add(const std::string& bytes) {
    const std::string digest = image::sha256_of(bytes);
    blobs[digest] = bytes;
    return digest;
  }
  // `stored` is what is transferred: the archive, or its compressed form.
  void add_layer(const std::string& tar, const std::string& stored) {
    diff_ids.push_back(image::sha256_of(tar));
    layers.push_back(add(stored));
  }
  void finish(const std::string& architecture = "amd64") {
    std::string ids, descriptors;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const char* comma = i == 0 ? "" : ",";
      ids += comma + ("\"" + diff_ids[i] + "\"");
      descriptors += comma + descriptor("application/vnd.oci.image.layer.v1.tar", layers[i]);
    }
    config = add(R"({"architecture":")" + architecture +
                 R"(","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}");
    manifest = add(std::string(R"({"schemaVersion":2,"mediaType":")") + kManifestType + R"(","config":)" +
                   descriptor("application/vnd.oci.image.config.v1+json", config) + R"(,"layers":[)" +
                   descriptors + "]}");
  }
  std::string descriptor(const std::string& type, const std::string& digest,
                         const std::string& more = "") const {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" +
           std::to_string(blobs.at(digest).size()) + more + "}";
  }
  // An OCI layout with the tag "latest".
  void write_layout(const std::string& directory) const {
    std::filesystem::create_directories(directory + "/blobs/sha256");
    for (const auto& [digest, bytes] : blobs)
      std::ofstream(directory + "/blobs/sha256/" + digest.substr(7), std::ios::binary) << bytes;
    std::ofstream(directory + "/oci-layout") << R"({"imageLayoutVersion":"1.0.0"})";
    std::ofstream(directory + "/index.json")
        << R"({"schemaVersion":2,"manifests":[)"
        << descriptor(kManifestType, manifest,
                      R"(,"annotations":{"org.opencontainers.image.ref.name":"latest"})")
        << "]}";
  }
};

// `count` layers; layer i has the file "file<i>", whose content is `size` bytes that begin with i's digits.
inline TestImage make_image(int count, std::size_t size = 100) {
  TestImage image;
  for (int i = 0; i < count; ++i) {
    std::string content = std::to_string(i);
    while (content.size() < size) content += static_cast<char>('a' + content.size() * 7919 % 26);
    const std::string tar = tar_of("file" + std::to_string(i), content);
    image.add_layer(tar, tar);
  }
  image.finish();
  return image;
}

}  // namespace fermata::test
