#include "cri/rpc_status.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

grpc::Status attempt(Result<int> result) {
  RPC_TRY(const int value, std::move(result));
  return value == 1 ? grpc::Status::OK : missing("pod_sandbox_id");
}

TEST(RpcStatus, Codes) {
  EXPECT_EQ(attempt(fail(ErrorKind::not_found, "x")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(attempt(fail(ErrorKind::failed, "x")).error_code(), grpc::StatusCode::UNKNOWN);
  EXPECT_EQ(attempt(fail(ErrorKind::unsupported, "x")).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(attempt(1).ok());
  EXPECT_EQ(attempt(2).error_message(), "pod_sandbox_id is missing");
}

TEST(RpcStatus, LongMessagesKeepBothEnds) {
  const std::string message = "begin" + std::string(100'000, 'x') + "end";
  const auto status = attempt(fail(ErrorKind::failed, "{}", message));
  EXPECT_LT(status.error_message().size(), 2100u);
  EXPECT_TRUE(status.error_message().starts_with("begin"));
  EXPECT_TRUE(status.error_message().ends_with("end"));
}

}  // namespace
}  // namespace fermata::cri
