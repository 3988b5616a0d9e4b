// SHA-256 while bytes stream by.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace fermata::image {

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  // "sha256:<64 hex>". Once; then the object is spent.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string sha256_of(std::string_view bytes);
// The chain id (image-spec, config.md) of a layer on top of `parent` ("" for the lowest).
std::string chain_id(const std::string& parent, const std::string& diff_id);

}  // namespace fermata::image
