// The session of exec and attach: waits for the client's streams, opens the process, and carries bytes
// between them until the process ends or the client goes.
#pragma once

#include <memory>
#include <variant>

#include "streaming/client.h"
#include "streaming/session_context.h"

namespace fermata::streaming {

using ProcessRequest = std::variant<ExecRequest, AttachRequest>;

// `version` of the remote command protocol, 1 to 5. From 3 on a terminal has a resize stream, from 4 on the
// error stream carries a Status (outcome.h).
std::shared_ptr<Session> make_process_streams(SessionContext context, ProcessRequest request, int version);

}  // namespace fermata::streaming
