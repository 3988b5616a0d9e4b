// The messages of the Container Runtime Interface. Their package is ::runtime::v1, which inside of fermata
// would be looked for in the layer runtime.
#pragma once

#include <cri_protocol/api.pb.h>

namespace fermata::cri {

namespace v1 = ::runtime::v1;

}  // namespace fermata::cri
