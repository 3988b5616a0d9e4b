#include "cli/image_view.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/id.h"
#include "base/text.h"
#include "cli/core/flags.h"
#include "cli/human.h"
#include "oci/reference.h"

namespace fermata::cli {
namespace {

using image::Image;

constexpr std::string_view kNone = "<none>";
constexpr std::int64_t kSecond = 1'000'000'000;

struct Name {
  std::string repository = std::string(kNone), tag = std::string(kNone), digest = std::string(kNone);
};

std::string digest_of(const Image& image, const std::string& repository) {
  for (const std::string& text : image.repo_digests) {
    const auto reference = oci::parse_reference(text);
    if (reference && reference->familiar_repository() == repository && !reference->digest.empty())
      return reference->digest;
  }
  return std::string(kNone);
}

std::vector<Name> names_of(const Image& image) {
  std::vector<Name> names;
  for (const std::string& text : image.names) {
    const auto reference = oci::parse_reference(text);
    if (!reference) continue;  // the store only holds what was parsed before
    Name name;
    name.repository = reference->familiar_repository();
    if (!reference->tag.empty()) name.tag = reference->tag;
    name.digest = reference->digest.empty() ? digest_of(image, name.repository) : reference->digest;
    names.push_back(std::move(name));
  }
  if (!names.empty()) return names;
  Name name;
  for (const std::string& text : image.repo_digests) {
    const auto reference = oci::parse_reference(text);
    if (!reference) continue;
    name.repository = reference->familiar_repository();
    name.digest = reference->digest;
  }
  return {name};
}

// "nginx" fits every tag of it, "ngi*:1.*" both parts.
bool fits(const Name& name, const std::string& pattern) {
  const std::string full = name.repository + ":" + name.tag;
  return ::fnmatch(pattern.c_str(), name.repository.c_str(), FNM_PATHNAME) == 0 ||
         ::fnmatch(pattern.c_str(), full.c_str(), FNM_PATHNAME) == 0;
}

// The pattern as the familiar form has it: "docker.io/library/nginx" is "nginx".
std::string familiar_pattern(const std::string& pattern) {
  if (pattern.find_first_of("*?[") != std::string::npos) return pattern;
  const auto reference = oci::parse_reference(pattern);
  if (!reference) return pattern;
  const bool has_tag = pattern.find(':', pattern.rfind('/') == std::string::npos ? 0 : pattern.rfind('/')) !=
                       std::string::npos;
  return has_tag ? reference->familiar_repository() + ":" + reference->tag : reference->familiar_repository();
}

const Image* by_name(const std::vector<Image>& images, const std::string& name) {
  for (const Image& image : images) {
    if (image.id == name || image.id.starts_with("sha256:" + name)) return &image;
    for (const Name& one : names_of(image))
      if (one.repository + ":" + one.tag == name || (one.repository == name && one.tag == "latest"))
        return &image;
  }
  return nullptr;
}

class ImageFilter {
 public:
  static Result<ImageFilter> make(const std::vector<Image>& images, const ImageListOptions& options) {
    ImageFilter filter;
    if (!options.pattern.empty()) filter.patterns_.push_back(familiar_pattern(options.pattern));
    for (const auto& [key, value] : options.filters) TRY(filter.add(images, key, value));
    return filter;
  }

  bool shows(const Image& image, const Name& name) const {
    const bool dangling = name.tag == kNone && name.repository == kNone;
    if (dangling_ && *dangling_ != dangling) return false;
    if (before_ && image.created >= *before_) return false;
    if (since_ && image.created <= *since_) return false;
    for (const auto& [key, value] : labels_) {
      const auto found = image.config.labels.find(key);
      if (found == image.config.labels.end() || (value && found->second != *value)) return false;
    }
    return std::all_of(patterns_.begin(), patterns_.end(),
                       [&](const std::string& pattern) { return fits(name, pattern); });
  }
  bool wants_dangling() const { return dangling_.value_or(false); }

