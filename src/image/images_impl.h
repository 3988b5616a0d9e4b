// What the parts of Images share.
#pragma once

#include "image/images.h"
#include "image/transfer.h"

namespace fermata::image {

struct Images::Impl {
  std::string root;
  state::Database* database;
  std::string owner;

  std::string layers() const { return root + "/layers"; }
  Result<bool> exists(const char* sql, const std::string& key) const;
  // The configuration of an image whose layers are all here.
  Result<std::optional<std::string>> whole_config(const std::string& id) const;
  Result<TransferContext> context(const std::string& work) const;
  // Moves what was fetched into layers/ and writes the rows. `names` are canonical.
  Result<void> commit(const FetchedImage& image, const std::vector<std::string>& names,
                      const std::string& work);
  // The tags of its repository no longer know that they were pulled with this digest. False: none did.
  Result<bool> forget_digest(const std::string& id, const oci::Reference& reference);
  // Rows whose directories are gone: whoever removed those did not ask us. Call with lock_layers held.
  Result<void> forget_lost_layers();
  // Layers that no image has: rows and directories. Call with lock_layers held.
  Result<void> drop_unused_layers();
};

}  // namespace fermata::image
