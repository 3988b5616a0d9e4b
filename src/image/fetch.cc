// pull, load and import: a work directory, the module, then commit.
#include <algorithm>

#include "image/images_impl.h"
#include "image/layer_store.h"
#include "image/work_intent.h"

namespace fermata::image {

Result<std::optional<std::string>> Images::Impl::whole_config(const std::string& id) const {
  // With all its layers: reconcile drops the rows of lost ones, and the next pull brings them again.
  TRY(auto row, database->prepare("SELECT config FROM images WHERE id = ? AND NOT EXISTS(SELECT 1 FROM "
                                  "json_each(images.layers) WHERE value NOT IN (SELECT name FROM layers))"));
  row.bind(1, id);
  TRY(const bool found, row.step());
  return found ? std::optional(row.text(0)) : std::nullopt;
}

Result<TransferContext> Images::Impl::context(const std::string& work) const {
  TransferContext context;
  context.work_directory = work;
  // A database that fails here fails again at commit, which reports it.
  context.have_layer = [this](const std::string& chain) {
    return exists("SELECT 1 FROM layers WHERE chain = ?", chain).value_or(false);
  };
  context.stored_config = [this](const std::string& id) { return whole_config(id).value_or(std::nullopt); };
  return context;
}

Result<PullResult> Images::pull(const oci::Reference& reference, const PullOptions& options) {
  TRY(Transfer * transfer, load_transfer());
  TRY(const WorkIntent intent, WorkIntent::record(*impl_->database));
  TRY(const WorkDirectory work, WorkDirectory::create(impl_->root));
  TRY(const TransferContext context, impl_->context(work.path()));
  const std::string name = reference.canonical();
  TRY(const FetchedImage image, transfer->pull(reference, options, context));
  TRY(auto row, impl_->database->prepare(
                    "SELECT 1 FROM image_names WHERE name = ? AND owner = ? AND image = ? AND digest = ?"));
  row.bind(1, name).bind(2, impl_->owner).bind(3, image.id).bind(4, image.repo_digest);
  TRY(const bool same, row.step());
  const bool fetched = std::any_of(image.layers.begin(), image.layers.end(),
                                   [](const FetchedLayer& layer) { return !layer.directory.empty(); });
  if (!same || fetched) TRY(impl_->commit(image, {name}, work.path()));
  return PullResult{image.id, image.repo_digest, same};
}

Result<std::vector<std::string>> Images::load(const std::string& path, const ProgressFn& progress) {
  TRY(Transfer * transfer, load_transfer());
  TRY(const WorkIntent intent, WorkIntent::record(*impl_->database));
  TRY(const WorkDirectory work, WorkDirectory::create(impl_->root));
  TRY(const TransferContext context, impl_->context(work.path()));
  TRY(const auto images, transfer->load(path, progress, context));
  std::vector<std::string> loaded;
  for (const FetchedImage& image : images) {
    TRY(impl_->commit(image, image.names, work.path()));
    for (const std::string& name : image.names) loaded.push_back(name);
    if (image.names.empty()) loaded.push_back(image.id);
  }
  return loaded;
}

Result<std::string> Images::import_tar(const std::string& path, const ImportOptions& options) {
  TRY(Transfer * transfer, load_transfer());
  TRY(const WorkIntent intent, WorkIntent::record(*impl_->database));
  TRY(const WorkDirectory work, WorkDirectory::create(impl_->root));
  TRY(const TransferContext context, impl_->context(work.path()));
  TRY(const FetchedImage image, transfer->import_tar(path, options, context));
  TRY(impl_->commit(image, options.name.empty() ? std::vector<std::string>{} : std::vector{options.name},
                    work.path()));
  return image.id;
}

}  // namespace fermata::image
