// The protocols that clients can ask for, and which of them is taken. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fermata::streaming {

struct Protocol {
  std::string_view name;  // as it is negotiated; "": the client asked for none
  int version;            // of the remote command protocol, for exec and attach
  bool base64 = false;    // text messages (WebSocket)
  bool tunnel = false;    // SPDY/3.1 within the messages of a WebSocket
};

enum class Subject { process, port };
enum class Carrier { spdy, websocket };

// The first that the client offers and that is spoken here; nullptr: none. A WebSocket client that offers
// nothing gets the oldest.
const Protocol* choose_protocol(Subject subject, Carrier carrier, const std::vector<std::string>& offered);
// For the answer to a client that offered others.
std::vector<std::string_view> protocol_names(Subject subject, Carrier carrier);
// "a, b,,c" -> {"a", "b", "c"}: a header that is a list.
std::vector<std::string> parse_list(std::string_view header);

}  // namespace fermata::streaming
