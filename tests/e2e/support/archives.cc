#include "e2e/support/archives.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>

#include "e2e/support/process.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

std::string sha256_of(const std::string& path) {
  const Outcome outcome = run_program({"sha256sum", path});
  EXPECT_TRUE(outcome.ok()) << outcome;
  return outcome.out.substr(0, 64);
}

struct Blob {
  std::string digest;  // hexadecimal
  std::uintmax_t size = 0;
};

// Moves a file to blobs/sha256/<its digest>.
Blob add_blob(const std::string& directory, const std::string& path) {
  Blob result{sha256_of(path), fs::file_size(path)};
  fs::create_directories(directory + "/blobs/sha256");
  fs::rename(path, directory + "/blobs/sha256/" + result.digest);
  return result;
}

std::string config_of(const ArchiveRequest& request, const std::string& diff_id) {
  return R"({"architecture":")" + request.architecture +
         R"(","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":)" + request.command +
         R"(},"rootfs":{"type":"layers","diff_ids":["sha256:)" + diff_id +
         R"("]},"history":[{"created_by":"test"}]})";
}

std::string descriptor(const std::string& media_type, const Blob& blob, const std::string& more = "") {
  return R"({"mediaType":")" + media_type + R"(","digest":"sha256:)" + blob.digest + R"(","size":)" +
         std::to_string(blob.size) + more + "}";
}

void pack(const std::string& directory, const std::string& path) {
  const Outcome outcome = run_program({"tar", "-C", directory, "-cf", path, "."});
  ASSERT_TRUE(outcome.ok()) << outcome;
}

// The layer as it is stored.
std::string copy_layer(const ArchiveRequest& request, const std::string& directory) {
  const std::string path = directory + "/layer";
  fs::create_directories(directory);
  fs::copy_file(request.layer_tar, path, fs::copy_options::overwrite_existing);
  if (!request.gzip) return path;
  const Outcome outcome = run_program({"gzip", "-1", "-n", path});
  EXPECT_TRUE(outcome.ok()) << outcome;
  return path + ".gz";
}

}  // namespace

void write_docker_archive(const ArchiveRequest& request, const std::string& path) {
  const std::string directory = path + ".d";
  fs::remove_all(directory);
  const std::string diff_id = request.wrong_digest ? std::string(64, 'a') : sha256_of(request.layer_tar);
  const std::string layer = copy_layer(request, directory);
  fs::create_directories(directory + "/abc");
  fs::rename(layer, directory + "/abc/layer.tar");
  spill(directory + "/config.json", config_of(request, diff_id));
  const std::string config = sha256_of(directory + "/config.json") + ".json";
  fs::rename(directory + "/config.json", directory + "/" + config);
  spill(directory + "/manifest.json", R"([{"Config":")" + config + R"(","RepoTags":[")" + request.name +
                                          R"("],"Layers":["abc/layer.tar"]}])");
  pack(directory, path);
  fs::remove_all(directory);
}

void write_oci_layout(const ArchiveRequest& request, const std::string& directory) {
  fs::remove_all(directory);
  const std::string diff_id = sha256_of(request.layer_tar);
  const Blob layer = add_blob(directory, copy_layer(request, directory));
  spill(directory + "/config", config_of(request, diff_id));
  const Blob config = add_blob(directory, directory + "/config");
  const std::string kind = "application/vnd.oci.image.";
  if (request.wrong_digest) {
    // Other bytes than its name says.
    const std::string path = directory + "/blobs/sha256/" + layer.digest;
    std::string bytes = slurp(path);
    bytes[bytes.size() / 2] ^= 1;
    spill(path, bytes);
  }
  spill(directory + "/manifest",
        R"({"schemaVersion":2,"mediaType":")" + kind + R"(manifest.v1+json","config":)" +
            descriptor(kind + "config.v1+json", config) + R"(,"layers":[)" +
            descriptor(kind + "layer.v1.tar" + (request.gzip ? "+gzip" : ""), layer) + "]}");
  const Blob manifest = add_blob(directory, directory + "/manifest");
  spill(directory + "/index.json",
        R"({"schemaVersion":2,"manifests":[)" +
            descriptor(kind + "manifest.v1+json", manifest,
                       R"(,"annotations":{"org.opencontainers.image.ref.name":")" + request.name + "\"}") +
            "]}");
  spill(directory + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
}

void write_oci_archive(const ArchiveRequest& request, const std::string& path) {
  write_oci_layout(request, path + ".d");
  pack(path + ".d", path);
  fs::remove_all(path + ".d");
}

}  // namespace fermata::e2e
