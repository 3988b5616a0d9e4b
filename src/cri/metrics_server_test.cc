#include "cri/metrics_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fermata::cri {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

std::string ask(std::uint16_t port, std::string_view request) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  char buffer[1024];
  for (ssize_t got; (got = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  return answer;
}

TEST(MetricsServer, AnswersOneAfterAnother) {
  int asked = 0;
  const auto server =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, [&] { return std::to_string(++asked) + "\n"; });
  ASSERT_TRUE(server) << server.error().message();
  const std::uint16_t port = (*server)->port();
  EXPECT_THAT(ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), EndsWith("\r\n\r\n1\n"));
  EXPECT_THAT(ask(port, "GET /metrics?x=1 HTTP/1.1\r\n\r\n"), EndsWith("\r\n\r\n2\n"));
}

TEST(MetricsServer, ServesNothingElse) {
  const auto never = []() -> std::string { return "never"; };
  EXPECT_THAT(metrics_answer("GET / HTTP/1.1\r\n\r\n", never), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(metrics_answer("POST /metrics HTTP/1.1\r\n\r\n", never), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(metrics_answer("GET", never), StartsWith("HTTP/1.1 405 "));
}

TEST(MetricsServer, ATakenPortIsRefusedByItsNumber) {
  const auto text = [] { return std::string(); };
  const auto first = MetricsServer::start({.host = "127.0.0.1", .port = 0}, text);
  ASSERT_TRUE(first);
  const auto second = MetricsServer::start({.host = "127.0.0.1", .port = (*first)->port()}, text);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), StartsWith("serve metrics at 127.0.0.1 port "));
}

}  // namespace
}  // namespace fermata::cri
