#include "cri/keepsake.h"

#include "base/base64.h"

namespace fermata::cri {
namespace {

template <class Message>
Result<Message> parsed(const pod::ContainerInfo& container) {
  Message message;
  const auto bytes = decode_base64(container.config.attachment);
  if (!bytes || bytes->empty() || !message.ParseFromString(*bytes))
    return fail(ErrorKind::failed, "container {} has no record of the request that made it", container.name);
  return message;
}

}  // namespace

std::string keepsake_of(const google::protobuf::MessageLite& request) {
  return encode_base64(request.SerializeAsString());
}

Result<v1::RunPodSandboxRequest> sandbox_request(const pod::ContainerInfo& infra) {
  return parsed<v1::RunPodSandboxRequest>(infra);
}

Result<v1::CreateContainerRequest> container_request(const pod::ContainerInfo& container) {
  return parsed<v1::CreateContainerRequest>(container);
}

}  // namespace fermata::cri
