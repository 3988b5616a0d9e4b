// "containerEdits", of a specification and of each of its devices.
#pragma once

#include <compare>
#include <string_view>

#include "base/error.h"
#include "cdi/edits.h"
#include "oci/json_fields.h"

namespace fermata::cdi {

using oci::Fields;

struct Version {
  int major = 0, minor = 0;
  auto operator<=>(const Version&) const = default;
};

// "mounts[0].type: the field is of version 0.4.0, and cdiVersion is 0.3.0"
Result<void> require_version(const Fields& fields, const char* key, std::string_view what,
                             const Version& version, const Version& since);

// Of the field "containerEdits" of `fields`; nothing when there is none.
Result<Edits> read_edits(const Fields& fields, const Version& version);

}  // namespace fermata::cdi
