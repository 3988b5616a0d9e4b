#include "cri/image_calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cri/pull_process.h"
#include "cri/registry_auth.h"
#include "cri/rpc_status.h"
#include "cri/send_in_parts.h"
#include "oci/reference.h"

namespace fermata::cri {
namespace {

// The built-in pause, as it is listed. Registries' names of pause are ordinary here: whoever pulls one wants
// that one, and may remove it again.
constexpr const char* kPauseName = "localhost/fermata/pause:latest";
constexpr const char* kPauseAlias = "registry.k8s.io/pause:latest";  // by which the store knows it
// A kubelet looks for this beginning of the message, and then says that the registry is at fault
// (cri-api, pkg/errors). Only of UNKNOWN it looks at the message alone.
constexpr const char* kRegistryUnavailable = "RegistryUnavailable: ";

// "name:tag@digest" is what the digest says: the tag may have moved on.
Result<oci::Reference> parse_image(const std::string& name) {
  TRY(auto reference, oci::parse_reference(name));
  if (!reference.digest.empty()) reference.tag.clear();
  return reference;
}

Result<std::optional<image::Image>> builtin_pause(pod::Engine& engine) {
  TRY(auto pause, engine.images().find(kPauseAlias));
  if (!pause || !pause->builtin_pause) return std::optional<image::Image>();
  pause->names = {kPauseName};
  return pause;
}

// By name, id or the beginning of one.
Result<std::optional<image::Image>> find_image(pod::Engine& engine, const std::string& name) {
  if (name == kPauseName) return builtin_pause(engine);
  const auto reference = parse_image(name);
  if (reference && image::is_pause_reference(*reference)) {
    TRY(auto pulled, engine.images().find(reference->canonical()));
    if (!pulled || pulled->builtin_pause) return std::optional<image::Image>();
    return pulled;
  }
  TRY(auto image,
      engine.images().find(reference && !reference->digest.empty() ? reference->canonical() : name));
  if (image && image->builtin_pause) image->names = {kPauseName};
  return image;
}

// The user of a configuration: "1000:1000" is a number, "www-data" a name, "" neither.
void set_user(v1::Image& message, const std::string& config) {
  const std::string user = config.substr(0, config.find(':'));
  if (const auto uid = parse_signed(user)) {
    message.mutable_uid()->set_value(*uid);
  } else {
    message.set_username(user);
  }
}

std::string verbose_info(const image::Image& image) {
  const auto config = nlohmann::json::parse(image.config_json, nullptr, false);
  const nlohmann::json info = {{"layers", image.layers}, {"imageSpec", config}};
  return info.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

grpc::Status pull_status(const Error& error) {
  if (error.kind() == ErrorKind::unavailable)
    return {grpc::StatusCode::UNKNOWN, kRegistryUnavailable + to_status(error).error_message()};
  return to_status(error);
}

void set_usage(v1::FilesystemUsage& message, const std::string& mountpoint, std::int64_t time,
               const pod::TreeUsage& usage) {
  message.set_timestamp(time);
  message.mutable_fs_id()->set_mountpoint(mountpoint);
  message.mutable_used_bytes()->set_value(usage.bytes);
  message.mutable_inodes_used()->set_value(usage.inodes);
}

}  // namespace

v1::Image image_message(const image::Image& image, bool pinned) {
  v1::Image message;
  message.set_id(image.id);
  for (const std::string& name : image.names) message.add_repo_tags(name);
  for (const std::string& digest : image.repo_digests) message.add_repo_digests(digest);
  // "Must be > 0", but there are images that hold nothing.
  message.set_size(std::max<std::uint64_t>(image.size, 1));
  set_user(message, image.config.user);
  message.mutable_spec()->set_image(image.id);
  message.set_pinned(pinned);
  return message;
}

ImageCalls::ImageCalls(Engines& engines, const Settings& settings, Metrics& metrics)
    : engines_(engines),
      settings_(settings),
      metrics_(metrics),
      usage_(settings.root, settings.stats_period),
      registries_(settings.registries) {}

void ImageCalls::set(image::RegistryFiles registries) {
  const std::scoped_lock lock(registries_mutex_);
  registries_ = std::move(registries);
}

Result<bool> ImageCalls::is_pinned(pod::Engine& engine, const image::Image& image) const {
  if (image.builtin_pause) return true;
  if (settings_.infra_image.empty()) return false;
  TRY(const auto infra, find_image(engine, settings_.infra_image));
  return infra && infra->id == image.id;
}

Result<std::vector<v1::Image>> ImageCalls::list(const v1::ImageFilter& filter) {
  TRY(const auto engine, engines_.lease());
  std::vector<image::Image> images;
  if (const std::string& wanted = filter.image().image(); !wanted.empty()) {
    TRY(auto image, find_image(*engine, wanted));
    if (image) images.push_back(std::move(*image));
  } else {
    TRY(images, engine->images().list(false));
    TRY(auto pause, builtin_pause(*engine));
    if (pause) images.push_back(std::move(*pause));
  }
  std::vector<v1::Image> messages;
  for (const image::Image& image : images) {
    TRY(const bool pinned, is_pinned(*engine, image));
    messages.push_back(image_message(image, pinned));
  }
  return messages;
}

grpc::Status ImageCalls::ListImages(grpc::ServerContext&, const v1::ListImagesRequest& request,
                                    v1::ListImagesResponse& response) {
  RPC_TRY(auto images, list(request.filter()));
  for (v1::Image& image : images) *response.add_images() = std::move(image);
  return grpc::Status::OK;
}

grpc::Status ImageCalls::StreamImages(grpc::ServerContext&, const v1::StreamImagesRequest& request,
                                      grpc::ServerWriter<v1::StreamImagesResponse>& writer) {
  RPC_TRY(auto images, list(request.filter()));
  return send_in_parts(writer, std::move(images), [](v1::StreamImagesResponse& response, v1::Image&& image) {
    *response.add_images() = std::move(image);
  });
}

grpc::Status ImageCalls::ImageStatus(grpc::ServerContext&, const v1::ImageStatusRequest& request,
                                     v1::ImageStatusResponse& response) {
  if (request.image().image().empty()) return missing("image");
  RPC_TRY(const auto engine, engines_.lease());
  RPC_TRY(const auto image, find_image(*engine, request.image().image()));
  if (!image) return grpc::Status::OK;
  RPC_TRY(const bool pinned, is_pinned(*engine, *image));
  *response.mutable_image() = image_message(*image, pinned);
  if (request.verbose()) (*response.mutable_info())["info"] = verbose_info(*image);
  return grpc::Status::OK;
}

Result<std::string> ImageCalls::pull(const oci::Reference& reference, const v1::AuthConfig& auth,
                                     const std::stop_token& stop) {
  PullRequest request{.root = settings_.root, .image = reference.canonical()};
  TRY(request.credentials, credentials_of(auth, reference));
  {
    const std::scoped_lock lock(registries_mutex_);
    request.registries = registries_;
  }
  const auto begin = std::chrono::steady_clock::now();
  auto pulled = pull_by_process(request, stop);
  metrics_.add_pull(pulled.has_value(), std::chrono::steady_clock::now() - begin);
  return pulled;
}

grpc::Status ImageCalls::PullImage(grpc::ServerContext& context, const v1::PullImageRequest& request,
                                   v1::PullImageResponse& response) {
  const std::string& name = request.image().image();
  if (name.empty()) return missing("image");
  const std::string& handler = request.image().runtime_handler();
  if (!is_handler(settings_, handler))
    return {grpc::StatusCode::INVALID_ARGUMENT, "unknown runtime handler '" + handler + "'"};
  RPC_TRY(const auto reference, parse_image(name));
  const std::string key = reference.canonical() + '\0' + request.auth().SerializeAsString();
  const auto pulled = pulls_.run(
      key, [&] { return context.IsCancelled(); },
      [this, reference, auth = request.auth()](const std::stop_token& stop) {
        return pull(reference, auth, stop);
      });
  if (!pulled) return grpc::Status::CANCELLED;
  if (!*pulled) return pull_status(pulled->error());
  response.set_image_ref(**pulled);
  return grpc::Status::OK;
}

grpc::Status ImageCalls::RemoveImage(grpc::ServerContext&, const v1::RemoveImageRequest& request,
                                     v1::RemoveImageResponse&) {
  if (request.image().image().empty()) return missing("image");
  RPC_TRY(const auto engine, engines_.lease());
  RPC_TRY(const auto image, find_image(*engine, request.image().image()));
  if (!image) return grpc::Status::OK;
  // It goes with the program alone; who clears all images away shall not fail on it.
  if (image->builtin_pause) return grpc::Status::OK;
  // Images that only the command line has a name for are none of ours.
  if (image->names.empty() && image->digest_names.empty()) return grpc::Status::OK;
  // Whoever removes an image that a container of ours was made of would leave one behind that nobody sees.
  RPC_TRY(const auto used, engine->images_in_use());
  if (std::any_of(used.begin(), used.end(), [&](const auto& use) { return use.first == image->id; })) {
    RPC_TRY(const auto containers, engine->list({.all = true}));
    for (const auto& container : containers)
      if (container.image_id == image->id)
        return to_status(
            Error(ErrorKind::conflict, 0, "image " + image->id + " is in use by container " + container.id));
  }
  const auto removed = engine->images().remove(image->id, true, used);
  if (!removed && removed.error().kind() == ErrorKind::not_found) return grpc::Status::OK;
  return removed ? grpc::Status::OK : to_status(removed.error());
}

grpc::Status ImageCalls::ImageFsInfo(grpc::ServerContext&, const v1::ImageFsInfoRequest&,
                                     v1::ImageFsInfoResponse& response) {
  RPC_TRY(const auto usage, usage_.measure());
  // Both are below one directory: a kubelet that saw two would manage two disks.
  set_usage(*response.add_image_filesystems(), settings_.root, usage.time, usage.images);
  set_usage(*response.add_container_filesystems(), settings_.root, usage.time, usage.containers);
  return grpc::Status::OK;
}

}  // namespace fermata::cri
