// What a URL of the streaming server stands for: the requests of CRI's Exec, Attach and PortForward.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace fermata::streaming {

struct Streams {
  bool input = false, output = false, error_output = false;
  bool terminal = false;  // then there is no error_output: the terminal has one stream for both
};

struct ExecRequest {
  std::string container;
  std::vector<std::string> command;
  Streams streams;
};

struct AttachRequest {
  std::string container;
  Streams streams;
};

struct PortForwardRequest {
  std::string sandbox;
  // Needed by the classic WebSocket protocol alone, which has no other way to name them.
  std::vector<std::uint16_t> ports;
};

using Request = std::variant<ExecRequest, AttachRequest, PortForwardRequest>;

// ErrorKind::invalid_argument for what CRI does not allow: no container, no stream, a terminal with
// error_output.
Result<void> validate(const Request& request);
// The first part of its URL's path: "exec", "attach", "portforward".
const char* kind_of(const Request& request);

}  // namespace fermata::streaming
