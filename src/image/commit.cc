// From a work directory to the store: data on disk first (syncfs), then the directories, then the rows.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/files.h"
#include "image/images_impl.h"
#include "image/layer_store.h"

namespace fermata::image {
namespace {

Result<void> place_layer(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  if (errno != ENOTEMPTY && errno != EEXIST) return fail(errno, "rename layer to '{}'", to);
  TRY(remove_tree(to));  // no row has it (the caller looked): crashed work
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(errno, "rename layer to '{}'", to);
  return {};
}

}  // namespace

Result<bool> Images::Impl::exists(const char* sql, const std::string& key) const {
  TRY(auto row, database->prepare(sql));
  row.bind(1, key);
  return row.step();
}

Result<void> Images::Impl::commit(const FetchedImage& image, const std::vector<std::string>& names,
                                  const std::string& work) {
  {
    TRY(const UniqueFd disk, open_file(work, O_RDONLY | O_DIRECTORY));
    if (::syncfs(disk.get()) != 0) return fail(errno, "syncfs '{}'", work);
  }
  TRY(const UniqueFd guard, lock_layers(root));
  TRY(make_directories(layers(), 0700));
  std::int64_t total = 0;
  nlohmann::json directories = nlohmann::json::array();
  TRY(auto transaction, state::Transaction::begin(*database, state::Transaction::Durability::full));
  for (const FetchedLayer& layer : image.layers) {
    const std::string name = layer_name(layer.chain);
    directories.push_back(name);
    TRY(auto row, database->prepare("SELECT size FROM layers WHERE chain = ?"));
    row.bind(1, layer.chain);
    TRY(const bool present, row.step());
    if (present) {
      total += row.integer(0);
      continue;
    }
    if (layer.directory.empty())
      return fail(ErrorKind::conflict, "layer {} was removed meanwhile; try again", layer.chain);
    TRY(place_layer(layer.directory, layers() + "/" + name));
    total += static_cast<std::int64_t>(layer.size);
    TRY(auto insert, database->prepare("INSERT INTO layers(name, chain, size) VALUES(?, ?, ?)"));
    TRY(insert.bind(1, name).bind(2, layer.chain).bind(3, static_cast<std::int64_t>(layer.size)).run());
  }
  if (image.config_json.empty()) {  // nothing was fetched, because the image was here
    TRY(const bool present, exists("SELECT 1 FROM images WHERE id = ?", image.id));
    if (!present) return fail(ErrorKind::conflict, "image {} was removed meanwhile; try again", image.id);
  }
  TRY(auto put, database->prepare(
                    "INSERT INTO images(id, config, manifest, layers, size, created) VALUES(?,?,?,?,?,?) "
                    "ON CONFLICT(id) DO UPDATE SET manifest = CASE WHEN excluded.manifest = '' THEN manifest "
                    "ELSE excluded.manifest END"));
  TRY(put.bind(1, image.id)
          .bind(2, image.config_json)
          .bind(3, image.manifest_digest)
          .bind(4, directories.dump())
          .bind(5, total)
          .bind(6, now_ns())
          .run());
  for (const std::string& name : names) {
    TRY(auto set,
        database->prepare("INSERT OR REPLACE INTO image_names(name, owner, image, digest) VALUES(?,?,?,?)"));
    TRY(set.bind(1, name).bind(2, owner).bind(3, image.id).bind(4, image.repo_digest).run());
  }
  return transaction.commit();
}

}  // namespace fermata::image
