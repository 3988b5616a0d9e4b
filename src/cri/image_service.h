// The ImageService of the Container Runtime Interface.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace fermata::cri {

class Calls;
class ImageCalls;

// Both are borrowed.
std::unique_ptr<grpc::Service> make_image_service(ImageCalls& images, Calls& calls);

}  // namespace fermata::cri
