#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cdi/names.h"
#include "cdi/specification.h"

namespace {

using namespace fermata::cdi;

bool is_absolute(const std::string& path) { return path.starts_with('/'); }

// What the headers promise of whatever is accepted.
void check(const Edits& edits) {
  bool fine = true;
  for (const auto& variable : edits.env) fine &= variable.find('=') != std::string::npos;
  for (const auto& node : edits.device_nodes) fine &= is_absolute(node.path) && is_absolute(node.host_path);
  for (const auto& mount : edits.mounts) fine &= is_absolute(mount.destination) && !mount.source.empty();
  for (const auto& hook : edits.hooks.create_container) fine &= is_absolute(hook.path);
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Format format : {Format::json, Format::yaml}) {
    const auto specification = parse_specification(text, format);
    if (!specification) continue;
    if (specification->devices.empty()) std::abort();
    check(specification->edits);
    for (const auto& [name, edits] : specification->devices) {
      if (!parse_device_name(specification->kind + "=" + name) || edits.empty()) std::abort();
      check(edits);
    }
  }
  return 0;
}
