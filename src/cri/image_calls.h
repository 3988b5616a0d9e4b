// Images: the calls of the ImageService.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <mutex>
#include <string>
#include <vector>

#include "cri/engines.h"
#include "cri/image_usage.h"
#include "cri/in_flight.h"
#include "cri/metrics.h"
#include "cri/protocol.h"
#include "cri/settings.h"
#include "image/images.h"

namespace fermata::cri {

// As Kubernetes sees an image. `pinned`: its garbage collection leaves it alone.
v1::Image image_message(const image::Image& image, bool pinned);

// Thread-safe. Everything is borrowed.
class ImageCalls {
 public:
  ImageCalls(Engines& engines, const Settings& settings, Metrics& metrics);

  // For pulls from here on.
  void set(image::RegistryFiles registries);

  grpc::Status ListImages(grpc::ServerContext& context, const v1::ListImagesRequest& request,
                          v1::ListImagesResponse& response);
  grpc::Status StreamImages(grpc::ServerContext& context, const v1::StreamImagesRequest& request,
                            grpc::ServerWriter<v1::StreamImagesResponse>& writer);
  // Of one that is not here: an answer without an image.
  grpc::Status ImageStatus(grpc::ServerContext& context, const v1::ImageStatusRequest& request,
                           v1::ImageStatusResponse& response);
  // The same image with the same secret is pulled once for all who ask meanwhile, and stopped when the last
  // of them has left.
  grpc::Status PullImage(grpc::ServerContext& context, const v1::PullImageRequest& request,
                         v1::PullImageResponse& response);
  // All its names, whichever is given. Of one that is not here: done. FAILED_PRECONDITION: a container uses
  // it.
  grpc::Status RemoveImage(grpc::ServerContext& context, const v1::RemoveImageRequest& request,
                           v1::RemoveImageResponse& response);
  grpc::Status ImageFsInfo(grpc::ServerContext& context, const v1::ImageFsInfoRequest& request,
                           v1::ImageFsInfoResponse& response);

 private:
  Result<std::vector<v1::Image>> list(const v1::ImageFilter& filter);
  Result<bool> is_pinned(pod::Engine& engine, const image::Image& image) const;
  Result<std::string> pull(const oci::Reference& reference, const v1::AuthConfig& auth,
                           const std::stop_token& stop);

  Engines& engines_;
  const Settings& settings_;
  Metrics& metrics_;
  ImageUsage usage_;
  mutable std::mutex registries_mutex_;
  image::RegistryFiles registries_;
  InFlight<std::string> pulls_{Abandoned::stop};  // last: it waits for its work
};

}  // namespace fermata::cri
