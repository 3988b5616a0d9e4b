// What a kubelet sends of a pull secret, as the engine takes it.
#pragma once

#include <optional>

#include "base/error.h"
#include "cri/protocol.h"
#include "image/images.h"
#include "oci/reference.h"

namespace fermata::cri {

// nullopt: nothing that is meant for the registry of `image`. `auth` of it is base64 of "user:password".
Result<std::optional<image::Credentials>> credentials_of(const v1::AuthConfig& auth,
                                                         const oci::Reference& image);

}  // namespace fermata::cri
