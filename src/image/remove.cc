// Removing: names, images without names, layers without images; and what crashed work left.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/files.h"
#include "base/id.h"
#include "image/images_impl.h"
#include "image/layer_store.h"
#include "image/work_intent.h"

namespace fermata::image {

Result<void> Images::Impl::drop_unused_layers() {
  std::vector<std::string> unused;
  {
    TRY(auto row, database->prepare("SELECT name FROM layers WHERE name NOT IN (SELECT value FROM images, "
                                    "json_each(images.layers))"));
    while (true) {
      TRY(const bool more, row.step());
      if (!more) break;
      unused.push_back(row.text(0));
    }
  }
  for (const std::string& name : unused) {
    // The row goes first: a directory without a row is rubbish, a row without a directory is a lie.
    TRY(auto erase, database->prepare("DELETE FROM layers WHERE name = ?"));
    TRY(erase.bind(1, name).run());
    TRY(remove_tree(layers() + "/" + name));
  }
  return {};
}

Result<void> Images::Impl::forget_lost_layers() {
  std::vector<std::string> lost;
  {
    TRY(auto row, database->prepare("SELECT name FROM layers"));
    while (true) {
      TRY(const bool more, row.step());
      if (!more) break;
      if (::access((layers() + "/" + row.text(0)).c_str(), F_OK) != 0 && errno == ENOENT)
        lost.push_back(row.text(0));
    }
  }
  for (const std::string& name : lost) {
    TRY(auto erase, database->prepare("DELETE FROM layers WHERE name = ?"));
    TRY(erase.bind(1, name).run());
  }
  return {};
}

Result<Images::Removed> Images::remove(const std::string& name, bool force,
                                       const std::vector<std::pair<std::string, std::string>>& in_use) {
  TRY(const auto image, find(name));
  if (!image) return fail(ErrorKind::not_found, "No such image: {}", name);
  if (image->builtin_pause)
    return fail(ErrorKind::conflict, "'{}' is the pause built into fermata; there is nothing to remove",
                name);
  const auto reference = oci::parse_reference(name);
  const std::string canonical = reference ? reference->canonical() : "";
  const bool by_name = std::find(image->names.begin(), image->names.end(), canonical) != image->names.end();
  const bool last = !by_name || image->names.size() == 1;
  const auto user =
      std::find_if(in_use.begin(), in_use.end(), [&](const auto& use) { return use.first == image->id; });
  const bool used = user != in_use.end();
  const std::string short_name = short_id(image->id.substr(7));
  if (used && last && !force) {
    if (by_name)
      return fail(ErrorKind::conflict,
                  "conflict: unable to remove repository reference \"{}\" (must force) - container {} is "
                  "using its referenced image {}",
                  name, user->second, short_name);
    return fail(ErrorKind::conflict,
                "conflict: unable to delete {} (must be forced) - image is being used by container {}",
                short_name, user->second);
  }
  if (!by_name && image->names.size() > 1 && !force)
    return fail(
        ErrorKind::conflict,
        "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
        short_name);
  Removed removed;
  TRY(const WorkIntent intent, WorkIntent::record(*impl_->database));
  TRY(const UniqueFd guard, lock_layers(impl_->root));
  {
    TRY(auto transaction, state::Transaction::begin(*impl_->database));
    for (const std::string& each : image->names) {
      if (by_name && each != canonical) continue;
      // A pull may have given the name to another image since we looked.
      TRY(auto erase,
          impl_->database->prepare("DELETE FROM image_names WHERE name = ? AND owner = ? AND image = ?"));
      TRY(erase.bind(1, each).bind(2, impl_->owner).bind(3, image->id).run());
      if (impl_->database->changes() == 0) continue;
      TRY(const auto erased, oci::parse_reference(each));
      removed.untagged.push_back(erased.familiar());
    }
    // Another owner's names and a container keep the image itself. `in_use` is what was, the table what is.
    if (!used) {
      TRY(auto erase, impl_->database->prepare(
                          "DELETE FROM images WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM image_names WHERE "
                          "image = ?1) AND NOT EXISTS(SELECT 1 FROM containers WHERE image = ?1)"));
      TRY(erase.bind(1, image->id).run());
      if (impl_->database->changes() > 0) removed.deleted.push_back(image->id);
    }
    TRY(transaction.commit());
  }
  if (!removed.deleted.empty()) TRY(impl_->drop_unused_layers());
  return removed;
}

Result<void> Images::reconcile() {
  TRY(make_directories(impl_->root, 0700));
  TRY(const UniqueFd guard, lock_layers(impl_->root));
  TRY(remove_dead_work(impl_->root));
  TRY(impl_->forget_lost_layers());
  TRY(impl_->drop_unused_layers());
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(impl_->layers().c_str()), ::closedir);
  if (!dir) return {};
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    TRY(const bool known, impl_->exists("SELECT 1 FROM layers WHERE name = ?", name));
    if (!known) TRY(remove_tree(impl_->layers() + "/" + name));
  }
  return {};
}

}  // namespace fermata::image
