// Manifests and configurations of a repository: small documents, whole in memory, each proven by its digest.
#pragma once

#include <string>
#include <variant>

#include "image/transfer/manifest.h"
#include "image/transfer/session.h"

namespace fermata::image {

struct FetchedManifest {
  std::string digest;  // of the bytes; as the reference gives it when it gives one
  std::variant<Manifest, Index> content;
};
// By tag or digest, as the reference says.
Result<FetchedManifest> fetch_manifest(RegistrySession& session, HttpClient& client);
// An entry of an index.
Result<FetchedManifest> fetch_manifest(RegistrySession& session, HttpClient& client, const Descriptor& entry);
// The image's configuration.
Result<std::string> fetch_config(RegistrySession& session, HttpClient& client, const Descriptor& config);

}  // namespace fermata::image
