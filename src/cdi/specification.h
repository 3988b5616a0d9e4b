// A vendor's specification of devices, one file of /etc/cdi: CDI specification, versions 0.1 to 1.1. Pure.
//
// Strict: an unknown field, or one that is newer than the version that the document names, is an error, as
// the specification demands, because half of a device may be worse than none. Errors name the place in the
// document ("devices[1].containerEdits.hooks[0].path: missing"); whoever read the file adds its name.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cdi/edits.h"

namespace fermata::cdi {

inline constexpr char kNewestVersion[] = "1.1.0";

struct Specification {
  std::string kind;                      // "vendor.com/class"
  Edits edits;                           // of a container that gets any of the devices
  std::map<std::string, Edits> devices;  // by name, at least one
};

enum class Format { json, yaml };
Result<Specification> parse_specification(std::string_view text, Format format);

}  // namespace fermata::cdi
