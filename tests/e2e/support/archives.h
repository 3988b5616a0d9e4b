// Image archives made by hand, as docker and skopeo write them, and broken ones.
#pragma once

#include <string>

namespace fermata::e2e {

struct ArchiveRequest {
  std::string layer_tar;  // uncompressed
  std::string name = "example.org/loaded:1";
  std::string architecture = "amd64";
  std::string command = "[\"/bin/probe\", \"exit\", \"7\"]";  // JSON
  bool gzip = false;                                          // the layer
  bool wrong_digest = false;                                  // of the layer
};

// `docker save` form, as a tar at `path`.
void write_docker_archive(const ArchiveRequest& request, const std::string& path);
// An OCI image layout directory.
void write_oci_layout(const ArchiveRequest& request, const std::string& directory);
// The same as a tar at `path`.
void write_oci_archive(const ArchiveRequest& request, const std::string& path);

}  // namespace fermata::e2e
