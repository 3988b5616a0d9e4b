#include "cli/auth_file.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/base64.h"
#include "base/files.h"
#include "base/text.h"

namespace fermata::cli {
namespace {

// "https://registry.example/v1/" -> "registry.example"
std::string_view host_of(std::string_view key) {
  if (const auto scheme = key.find("://"); scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  key = key.substr(0, key.find('/'));
  return key == "index.docker.io" || key == "registry-1.docker.io" ? "docker.io" : key;
}

std::string member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<std::optional<image::Credentials>> credentials_in(std::string_view json, std::string_view registry) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) return fail(ErrorKind::invalid_argument, "not a JSON object");
  const auto auths = document.find("auths");
  if (auths == document.end() || !auths->is_object()) return std::optional<image::Credentials>();
  for (const auto& [key, entry] : auths->items()) {
    if (host_of(key) != registry || !entry.is_object()) continue;
    image::Credentials credentials{member(entry, "username"), member(entry, "password")};
    if (const std::string packed = member(entry, "auth"); !packed.empty()) {
      const auto plain = decode_base64(packed);
      const auto pair = plain ? split_once(*plain, ':') : std::nullopt;
      if (!pair) return fail(ErrorKind::invalid_argument, "the entry '{}' is malformed", key);
      credentials = {std::string(pair->first), std::string(pair->second)};
    }
    if (!credentials.user.empty()) return std::optional(credentials);
  }
  return std::optional<image::Credentials>();
}

Result<std::optional<image::Credentials>> stored_credentials(std::string_view registry) {
  std::vector<std::string> paths;
  if (const char* path = std::getenv("REGISTRY_AUTH_FILE")) paths.emplace_back(path);
  if (const char* path = std::getenv("DOCKER_CONFIG")) paths.push_back(std::string(path) + "/config.json");
  if (const char* path = std::getenv("HOME")) paths.push_back(std::string(path) + "/.docker/config.json");
  for (const std::string& path : paths) {
    const auto bytes = read_file(path, 1u << 20);
    if (!bytes && bytes.error().kind() == ErrorKind::not_found) continue;
    if (!bytes) return tl::unexpected(bytes.error());
    auto found = credentials_in(*bytes, registry);
    if (!found) return fail_with(std::move(found.error()), path);
    if (*found) return found;
  }
  return std::optional<image::Credentials>();
}

}  // namespace fermata::cli
