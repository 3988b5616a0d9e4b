#include "cri/image_service.h"

#include "cri/image_calls.h"
#include "cri/serve_calls.h"

namespace fermata::cri {
namespace {

struct ImageParts {
  ImageCalls& images;
};

class ImageService final : public v1::ImageService::Service {
 public:
  ImageService(const ImageParts& parts, Calls& calls) : parts_(parts), calls_(calls) {}

  FERMATA_SERVE(images, ListImages)
  FERMATA_SERVE_STREAM(images, StreamImages)
  FERMATA_SERVE(images, ImageStatus)
  FERMATA_SERVE(images, PullImage)
  FERMATA_SERVE(images, RemoveImage)
  FERMATA_SERVE(images, ImageFsInfo)

 private:
  const ImageParts parts_;
  Calls& calls_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_image_service(ImageCalls& images, Calls& calls) {
  return std::make_unique<ImageService>(ImageParts{images}, calls);
}

}  // namespace fermata::cri
