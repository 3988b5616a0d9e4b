#include "base/sha256.h"

#include <sha2.h>
#include <sys/types.h>

#include "base/text.h"

namespace fermata {

std::string sha256_hex(std::string_view bytes) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256Final(digest, &context);
  return hex({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace fermata
