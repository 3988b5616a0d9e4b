// A WebSocket connection (RFC 6455) as a transport of messages. Pings are answered below.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <functional>
#include <memory>
#include <string>

#include "streaming/link.h"
#include "streaming/transport.h"

namespace fermata::streaming {

using UpgradeRequest = boost::beast::http::request<boost::beast::http::empty_body>;

// Answers the request with `protocol` ("": with none) and calls `ready` with the connection, unless that
// fails: then the connection is closed. `text`: messages are sent as text.
void accept_websocket(Link link, UpgradeRequest request, std::string protocol, bool text,
                      Transport::Limits limits, std::function<void(std::shared_ptr<Transport>)> ready);

}  // namespace fermata::streaming
