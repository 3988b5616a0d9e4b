// A connection to a monitor that has become the streams of a process.
#pragma once

#include <cstdint>
#include <memory>

#include "base/core/unique_fd.h"
#include "pod/engine.h"

namespace fermata::pod {

// `socket` is past the Reply that turned it into a stream.
std::unique_ptr<Session> make_monitor_session(UniqueFd socket);

}  // namespace fermata::pod
