#include "scope/scope_name.h"

#include <fmt/format.h>

#include "base/text.h"

namespace fermata::scope {
namespace {

constexpr std::string_view kSlice = ".slice";
constexpr std::string_view kRootSlice = "-.slice";
constexpr std::string_view kDefaultSlice = "system.slice", kDefaultPrefix = "fermata";
constexpr std::size_t kMaxUnitName = 255;  // systemd.unit(5)

// What systemd takes in a unit's name; a backslash is its own escape.
bool is_unit_text(std::string_view text) {
  constexpr std::string_view kOthers = ":_.@-\\";
  for (const char letter : text) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9');
    if (!plain && kOthers.find(letter) == std::string_view::npos) return false;
  }
  return !text.empty();
}

}  // namespace

Result<std::string> slice_directory(std::string_view slice) {
  if (slice == kRootSlice) return std::string();
  if (slice.size() <= kSlice.size() || slice.substr(slice.size() - kSlice.size()) != kSlice ||
      !is_unit_text(slice) || slice.size() > kMaxUnitName)
    return fail(ErrorKind::invalid_argument, "'{}' is not the name of a slice, such as system.slice", slice);
  std::string path, name;
  for (const auto part : split(slice.substr(0, slice.size() - kSlice.size()), '-')) {
    if (part.empty())
      return fail(ErrorKind::invalid_argument, "slice '{}' has an empty part between its dashes", slice);
    name += fmt::format("{}{}", name.empty() ? "" : "-", part);
    path += fmt::format("{}{}{}", path.empty() ? "" : "/", name, kSlice);
  }
  return path;
}

Result<std::string> parent_slice(std::string_view cgroup_parent) {
  const std::string_view slice = cgroup_parent.substr(cgroup_parent.rfind('/') + 1);
  if (const auto directory = slice_directory(slice); !directory)
    return fail_with(
        directory.error(),
        fmt::format("cgroup parent '{}': with the systemd cgroup driver it is a slice", cgroup_parent));
  return std::string(slice);
}

Result<ScopeName> parse_scope_name(std::string_view cgroups_path, std::string_view id) {
  auto parts = split(cgroups_path, ':');
  if (cgroups_path.empty()) parts = {kDefaultSlice, kDefaultPrefix, id};
  if (parts.size() != 3 || parts[2].empty())
    return fail(ErrorKind::invalid_argument,
                "cgroupsPath '{}': with the systemd cgroup driver it has the form slice:prefix:name",
                cgroups_path);
  ScopeName name = {.slice = std::string(parts[0].empty() ? kDefaultSlice : parts[0]),
                    .unit = fmt::format("{}{}{}.scope", parts[1], parts[1].empty() ? "" : "-", parts[2])};
  if (const auto directory = slice_directory(name.slice); !directory)
    return fail_with(directory.error(), fmt::format("cgroupsPath '{}'", cgroups_path));
  if (!is_unit_text(name.unit) || name.unit.size() > kMaxUnitName)
    return fail(ErrorKind::invalid_argument, "cgroupsPath '{}': '{}' is not the name of a unit", cgroups_path,
                name.unit);
  return name;
}

}  // namespace fermata::scope
