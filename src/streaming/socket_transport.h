// The transport of plain SPDY: the bytes of the connection themselves.
#pragma once

#include <memory>
#include <string>

#include "streaming/link.h"
#include "streaming/transport.h"

namespace fermata::streaming {

// `early`: what was read behind the request already.
std::shared_ptr<Transport> make_socket_transport(Link link, std::string early, Transport::Limits limits);

}  // namespace fermata::streaming
