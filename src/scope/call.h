// What a command and fermata-systemd, the program that talks to systemd for it, say to each other: one call
// and its reply, in JSON. Both come from one build. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "scope/scopes.h"

namespace fermata::scope {

enum class Method { start, set_properties, stop, reset_failed };

struct Call {
  Method method = Method::start;
  // Of the others than `start` only the unit and, for set_properties, the properties mean something.
  ScopeRequest request;
};

std::string format_call(const Call& call);
Result<Call> parse_call(std::string_view text);

// The path of the scope's group for `start`, else "".
std::string format_reply(const Result<std::string>& reply);
// The error that was formatted comes out as the error.
Result<std::string> parse_reply(std::string_view text);

}  // namespace fermata::scope
