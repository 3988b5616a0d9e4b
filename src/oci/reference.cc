// The grammar of names by hand: a regular expression of the standard library recurses per character.
#include "oci/reference.h"

#include <algorithm>

namespace fermata::oci {
namespace {

constexpr std::size_t kMaxName = 255;
bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alpha(char c) { return lower(c) || (c >= 'A' && c <= 'Z'); }

// [a-z0-9]+ joined by one '.', one or two '_', or any number of '-'.
bool is_component(std::string_view text) {
  std::size_t i = 0;
  while (true) {
    const std::size_t start = i;
    while (i < text.size() && (lower(text[i]) || digit(text[i]))) ++i;
    if (i == start) return false;
    if (i == text.size()) return true;
    const char separator = text[i];
    const std::size_t first = i;
    while (i < text.size() && text[i] == separator) ++i;
    const std::size_t count = i - first;
    if (separator == '.' ? count != 1 : separator == '_' ? count > 2 : separator != '-') return false;
  }
}

bool is_path(std::string_view text) {
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_registry(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : text.substr(1, end - 1))
      if (!digit(c) && c != ':' && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F')) return false;
    if (end + 1 == text.size()) return true;
    if (text[end + 1] != ':') return false;
    const std::string_view port = text.substr(end + 2);
    return !port.empty() && std::all_of(port.begin(), port.end(), digit);
  }
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), digit)) return false;
    host = text.substr(0, colon);
  }
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return alpha(c) || digit(c) || c == '-'; }))
      return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || text.front() == '.' || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return alpha(c) || digit(c) || c == '_' || c == '.' || c == '-'; });
}

// The first part is a registry if it cannot be the name of a user.
std::string_view registry_part(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view first = name.substr(0, slash);
  const bool upper = std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos || upper
             ? first
             : std::string_view{};
}

}  // namespace

bool is_digest(std::string_view text) {
  std::size_t length = 0;
  if (text.starts_with("sha256:")) length = 64;
  if (text.starts_with("sha512:")) length = 128;
  if (length == 0 || text.size() != 7 + length) return false;
  return std::all_of(text.begin() + 7, text.end(), [](char c) { return digit(c) || (c >= 'a' && c <= 'f'); });
}

Result<Reference> parse_reference(std::string_view text) {
  const auto malformed = [&] {
    return fail(ErrorKind::invalid_argument, "invalid reference format: '{}'", text.substr(0, kMaxName));
  };
  if (text.size() == 64 && is_digest("sha256:" + std::string(text)))
    return fail(ErrorKind::invalid_argument,
                "invalid repository name ({}), cannot specify 64-byte hexadecimal strings", text);
  Reference result;
  std::string_view name = text;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    if (!is_digest(name.substr(at + 1))) return malformed();
    result.digest = name.substr(at + 1);
    name = name.substr(0, at);
  }
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    if (!is_tag(name.substr(colon + 1))) return malformed();
    result.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
  }
  if (name.empty() || name.size() > kMaxName) return malformed();
  const std::string_view registry = registry_part(name);
  std::string_view path = name;
  if (!registry.empty()) {
    if (!is_registry(registry)) return malformed();
    path.remove_prefix(registry.size() + 1);
  }
  if (!is_path(path)) {
    const bool upper = std::any_of(path.begin(), path.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (upper)
      return fail(ErrorKind::invalid_argument,
                  "invalid reference format: repository name ({}) must be lowercase", path);
    return malformed();
  }
  // index.docker.io is the old name of the same registry.
  result.registry = registry.empty() || registry == "index.docker.io" ? "docker.io" : registry;
  result.repository = path;
  if (result.registry == "docker.io" && path.find('/') == std::string_view::npos)
    result.repository = "library/" + result.repository;
  // Of the whole name, as it will be used.
  if (result.registry.size() + 1 + result.repository.size() > kMaxName) return malformed();
  if (result.tag.empty() && result.digest.empty()) result.tag = "latest";
  return result;
}

namespace {
std::string suffix(const Reference& reference) {
  return (reference.tag.empty() ? "" : ":" + reference.tag) +
         (reference.digest.empty() ? "" : "@" + reference.digest);
}
}  // namespace

std::string Reference::canonical() const { return registry + "/" + repository + suffix(*this); }

std::string Reference::familiar_repository() const {
  if (registry != "docker.io") return registry + "/" + repository;
  constexpr std::string_view library = "library/";
  if (repository.starts_with(library) && repository.find('/', library.size()) == std::string::npos)
    return repository.substr(library.size());
  return repository;
}

std::string Reference::familiar() const { return familiar_repository() + suffix(*this); }

}  // namespace fermata::oci
