#include "image/transfer/image_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "image/transfer/digest.h"
#include "oci/reference.h"

namespace fermata::image {
namespace {

using nlohmann::json;

constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar+gzip";

struct FreeArchive {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Writer = std::unique_ptr<archive, FreeArchive>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

la_ssize_t append(archive*, void* target, const void* bytes, std::size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

Result<void> check(archive* writer, int outcome) {
  if (outcome == ARCHIVE_OK) return {};
  const char* text = archive_error_string(writer);
  return fail(ErrorKind::failed, "write an archive: {}", text != nullptr ? text : "failed");
}

// Into memory, without padding at the end beyond the format's own.
Result<void> open_into(archive* writer, std::string& target) {
  TRY(check(writer, archive_write_set_bytes_per_block(writer, 512)));
  TRY(check(writer, archive_write_set_bytes_in_last_block(writer, 1)));
  return check(writer, archive_write_open(writer, &target, nullptr, append, nullptr));
}

Result<void> add_file(archive* writer, const OutputFile& file) {
  const Entry entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), file.path.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), file.mode);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.bytes.size()));
  archive_entry_set_mtime(entry.get(), 0, 0);
  TRY(check(writer, archive_write_header(writer, entry.get())));
  if (archive_write_data(writer, file.bytes.data(), file.bytes.size()) !=
      static_cast<la_ssize_t>(file.bytes.size()))
    return check(writer, ARCHIVE_FATAL);
  return {};
}

Result<std::string> make_tar(const std::vector<OutputFile>& files) {
  std::string tar;
  const Writer writer(archive_write_new());
  TRY(check(writer.get(), archive_write_set_format_ustar(writer.get())));
  TRY(open_into(writer.get(), tar));
  for (const OutputFile& file : files) TRY(add_file(writer.get(), file));
  TRY(check(writer.get(), archive_write_close(writer.get())));
  return tar;
}

Result<std::string> gzip(const std::string& bytes) {
  std::string packed;
  const Writer writer(archive_write_new());
  TRY(check(writer.get(), archive_write_add_filter_gzip(writer.get())));
  TRY(check(writer.get(), archive_write_set_format_raw(writer.get())));
  TRY(check(writer.get(),
            archive_write_set_options(writer.get(), "gzip:!timestamp,gzip:compression-level=9")));
  TRY(open_into(writer.get(), packed));
  TRY(add_file(writer.get(), {.path = "data", .bytes = bytes}));
  TRY(check(writer.get(), archive_write_close(writer.get())));
  return packed;
}

// One platform's documents and layer.
struct Built {
  std::string config, tar;
};

Result<Built> build(const OutputPlatform& platform) {
  Built built;
  TRY(built.tar, make_tar(platform.files));
  oci::ImageConfig config = platform.config;
  config.diff_ids = {sha256_of(built.tar)};
  built.config = oci::serialize_image_config(config);
  return built;
}

class Layout {
 public:
  json add_blob(const char* type, const std::string& bytes) {
    const std::string digest = sha256_of(bytes);
    blobs_[digest] = bytes;
    return {{"mediaType", type}, {"digest", digest}, {"size", bytes.size()}};
  }
  Result<json> add_platform(const OutputPlatform& platform) {
    TRY(const Built built, build(platform));
    TRY(const std::string layer, gzip(built.tar));
    const json manifest = {{"schemaVersion", 2},
                           {"mediaType", kManifestType},
                           {"config", add_blob(kConfigType, built.config)},
                           {"layers", {add_blob(kLayerType, layer)}}};
    json descriptor = add_blob(kManifestType, manifest.dump());
    descriptor["platform"] = {{"architecture", platform.config.architecture}, {"os", platform.config.os}};
    if (!platform.config.variant.empty()) descriptor["platform"]["variant"] = platform.config.variant;
    return descriptor;
  }
  std::vector<OutputFile> files(const json& index) const {
    std::vector<OutputFile> files = {{.path = "oci-layout", .bytes = R"({"imageLayoutVersion":"1.0.0"})"},
                                     {.path = "index.json", .bytes = index.dump()}};
    for (const auto& [digest, bytes] : blobs_)
      files.push_back({.path = "blobs/sha256/" + digest.substr(digest.find(':') + 1), .bytes = bytes});
    return files;
  }

