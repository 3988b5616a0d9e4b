// Credentials that `docker login` or `podman login` left in a file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "image/images.h"

namespace fermata::cli {

// The entry of `registry` ("docker.io" is also "https://index.docker.io/v1/") in such a file's JSON.
Result<std::optional<image::Credentials>> credentials_in(std::string_view json, std::string_view registry);
// Looks in $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json and $HOME/.docker/config.json; nullopt: none has
// any.
Result<std::optional<image::Credentials>> stored_credentials(std::string_view registry);

}  // namespace fermata::cli
