#include "cri/rpc_status.h"

#include <string>

namespace fermata::cri {
namespace {

// The message travels in a header, of which a peer may take as little as 8 KiB, and each byte that is no
// plain text takes three there.
constexpr std::size_t kMaxMessage = 2048;

grpc::StatusCode code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorKind::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorKind::conflict:
    case ErrorKind::unsupported:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorKind::permission:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorKind::unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorKind::no_space:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorKind::failed:
      break;
  }
  return grpc::StatusCode::UNKNOWN;
}

}  // namespace

grpc::Status to_status(const Error& error) {
  std::string message = error.message();
  if (message.size() > kMaxMessage) {
    // The end holds the cause, the beginning what was at work.
    constexpr std::size_t kHalf = kMaxMessage / 2;
    message = message.substr(0, kHalf) + " ... " + message.substr(message.size() - kHalf);
  }
  return {code_of(error.kind()), std::move(message)};
}

grpc::Status missing(std::string_view field) {
  return {grpc::StatusCode::INVALID_ARGUMENT, std::string(field) + " is missing"};
}

}  // namespace fermata::cri