 private:
  std::map<std::string, std::string> blobs_;  // by digest
};

Result<std::vector<OutputFile>> plan_oci(const std::vector<OutputPlatform>& platforms,
                                         const std::vector<std::string>& names) {
  Layout layout;
  json manifests = json::array();
  for (const OutputPlatform& platform : platforms) {
    TRY(json descriptor, layout.add_platform(platform));
    manifests.push_back(std::move(descriptor));
  }
  json image = manifests[0];
  if (manifests.size() > 1)
    image = layout.add_blob(
        kIndexType, json({{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", manifests}}).dump());
  json index = {{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", json::array()}};
  for (const std::string& name : names) {
    TRY(const oci::Reference reference, oci::parse_reference(name));
    // The specification's annotation is what tools call the tag of a layout; containerd's has all of the
    // name.
    image["annotations"] = {{"org.opencontainers.image.ref.name", reference.tag},
                            {"io.containerd.image.name", name}};
    index["manifests"].push_back(image);
  }
  return layout.files(index);
}

Result<std::vector<OutputFile>> plan_docker(const OutputPlatform& platform,
                                            const std::vector<std::string>& names) {
  TRY(const Built built, build(platform));
  const auto hex = [](const std::string& bytes) { return sha256_of(bytes).substr(7); };
  json entry = {{"Config", hex(built.config) + ".json"},
                {"RepoTags", json::array()},
                {"Layers", {hex(built.tar) + ".tar"}}};
  for (const std::string& name : names) {
    TRY(const oci::Reference reference, oci::parse_reference(name));
    entry["RepoTags"].push_back(reference.familiar());
  }
  return std::vector<OutputFile>{{.path = entry["Config"], .bytes = built.config},
                                 {.path = entry["Layers"][0], .bytes = built.tar},
                                 {.path = "manifest.json", .bytes = json::array({entry}).dump()}};
}

tl::unexpected<Error> exists(const std::string& path) {
  return fail(ErrorKind::conflict, "'{}' exists already: remove it or choose another name", path);
}

// Beside the target, then renamed to it, which replaces an empty directory and nothing else.
Result<void> write_directory(const std::vector<OutputFile>& files, const std::string& path) {
  std::string work = path + ".XXXXXX";
  if (::mkdtemp(work.data()) == nullptr) return fail(errno, "make a directory beside '{}'", path);
  const auto written = [&]() -> Result<void> {
    TRY(make_directories(work + "/blobs/sha256"));
    for (const OutputFile& file : files) TRY(write_file(work + "/" + file.path, file.bytes));
    if (::chmod(work.c_str(), 0755) != 0) return fail(errno, "open '{}' to others", work);
    if (::rename(work.c_str(), path.c_str()) == 0) return {};
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return exists(path);
    return fail(errno, "write '{}'", path);
  }();
  if (!written) (void)remove_tree(work);
  return written;
}

}  // namespace

Result<std::vector<OutputFile>> plan_image_files(const std::vector<OutputPlatform>& platforms,
                                                 const std::vector<std::string>& names,
                                                 ImageOutput::Form form) {
  if (form != ImageOutput::Form::docker_archive) return plan_oci(platforms, names);
  if (platforms.size() != 1)
    return fail(ErrorKind::invalid_argument,
                "docker's archive holds an image of one platform, not of {}: choose one with --platform, or "
                "oci-archive: for all",
                platforms.size());
  return plan_docker(platforms[0], names);
}

Result<void> write_image_files(const std::vector<OutputPlatform>& platforms,
                               const std::vector<std::string>& names, const ImageOutput& output) {
  TRY(const auto files, plan_image_files(platforms, names, output.form));
  if (output.form == ImageOutput::Form::oci_directory) return write_directory(files, output.path);
  TRY(const std::string tar, make_tar(files));
  if (output.path == "-") return write_all(STDOUT_FILENO, tar);
  if (::access(output.path.c_str(), F_OK) == 0) return exists(output.path);
  return write_file(output.path, tar);
}

}  // namespace fermata::image
