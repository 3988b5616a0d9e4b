// pull, load and import: a work directory, the module, then commit.
#include <unistd.h>

#include <utility>

#include "base/process.h"
#include "image/images_impl.h"
#include "image/layer_store.h"

namespace fermata::image {
namespace {

// A row in `intents` for as long as a work directory exists: when this process is killed, the next command of
// any kind finds the row and calls Images::reconcile.
class WorkIntent {
 public:
  static Result<WorkIntent> record(state::Database& database) {
    TRY(auto transaction, state::Transaction::begin(database, state::Transaction::Durability::full));
    TRY(auto insert,
        database.prepare("INSERT INTO intents(kind, object, pid, pid_start) VALUES('unpack', '', ?, ?)"));
    const int pid = ::getpid();
    TRY(insert.bind(1, std::int64_t{pid}).bind(2, process_start(pid)).run());
    WorkIntent intent(database, database.last_insert_id());
    TRY(transaction.commit());
    return intent;
  }
  WorkIntent(WorkIntent&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)), id_(other.id_) {}
  WorkIntent& operator=(WorkIntent&&) = delete;
  // A row that stays behind costs the next command a look, nothing else.
  ~WorkIntent() {
    if (database_ == nullptr) return;
    if (auto erase = database_->prepare("DELETE FROM intents WHERE id = ?")) (void)erase->bind(1, id_).run();
  }

 private:
  WorkIntent(state::Database& database, std::int64_t id) : database_(&database), id_(id) {}
  state::Database* database_;
  std::int64_t id_;
};

}  // namespace

Result<TransferContext> Images::Impl::context(const std::string& work) const {
  TransferContext context;
  context.work_directory = work;
  // A database that fails here fails again at commit, which reports it.
  context.have_layer = [this](const std::string& chain) {
    return exists("SELECT 1 FROM layers WHERE chain = ?", chain).value_or(false);
  };
  context.have_image = [this](const std::string& id) {
    return exists("SELECT 1 FROM images WHERE id = ?", id).value_or(false);
  };
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
  if (!same) TRY(impl_->commit(image, {name}, work.path()));
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
