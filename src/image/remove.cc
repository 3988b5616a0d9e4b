// Removing: names, images without names, layers without images; and what crashed work left.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/id.h"
#include "base/unique_dir.h"
#include "image/images_impl.h"
#include "image/layer_store.h"
#include "image/work_intent.h"

namespace fermata::image {
namespace {

std::string repository_of(const oci::Reference& reference) {
  return reference.registry + "/" + reference.repository;
}

Result<std::vector<oci::Reference>> references_of(const Image& image) {
  std::vector<oci::Reference> references;
  for (const auto* names : {&image.names, &image.digest_names})
    for (const std::string& name : *names) {
      TRY(auto reference, oci::parse_reference(name));
      references.push_back(std::move(reference));
    }
  return references;
}

// What goes when `wanted` goes, as docker has it: with a digest all that have it, with the last tag of a
// repository its names by digest, and without a name (by id) all.
std::vector<oci::Reference> taken_along(std::vector<oci::Reference> all,
                                        const std::optional<oci::Reference>& wanted) {
  if (!wanted) return all;
  const auto beside = [&](const oci::Reference& each) {
    return repository_of(each) == repository_of(*wanted);
  };
  const bool last_tag = std::none_of(all.begin(), all.end(), [&](const oci::Reference& each) {
    return beside(each) && each.digest.empty() && each.tag != wanted->tag;
  });
  std::erase_if(all, [&](const oci::Reference& each) {
    if (!beside(each)) return true;
    if (!wanted->digest.empty()) return each.digest != wanted->digest;
    return each.digest.empty() ? each.tag != wanted->tag : !last_tag;
  });
  return all;
}

// False for an id that looks like a name.
bool names_it(const Image& image, const oci::Reference& reference) {
  const bool digest = !reference.digest.empty();
  const auto& names = digest ? image.repo_digests : image.names;
  const std::string name = digest ? repository_of(reference) + "@" + reference.digest : reference.canonical();
  return std::find(names.begin(), names.end(), name) != names.end();
}

// More than one tag, or names in more than one repository: an id does not say which of them is meant.
bool is_ambiguous(const std::vector<oci::Reference>& all) {
  const auto tags =
      std::count_if(all.begin(), all.end(), [](const auto& each) { return each.digest.empty(); });
  return tags > 1 || std::any_of(all.begin(), all.end(), [&](const auto& each) {
           return repository_of(each) != repository_of(all.front());
         });
}

}  // namespace

Result<bool> Images::Impl::forget_digest(const std::string& id, const oci::Reference& reference) {
  TRY(auto clear,
      database->prepare("UPDATE image_names SET digest = '' WHERE image = ? AND owner = ? AND digest = ? AND "
                        "name >= ? AND name < ?"));
  const std::string repository = repository_of(reference);
  TRY(clear.bind(1, id)
          .bind(2, owner)
          .bind(3, reference.digest)
          .bind(4, repository + ":")
          .bind(5, repository + ";")  // what follows ':' in ASCII
          .run());
  return database->changes() > 0;
}

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
  TRY(const auto references, references_of(*image));
  const auto reference = oci::parse_reference(name);
  const bool by_name = reference && names_it(*image, *reference);
  const auto taken = taken_along(references, by_name ? std::optional(*reference) : std::nullopt);
  const bool last = taken.size() == references.size();
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
  if (!by_name && is_ambiguous(references) && !force)
    return fail(
        ErrorKind::conflict,
        "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
        short_name);
  Removed removed;
  TRY(const WorkIntent intent, WorkIntent::record(*impl_->database));
  TRY(const UniqueFd guard, lock_layers(impl_->root));
  {
    TRY(auto transaction, state::Transaction::begin(*impl_->database));
    for (const oci::Reference& each : taken) {
      // A pull may have given the name to another image since we looked.
      TRY(auto erase,
          impl_->database->prepare("DELETE FROM image_names WHERE name = ? AND owner = ? AND image = ?"));
      TRY(erase.bind(1, each.canonical()).bind(2, impl_->owner).bind(3, image->id).run());
      if (impl_->database->changes() > 0) removed.untagged.push_back(each.familiar());
    }
    if (by_name && !reference->digest.empty()) {
      TRY(const bool forgotten, impl_->forget_digest(image->id, *reference));
      if (forgotten && taken.empty()) removed.untagged.push_back(reference->familiar());
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
  if (!removed.deleted.empty() || !removed.untagged.empty()) return removed;
  TRY(by_id(image->id));  // somebody else may have removed it
  return fail(ErrorKind::conflict,
              "conflict: unable to delete {} (cannot be forced) - image is being used by {}", short_name,
              used ? "container " + user->second : "another container or under another client's names");
}

Result<void> Images::reconcile() {
  TRY(make_directories(impl_->root, 0700));
  TRY(const UniqueFd guard, lock_layers(impl_->root));
  TRY(remove_dead_work(impl_->root));
  TRY(impl_->forget_lost_layers());
  TRY(impl_->drop_unused_layers());
  const UniqueDir dir(::opendir(impl_->layers().c_str()));
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
