// JSON as the bytes that a plugin or the database gets.
#pragma once

#include <string>

#include "oci/json_fields.h"

namespace fermata::cni {

using oci::Fields;
using oci::Json;

// What is no UTF-8 is replaced rather than thrown at.
inline std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fermata::cni
