// The image store: names, configurations, unpacked layers. What touches registries and archives is in a
// module that is loaded on first use (image/transfer), so that `fermata ps` links neither curl nor
// libarchive.
//
// On disk below <root>: layers/<name>/ (name: 16 hex digits; one unpacked layer with overlay whiteouts), tmp/
// (unfinished work, gone at the next reconcile). A layer becomes visible by one rename, then by its row. Many
// processes may use one store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "state/database.h"

namespace fermata::image {

struct Image {
  std::string id;  // "sha256:<64 hex>"
  oci::ImageConfig config;
  std::string config_json;
  std::vector<std::string> layers;        // directory names below layers_directory(), bottom first
  std::vector<std::string> names;         // canonical, "docker.io/library/nginx:latest", of this owner
  std::vector<std::string> digest_names;  // the same without a tag: pulled by digest
  std::vector<std::string> repo_digests;  // "docker.io/library/nginx@sha256:..."
  std::uint64_t size = 0;                 // bytes
  std::int64_t created = 0;               // ns, of the configuration (0: unknown)
  bool builtin_pause = false;             // no layers: the engine's own pause; in no store
};

// What the user sees while it goes on; called from one thread at a time.
struct Progress {
  std::string layer;          // short digest, or "" for the whole
  std::string status;         // "Pulling fs layer", "Downloading", "Verifying Checksum", "Extracting", "Pull
                              // complete", "Already exists"
  std::uint64_t current = 0;  // bytes
  std::uint64_t total = 0;    // 0: unknown
};
using ProgressFn = std::function<void(const Progress&)>;

struct Credentials {
  std::string user, password;  // from --creds or the auth file
  std::string identity_token;  // a token server gives tokens for it, instead of for user and password
  std::string registry_token;  // what a token server would give
};

// Where an administrator says how registries are reached: their mirrors, certificates, and which speak plain
// HTTP. What is not there says nothing.
struct RegistryFiles {
  std::string conf = "/etc/containers/registries.conf";  // containers-registries.conf(5); "": none
  // With <host>/hosts.toml, or <host>/*.crt, *.cert and *.key. The first one that has a host counts.
  std::vector<std::string> hosts_dirs = {"/etc/fermata/certs.d", "/etc/containerd/certs.d",
                                         "/etc/containers/certs.d", "/etc/docker/certs.d"};
  bool operator==(const RegistryFiles&) const = default;
};

struct PullOptions {
  std::string architecture;  // GOARCH, "" this machine's
  std::optional<Credentials> credentials;
  bool tls_verify = true;
  ProgressFn progress;
  RegistryFiles registries;
  std::stop_token stop;  // the pull then fails soon, and leaves nothing
};
struct PullResult {
  std::string id;
  std::string digest;       // of the manifest
  bool up_to_date = false;  // nothing had to be fetched
};

struct ImportOptions {
  std::vector<std::string>
      changes;  // Dockerfile lines: CMD, ENTRYPOINT, ENV, EXPOSE, USER, WORKDIR, VOLUME, LABEL, STOPSIGNAL
  std::string message;
  std::string name;  // canonical, "" for none
  ProgressFn progress;
};

class Images {
 public:
  // `owner`: "cli" or "cri"; names belong to it, layers are shared.
  static Result<Images> open(const std::string& root, state::Database& database, std::string owner);
  Images(Images&&) noexcept;
  ~Images();

  std::string layers_directory() const;
  // By name, id or unique id prefix. nullopt: not here. The names of pause (mission.md, W1) give the built-in
  // one when no image of that name was pulled; `digest` in the name never does.
  Result<std::optional<Image>> find(const std::string& name) const;
  Result<Image> by_id(const std::string& id) const;
  // All of this owner's, newest first; images without a name too if `dangling`.
  Result<std::vector<Image>> list(bool dangling) const;

  Result<PullResult> pull(const oci::Reference& reference, const PullOptions& options);
  // From an open file (docker-archive, OCI archive; compressed or not) or an OCI layout directory. Returns
  // the names loaded, or ids.
  Result<std::vector<std::string>> load(const std::string& path_or_empty_for_stdin,
                                        const ProgressFn& progress);
  // A root file system tar as an image; returns its id.
  Result<std::string> import_tar(const std::string& path_or_empty_for_stdin, const ImportOptions& options);
  Result<void> tag(const std::string& source, const oci::Reference& target);
  struct Removed {
    std::vector<std::string> untagged;  // familiar names
    std::vector<std::string> deleted;   // ids
  };
  // `in_use`: image ids that containers use, with the container's short id; refused without force, as docker
  // does.
  Result<Removed> remove(const std::string& name, bool force,
                         const std::vector<std::pair<std::string, std::string>>& in_use);
  // Removes what crashed work left: tmp directories of dead processes, layers without a row, rows without a
  // directory.
  Result<void> reconcile();

 private:
  struct Impl;
  explicit Images(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Is this one of the names of the pause image (registry.k8s.io/pause, ...) that the engine serves itself?
bool is_pause_reference(const oci::Reference& reference);
// "0:0" for tags before 3.5, else "65535:65535".
std::string pause_user(const oci::Reference& reference);

}  // namespace fermata::image
