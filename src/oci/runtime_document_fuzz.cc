#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "oci/runtime_document.h"

namespace {

bool is_absolute(const std::string& path) { return path.starts_with('/'); }

// What the header promises of whatever is accepted.
void check(const fermata::oci::RuntimeSpec& spec) {
  bool fine = is_absolute(spec.process.cwd);
  for (const auto& mount : spec.mounts) fine &= is_absolute(mount.destination);
  for (const auto& device : spec.devices) fine &= is_absolute(device.path);
  for (const auto& path : spec.masked_paths) fine &= is_absolute(path);
  fine &= spec.seccomp.empty() || nlohmann::json::accept(spec.seccomp);
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto spec = fermata::oci::parse_runtime_spec(text)) check(*spec);
  if (const auto process = fermata::oci::parse_process(text); process && process->args.empty()) std::abort();
  static_cast<void>(fermata::oci::parse_resources(text));
  return 0;
}
