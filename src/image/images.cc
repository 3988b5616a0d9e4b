#include "image/images.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "image/images_impl.h"
#include "image/layer_store.h"

namespace fermata::image {
namespace {

// RFC 3339 -> ns; 0 if malformed. Fractions are left out: nothing sorts finer.
std::int64_t parse_time(const std::string& text) {
  tm time{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time) == nullptr) return 0;
  return ::timegm(&time) * 1'000'000'000LL;
}

// Pause as an image would be: what it holds and how it runs give its id.
Result<Image> builtin_pause(const oci::Reference& reference) {
  TRY(const std::string directory, program_directory());
  TRY(const UniqueFd file, open_file(directory + "/pause", O_RDONLY));
  TRY(const std::string program, read_fd(file.get()));
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) return fail(errno, "stat '{}/pause'", directory);
  Image image;
  image.builtin_pause = true;
  image.names = {reference.canonical()};
  image.config.architecture = oci::host_architecture();
  image.config.os = "linux";
  image.config.user = pause_user(reference);
  image.config.entrypoint = {"/pause"};
  image.config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  image.config_json = oci::serialize_image_config(image.config);
  image.id = "sha256:" + sha256_hex(image.config_json + program);
  image.size = program.size();
  image.created = info.st_mtim.tv_sec * 1'000'000'000LL;
  return image;
}

// By its id, of which tables show 12 digits. A shorter text is rather meant as a name: nobody pulled this
// image.
Result<std::optional<Image>> builtin_pause_by_id(const std::string& digits) {
  if (digits.size() < 12) return std::optional<Image>();
  for (const char* tag : {"latest", "3.4"}) {  // as the two users are told apart
    TRY(auto image, builtin_pause({.registry = "registry.k8s.io", .repository = "pause", .tag = tag}));
    if (image.id.starts_with("sha256:" + digits)) return std::optional(std::move(image));
  }
  return std::optional<Image>();
}

bool is_id_prefix(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Images::Images(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Images::Images(Images&&) noexcept = default;
Images::~Images() = default;

Result<Images> Images::open(const std::string& root, state::Database& database, std::string owner) {
  return Images(std::make_unique<Impl>(Impl{root, &database, std::move(owner)}));
}

std::string Images::layers_directory() const { return impl_->layers(); }

Result<Image> Images::by_id(const std::string& id) const {
  TRY(auto row, impl_->database->prepare("SELECT config, layers, size FROM images WHERE id = ?"));
  row.bind(1, id);
  TRY(const bool found, row.step());
  if (!found) return fail(ErrorKind::not_found, "No such image: {}", id);
  Image image;
  image.id = id;
  image.config_json = row.text(0);
  TRY(image.config, oci::parse_image_config(image.config_json));
  const auto layers = nlohmann::json::parse(row.text(1), nullptr, false);
  if (!layers.is_array())
    return fail(ErrorKind::failed, "image {}: its row is damaged; remove and pull it again", id);
  for (const auto& layer : layers)
    if (layer.is_string()) image.layers.push_back(layer.get<std::string>());
  image.size = static_cast<std::uint64_t>(row.integer(2));
  image.created = parse_time(image.config.created);
  TRY(auto names, impl_->database->prepare(
                      "SELECT name, digest FROM image_names WHERE image = ? AND owner = ? ORDER BY name"));
  names.bind(1, id).bind(2, impl_->owner);
  while (true) {
    TRY(const bool more, names.step());
    if (!more) return image;
    const std::string name = names.text(0);
    const auto reference = oci::parse_reference(name);
    if (!reference) return fail_with(reference.error(), "image " + id + ": its names are damaged");
    // A name by digest alone is shown as a digest, not as a tag.
    (reference->tag.empty() ? image.digest_names : image.names).push_back(name);
    if (names.text(1).empty()) continue;
    std::string digest = reference->registry + "/" + reference->repository + "@" + names.text(1);
    auto& known = image.repo_digests;
    if (std::find(known.begin(), known.end(), digest) == known.end()) known.push_back(std::move(digest));
  }
}

Result<std::optional<Image>> Images::find(const std::string& name) const {
  const auto wrap = [&](const std::string& id) -> Result<std::optional<Image>> {
    TRY(Image image, by_id(id));
    return std::optional<Image>(std::move(image));
  };
  const auto reference = oci::parse_reference(name);
  if (reference) {
    TRY(auto row, impl_->database->prepare("SELECT image FROM image_names WHERE name = ? AND owner = ?"));
    row.bind(1, reference->canonical()).bind(2, impl_->owner);
    TRY(const bool found, row.step());
    if (found) return wrap(row.text(0));
    if (!reference->digest.empty()) {
      TRY(auto by_digest,
          impl_->database->prepare(
              // Not LIKE: to that, the '_' of a name is any character.
              "SELECT image FROM image_names WHERE digest = ? AND owner = ? AND name >= ? AND name < ?"));
      const std::string repository = reference->registry + "/" + reference->repository;
      by_digest.bind(1, reference->digest)
          .bind(2, impl_->owner)
          .bind(3, repository + ":")
          .bind(4, repository + ";");  // what follows ':' in ASCII
      TRY(const bool pulled, by_digest.step());
      if (pulled) return wrap(by_digest.text(0));
    }
  }
  const std::string digits = name.starts_with("sha256:") ? name.substr(7) : name;
  if (is_id_prefix(digits)) {
    TRY(auto row, impl_->database->prepare("SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2"));
    row.bind(1, "sha256:" + digits).bind(2, "sha256:" + digits + "g");
    TRY(const bool found, row.step());
    if (found) {
      const std::string id = row.text(0);
      TRY(const bool second, row.step());
      if (second)
        return fail(ErrorKind::invalid_argument, "image id prefix '{}' is ambiguous; give more digits", name);
      return wrap(id);
    }
    TRY(auto pause, builtin_pause_by_id(digits));
    if (pause) return pause;
  }
  if (!reference || !is_pause_reference(*reference)) return std::optional<Image>();
  TRY(auto pause, builtin_pause(*reference));
  return std::optional(std::move(pause));
}

Result<std::vector<Image>> Images::list(bool dangling) const {
  TRY(auto row,
      impl_->database->prepare(
          "SELECT id FROM images WHERE EXISTS(SELECT 1 FROM image_names WHERE image = id AND owner = ?1) OR "
          "(?2 AND NOT EXISTS(SELECT 1 FROM image_names WHERE image = id))"));
  row.bind(1, impl_->owner).bind(2, std::int64_t{dangling});
  std::vector<Image> images;
  while (true) {
    TRY(const bool more, row.step());
    if (!more) break;
    TRY(Image image, by_id(row.text(0)));
    images.push_back(std::move(image));
  }
  std::stable_sort(images.begin(), images.end(),
                   [](const Image& a, const Image& b) { return a.created > b.created; });
  return images;
}

Result<void> Images::tag(const std::string& source, const oci::Reference& target) {
  TRY(const auto image, find(source));
  if (!image) return fail(ErrorKind::not_found, "No such image: {}", source);
  if (image->builtin_pause)
    return fail(ErrorKind::unsupported,
                "'{}' is the built-in pause, which has no layers to tag; pull it first", source);
  if (!target.digest.empty())
    return fail(ErrorKind::invalid_argument, "refusing to create a tag with a digest reference");
  TRY(auto set, impl_->database->prepare(
                    "INSERT OR REPLACE INTO image_names(name, owner, image, digest) VALUES(?,?,?,'')"));
  return set.bind(1, target.canonical()).bind(2, impl_->owner).bind(3, image->id).run();
}

}  // namespace fermata::image
