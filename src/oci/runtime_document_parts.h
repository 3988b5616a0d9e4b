// The parts that config.json is read from; runtime_document.h has the whole.
#pragma once

#include "oci/json_fields.h"
#include "oci/runtime_spec.h"

namespace fermata::oci {

Result<void> read_process(const Fields& fields, Process& out);
Result<void> read_resources(const Fields& fields, Resources& out);
Result<void> read_id_mapping(const Fields& fields, IdMapping& out);
// The `linux` object, spread over the specification.
Result<void> read_linux(const Fields& fields, RuntimeSpec& out);

}  // namespace fermata::oci
