#include "image/transfer/documents.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "image/transfer/digest.h"
#include "image/transfer/refusal.h"

namespace fermata::image {
namespace {

constexpr int kRetries = 2;
constexpr std::size_t kMaxConfig = 8u << 20;

const std::vector<std::string> kManifestTypes = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
};

// With the algorithm of `like`: references may name a sha512.
std::string digest_like(std::string_view like, std::string_view bytes) {
  if (!like.starts_with("sha512:")) return sha256_of(bytes);
  char digest[EVP_MAX_MD_SIZE];
  std::size_t size = 0;
  ::EVP_Q_digest(nullptr, "SHA512", nullptr, bytes.data(), bytes.size(),
                 reinterpret_cast<unsigned char*>(digest), &size);
  return "sha512:" + hex(std::string_view(digest, size));
}

Result<void> check_digest(const char* what, const std::string& expected, std::string_view bytes) {
  const std::string got = digest_like(expected, bytes);
  if (got == expected) return {};
  return fail(ErrorKind::failed, "{} {}: digest does not match: got {}", what, expected, got);
}

// 200 and its whole body, or the refusal.
Result<HttpAnswer> fetch(RegistrySession& session, HttpClient& client, HttpRequest request,
                         const std::string& path, Wanted wanted) {
  request.retries = kRetries;
  TRY(HttpAnswer answer, session.get(client, std::move(request), path));
  if (answer.failure != HttpFailure::none) return tl::unexpected<Error>(*answer.error);
  if (answer.status != 200) return refusal(session.reference(), answer, wanted, session.authenticated());
  return answer;
}

Result<FetchedManifest> manifest_at(RegistrySession& session, HttpClient& client, const std::string& tag,
                                    const std::string& digest) {
  HttpRequest request;
  request.accept = kManifestTypes;
  request.limit = kMaxManifest;
  TRY(const HttpAnswer answer, fetch(session, client, std::move(request),
                                     "manifests/" + (digest.empty() ? tag : digest), Wanted::manifest));
  if (is_web_page(answer)) return web_page_error(answer);
  if (answer.body_cut) return fail(ErrorKind::failed, "the manifest is larger than {} bytes", kMaxManifest);
  if (!digest.empty()) TRY(check_digest("manifest", digest, answer.body));
  // Of a tag the header is all there is to compare with: it finds damage on the way, not malice.
  if (digest.empty() && oci::is_digest(answer.content_digest))
    TRY(check_digest("manifest", answer.content_digest, answer.body));
  TRY(auto content, parse_manifest(answer.body));
  return FetchedManifest{digest.empty() ? sha256_of(answer.body) : digest, std::move(content)};
}

}  // namespace

Result<FetchedManifest> fetch_manifest(RegistrySession& session, HttpClient& client) {
  return manifest_at(session, client, session.reference().tag, session.reference().digest);
}

Result<FetchedManifest> fetch_manifest(RegistrySession& session, HttpClient& client,
                                       const Descriptor& entry) {
  return manifest_at(session, client, "", entry.digest);
}

Result<std::string> fetch_config(RegistrySession& session, HttpClient& client, const Descriptor& config) {
  if (config.size > kMaxConfig)
    return fail(ErrorKind::failed, "the image configuration is larger than {} bytes", kMaxConfig);
  HttpRequest request;
  request.accept = {"application/octet-stream", "*/*"};
  request.limit = kMaxConfig;
  auto answer = fetch(session, client, std::move(request), "blobs/" + config.digest, Wanted::blob);
  if (!answer) return fail_with(std::move(answer.error()), "configuration " + config.digest);
  TRY(check_digest("configuration", config.digest, answer->body));
  return std::move(answer->body);
}

}  // namespace fermata::image
