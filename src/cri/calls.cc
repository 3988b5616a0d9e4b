#include "cri/calls.h"

#include <fmt/format.h>

#include <array>

namespace fermata::cri {
namespace {

// By number; grpc/status.h.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

const char* name_of(grpc::StatusCode code) {
  return code >= 0 && static_cast<std::size_t>(code) < kCodes.size() ? kCodes[code] : "UNKNOWN";
}

// A client that looks whether something is still there, or that leaves, is no trouble of the node's.
LogLevel level_of(grpc::StatusCode code) {
  const bool usual = code == grpc::StatusCode::OK || code == grpc::StatusCode::NOT_FOUND ||
                     code == grpc::StatusCode::CANCELLED;
  return usual ? LogLevel::debug : LogLevel::warning;
}

}  // namespace

void Calls::tell(const char* method, const std::string& subject, const grpc::Status& status,
                 std::chrono::nanoseconds duration) {
  const char* code = name_of(status.error_code());
  metrics_.add_call(method, code, duration);
  const LogLevel level = level_of(status.error_code());
  if (!log_.wants(level)) return;
  const std::string took =
      fmt::format("{:.3f}ms", std::chrono::duration<double, std::milli>(duration).count());
  if (status.ok()) {
    log_.write(level, "call", {{"method", method}, {"subject", subject}, {"duration", took}});
  } else {
    log_.write(level, "call failed",
               {{"method", method},
                {"subject", subject},
                {"duration", took},
                {"code", code},
                {"error", status.error_message()}});
  }
}

}  // namespace fermata::cri
