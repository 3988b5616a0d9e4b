// YAML as the JSON that it stands for, so that one reader serves both.
#pragma once

#include <string_view>

#include "base/error.h"
#include "oci/json_fields.h"

namespace fermata::cdi {

// One document, a mapping. Bounded in size, depth and number of nodes, those that aliases repeat counted
// anew. A scalar without quotes is a number, a truth value or null where YAML 1.2's core schema or the octal
// numbers of 1.1 ("0666") make it one. Two equal keys of one mapping, tags and further documents are errors.
// `what` names the text: "the specification: not YAML at line 3: ...".
Result<oci::Json> parse_bounded_yaml(std::string_view text, std::string_view what);

}  // namespace fermata::cdi
