// Errors as a kubelet expects them: gRPC codes are made here.
#pragma once

#include <grpcpp/support/status.h>

#include <string_view>

#include "base/error.h"

namespace fermata::cri {

// NOT_FOUND matters most: for a pod or container that is gone a kubelet goes on, for all other codes it tries
// again. Never UNIMPLEMENTED: to a kubelet that speaks of the call, not of this try, and it would not make it
// again. What has no better code is UNKNOWN, which a kubelet leaves out of its messages.
grpc::Status to_status(const Error& error);
// OK, or the error's.
inline grpc::Status to_status(const Result<void>& result) {
  return result ? grpc::Status::OK : to_status(result.error());
}
inline bool is_gone(const Error& error) { return error.kind() == ErrorKind::not_found; }
// Of what ends or removes: what is not there is done.
inline grpc::Status done(const Result<void>& result) {
  return !result && is_gone(result.error()) ? grpc::Status::OK : to_status(result);
}
// INVALID_ARGUMENT: "<field> is missing".
grpc::Status missing(std::string_view field);

}  // namespace fermata::cri

// RPC_TRY(expression), RPC_TRY(auto x, expression): TRY for functions that return a grpc::Status.
#define RPC_TRY(...) FERMATA_TRY_PICK(__VA_ARGS__, FERMATA_RPC_TRY_BIND, FERMATA_RPC_TRY_VOID)(__VA_ARGS__)
#define FERMATA_RPC_TRY_VOID(expression)                                                          \
  do {                                                                                            \
    if (auto try_result = (expression); !try_result)                                              \
      return ::fermata::cri::to_status(static_cast<const ::fermata::Error&>(try_result.error())); \
  } while (false)
#define FERMATA_RPC_TRY_BIND(declaration, expression) \
  FERMATA_RPC_TRY_BIND2(FERMATA_CONCAT(try_result_, __COUNTER__), declaration, expression)
#define FERMATA_RPC_TRY_BIND2(name, declaration, expression)                                       \
  auto name = (expression);                                                                        \
  if (!name) return ::fermata::cri::to_status(static_cast<const ::fermata::Error&>(name.error())); \
  declaration = std::move(*name)
