#include "pod/settings.h"

#include <cerrno>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/files.h"
#include "oci/reference.h"

namespace fermata::pod {
namespace {

tl::unexpected<Error> wrong(const std::string& path, const toml::source_region& where,
                            std::string_view what) {
  return fail(ErrorKind::invalid_argument, "{}:{}: {}", path, where.begin.line, what);
}

}  // namespace

Result<Settings> parse_settings(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return wrong(path, parsed.error().source(), parsed.error().description());
  Settings settings;
  for (const auto& [key, value] : parsed.table()) {
    if (key != "infra_image")
      return wrong(path, key.source(), fmt::format("unknown setting '{}': there is infra_image", key.str()));
    const auto image = value.value_exact<std::string>();
    if (!image) return wrong(path, value.source(), "infra_image is not a string");
    if (image->empty()) continue;
    if (const auto reference = oci::parse_reference(*image); !reference)
      return wrong(path, value.source(), "infra_image: " + reference.error().message());
    settings.infra_image = *image;
  }
  return settings;
}

Result<Settings> read_settings(const std::string& path, bool required) {
  const auto text = read_file(path, 1u << 20);
  if (text) return parse_settings(*text, path);
  if (!required && text.error().error_number() == ENOENT) return Settings();
  return tl::unexpected(text.error());
}

}  // namespace fermata::pod
