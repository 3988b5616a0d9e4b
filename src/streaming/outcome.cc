#include "streaming/outcome.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fermata::streaming {

std::string status_text(const Outcome& outcome) {
  if (outcome.failure) return *outcome.failure;
  if (outcome.exit_code == 0) return "";
  return fmt::format("command terminated with exit code {}", outcome.exit_code);
}

std::string status_json(const Outcome& outcome) {
  using nlohmann::json;
  json status = {{"metadata", json::object()}};
  if (!outcome.failure && outcome.exit_code == 0) {
    status["status"] = "Success";
  } else {
    status["status"] = "Failure";
    status["message"] = status_text(outcome);
    if (outcome.failure) {
      status["reason"] = "InternalError";
      status["code"] = 500;
    } else {
      const json cause = {{"reason", "ExitCode"}, {"message", fmt::format("{}", outcome.exit_code)}};
      status["reason"] = "NonZeroExitCode";
      status["details"] = {{"causes", json::array({cause})}};
    }
  }
  // A message may quote bytes of any kind.
  return status.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace fermata::streaming
