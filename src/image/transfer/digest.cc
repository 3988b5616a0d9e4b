#include "image/transfer/digest.h"

#include <openssl/evp.h>

#include <new>

#include "base/text.h"

namespace fermata::image {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  // Both fail only for want of memory: the algorithm is part of every build of OpenSSL.
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &size);
  return "sha256:" + hex({reinterpret_cast<const char*>(digest), size});
}

std::string sha256_of(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.finish();
}

std::string chain_id(const std::string& parent, const std::string& diff_id) {
  return parent.empty() ? diff_id : sha256_of(parent + " " + diff_id);
}

}  // namespace fermata::image
