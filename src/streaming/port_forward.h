// The session of port-forward: pairs of streams, data and error, with the same request id, each pair a
// connection to a port of a pod.
#pragma once

#include <memory>
#include <string>

#include "streaming/client.h"
#include "streaming/session_context.h"

namespace fermata::streaming {

// `close_when_done`: the connection ends with its last pair (no new ones can come, in the channel protocols).
std::shared_ptr<Session> make_port_forward(SessionContext context, std::string sandbox, bool close_when_done);

}  // namespace fermata::streaming