 private:
  Result<void> add(const std::vector<Image>& images, const std::string& key, const std::string& value) {
    if (key == "dangling") {
      dangling_ = parse_boolean(value);
      if (!dangling_) return fail(ErrorKind::invalid_argument, "invalid filter 'dangling={}'", value);
    } else if (key == "label") {
      const auto pair = split_once(value, '=');
      labels_.emplace_back(pair ? pair->first : std::string_view(value),
                           pair ? std::optional<std::string>(pair->second) : std::nullopt);
    } else if (key == "reference") {
      patterns_.push_back(familiar_pattern(value));
    } else if (key == "before" || key == "since") {
      const Image* other = by_name(images, value);
      if (other == nullptr) return fail(ErrorKind::not_found, "no such image: {}", value);
      (key == "before" ? before_ : since_) = other->created;
    } else {
      return fail(ErrorKind::invalid_argument,
                  "invalid filter '{}': known are before, dangling, label, reference and since", key);
    }
    return {};
  }

  std::optional<bool> dangling_;
  std::optional<std::int64_t> before_, since_;
  std::vector<std::pair<std::string, std::optional<std::string>>> labels_;
  std::vector<std::string> patterns_;
};

std::string bare_id(const std::string& id) { return id.starts_with("sha256:") ? id.substr(7) : id; }

Value row(const Image& image, const Name& name, bool truncate, std::int64_t now) {
  const std::string since =
      image.created == 0 ? "N/A" : human_duration((now - image.created) / kSecond) + " ago";
  return Value::object({
      {"Containers", "N/A"},
      {"CreatedAt", image.created == 0 ? std::string("N/A") : local_time(image.created)},
      {"CreatedSince", since},
      {"Digest", name.digest},
      {"ID", truncate ? short_id(bare_id(image.id)) : image.id},
      {"Repository", name.repository},
      {"SharedSize", "N/A"},
      {"Size", human_size(image.size)},
      {"Tag", name.tag},
      {"UniqueSize", "N/A"},
      {"VirtualSize", human_size(image.size)},
  });
}

Value set_of(const std::vector<std::string>& names) {
  Value::Members members;
  for (const std::string& name : names) members.emplace_back(name, Value(Value::Members{}));
  return names.empty() ? Value::nil_map() : Value::map(std::move(members));
}

Value config(const oci::ImageConfig& config) {
  Value::Members labels;
  for (const auto& [key, value] : config.labels) labels.emplace_back(key, value);
  return Value::object({
      {"User", config.user},
      {"ExposedPorts", set_of(config.exposed_ports)},
      {"Env", Value::strings_or_nil(config.env)},
      {"Cmd", Value::strings_or_nil(config.cmd)},
      {"Volumes", set_of(config.volumes)},
      {"WorkingDir", config.working_dir},
      {"Entrypoint", Value::strings_or_nil(config.entrypoint)},
      {"Labels", config.labels.empty() ? Value::nil_map("") : Value::map(std::move(labels), "")},
      {"StopSignal", config.stop_signal},
  });
}

}  // namespace

Result<std::vector<Value>> image_rows(const std::vector<Image>& images, const ImageListOptions& options,
                                      std::int64_t now) {
  TRY(const ImageFilter filter, ImageFilter::make(images, options));
  std::vector<Value> rows;
  for (const Image& image : images) {
    // Without a name only the untagged rest of a name that moved on is shown, as docker does; -a shows it
    // too.
    for (const Name& name : names_of(image))
      if (filter.shows(image, name)) rows.push_back(row(image, name, options.truncate, now));
  }
  return rows;
}

Value inspect_image(const Image& image) {
  std::vector<std::string> tags, digests;
  for (const std::string& text : image.names) {
    const auto reference = oci::parse_reference(text);
    if (reference && reference->digest.empty()) tags.push_back(reference->familiar());
  }
  for (const std::string& text : image.repo_digests) {
    const auto reference = oci::parse_reference(text);
    if (reference) digests.push_back(reference->familiar_repository() + "@" + reference->digest);
  }
  return Value::object({
      {"Id", image.id},
      {"RepoTags", Value::strings(tags)},
      {"RepoDigests", Value::strings(digests)},
      {"Parent", ""},
      {"Comment", image.config.comment},
      {"Created", image.config.created.empty() ? rfc3339(image.created) : image.config.created},
      {"Author", image.config.author},
      {"Config", config(image.config)},
      {"Architecture", image.config.architecture},
      {"Variant", image.config.variant},
      {"Os", image.config.os},
      {"Size", image.size},
      {"GraphDriver", Value::object({{"Name", "overlay"},
                                     {"Data", Value::object({{"Layers", Value::strings(image.layers)}})}})},
      {"RootFS", Value::object({{"Type", "layers"}, {"Layers", Value::strings(image.config.diff_ids)}})},
      {"BuiltIn", image.builtin_pause},
  });
}

}  // namespace fermata::cli
