// PortForward: connections to ports inside a pod, over SPDY, over SPDY within a WebSocket, and over channels.
#include <chrono>
#include <future>

#include "cri/streaming_fixture.h"
#include "e2e/support/host.h"
#include "streaming/test_client.h"

namespace fermata::cri_test {
namespace {

using namespace std::string_literals;
using streaming::SpdyHeaders;
using streaming::testing::Spdy;
using streaming::testing::Tcp;
using streaming::testing::WebSocket;
using testing::HasSubstr;

constexpr int kEcho = 7000, kHttp = 8080, kNobody = 9;
constexpr char kBody[] = "here I am";
constexpr char kGet[] = "GET / HTTP/1.0\r\n\r\n";
constexpr char kSpdy[] = "portforward.k8s.io";
constexpr char kTunnel[] = "SPDY/3.1+portforward.k8s.io";

// One connection to a port: what goes wrong comes on a stream of its own.
struct Forwarded {
  std::uint32_t error = 0, data = 0;
};
Forwarded open_port(Spdy& spdy, int port, int request) {
  const auto headers = [&](const char* type) {
    return SpdyHeaders{
        {"streamtype", type}, {"port", std::to_string(port)}, {"requestid", std::to_string(request)}};
  };
  Forwarded opened;
  opened.error = spdy.open(headers("error"), true);
  opened.data = spdy.open(headers("data"));
  return opened;
}

class PortForward : public StreamingTest {
 protected:
  // A pod with both servers.
  std::string serve() {
    const std::string pod = run_pod();
    serve_in(pod, {"/bin/probe", "echo", std::to_string(kEcho)}, "echo");
    serve_in(pod, {"/bin/probe", "http", std::to_string(kHttp), kBody}, "http");
    return pod;
  }
  void serve_in(const std::string& pod, const Arguments& command, const std::string& name) {
    run(pod, container_config(command, name));
    EXPECT_TRUE(eventually([&] { return !logged(name).empty(); }));
  }
  static std::string fetch(const std::string& pod, int number) {
    const std::string url = forward_url(pod);
    Tcp tcp(streaming::testing::port_of(url));
    if (ask_spdy(tcp, url, kSpdy).status != 101) return "refused";
    Spdy spdy(tcp);
    const Forwarded http = open_port(spdy, kHttp, number);
    spdy.send(http.data, kGet, true);
    spdy.read_all(http.data);
    return spdy.data[http.data];
  }
  // By any way that SPDY goes.
  static void use_ports(Spdy& spdy) {
    const Forwarded echo = open_port(spdy, kEcho, 0), http = open_port(spdy, kHttp, 1);
    spdy.send(echo.data, "hello");
    EXPECT_TRUE(spdy.read_until(echo.data, "hello"));
    spdy.send(http.data, kGet);
    EXPECT_TRUE(spdy.read_all(http.data)) << "the server closes";
    EXPECT_THAT(spdy.data[http.data], HasSubstr(kBody));
    // What nobody listens on is told, and leaves the others alone.
    const Forwarded nobody = open_port(spdy, kNobody, 2);
    EXPECT_TRUE(spdy.read_all(nobody.error));
    EXPECT_THAT(spdy.data[nobody.error], HasSubstr("refused"));
    spdy.send(echo.data, " again", true);
    EXPECT_TRUE(spdy.read_all(echo.data));
    EXPECT_THAT(spdy.data[echo.data], HasSubstr("hello again"));
    EXPECT_TRUE(spdy.read_all(echo.error));
    EXPECT_EQ("", spdy.data[echo.error]);
  }
};

TEST_F(PortForward, ReachesTwoPortsAndTellsOfOneThatRefuses) {
  const std::string url = forward_url(serve());
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_spdy(tcp, url, kSpdy).status);
  Spdy spdy(tcp);
  use_ports(spdy);
}

TEST_F(PortForward, GoesThroughAWebSocket) {
  if (is_containerd()) GTEST_SKIP() << "Debian 12's containerd is older than the tunnel";
  const std::string url = forward_url(serve());
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_websocket(tcp, url, kTunnel).status);
  WebSocket socket(tcp);
  Spdy spdy(socket);
  use_ports(spdy);
}

TEST_F(PortForward, GoesThroughChannels) {
  const std::string url = forward_url(serve(), {kEcho, kNobody});
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_websocket(tcp, url, "v4.channel.k8s.io").status);
  WebSocket socket(tcp);
  // Two a port, for data and errors; each begins with the port.
  std::map<char, std::string> channels;
  socket.send("\0hello"s);
  while (channels[0].find("hello") == std::string::npos || channels[3].find("refused") == std::string::npos) {
    const WebSocket::Message message = socket.next();
    ASSERT_EQ(2, message.opcode);
    channels[message.bytes.at(0)] += message.bytes.substr(1);
  }
  EXPECT_EQ("\x58\x1b", channels[1]) << "nothing but the port";
}

TEST_F(PortForward, CarriesMuchBothWays) {
  constexpr std::size_t kSize = 8 << 20, kPiece = 32 << 10;
  const std::string url = forward_url(serve());
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_spdy(tcp, url, kSpdy).status);
  Spdy spdy(tcp);
  const Forwarded echo = open_port(spdy, kEcho, 0);
  ASSERT_TRUE(spdy.read_until(echo.data, "\n")) << "it tells who calls";
  const std::size_t greeting = spdy.data[echo.data].size();
  std::string much(kSize, '\0');
  for (std::size_t i = 0; i < kSize; ++i) much[i] = static_cast<char>(i * 2654435761U >> 13);
  // Beside the reading, or the echo would stop for want of room.
  auto sending = std::async(std::launch::async, [&] {
    for (std::size_t at = 0; at < kSize; at += kPiece)
      spdy.send(echo.data, std::string_view(much).substr(at, kPiece));
    spdy.send(echo.data, "", true);
  });
  EXPECT_TRUE(spdy.read_all(echo.data));
  sending.get();
  EXPECT_TRUE(spdy.data[echo.data].substr(greeting) == much);
}

TEST_F(PortForward, ManyAtOnce) {
  const std::string pod = serve();
  std::vector<std::future<std::string>> clients;
  for (int i = 0; i < 30; ++i)
    clients.push_back(std::async(std::launch::async, [&pod, i] { return fetch(pod, i); }));
  for (auto& each : clients) EXPECT_THAT(each.get(), HasSubstr(kBody));
}

TEST_F(PortForward, AUrlIsForOneClient) {
  const std::string url = forward_url(serve());
  Tcp first(streaming::testing::port_of(url)), second(streaming::testing::port_of(url));
  EXPECT_EQ(101, ask_spdy(first, url, kSpdy).status);
  EXPECT_EQ(404, ask_spdy(second, url, kSpdy).status);
}

TEST_F(PortForward, OfAPodOnTheHostsNetworkReachesTheHost) {
  v1::PodSandboxConfig config = pod_config();
  config.clear_hostname();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(v1::NODE);
  const std::string url = forward_url(run_pod(config));
  const int port = e2e::free_port();
  e2e::Background server({e2e::kProbe, "http", std::to_string(port), kBody}, e2e::Background::Streams::pipes);
  ASSERT_TRUE(server.read_until("ready"));
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_spdy(tcp, url, kSpdy).status);
  Spdy spdy(tcp);
  const Forwarded http = open_port(spdy, port, 0);
  spdy.send(http.data, kGet);
  EXPECT_TRUE(spdy.read_all(http.data));
  EXPECT_THAT(spdy.data[http.data], HasSubstr(kBody));
}

TEST_F(PortForward, AConnectionEndsWithItsPod) {
  const std::string pod = serve();
  const std::string url = forward_url(pod);
  Tcp tcp(streaming::testing::port_of(url));
  ASSERT_EQ(101, ask_spdy(tcp, url, kSpdy).status);
  Spdy spdy(tcp);
  const Forwarded echo = open_port(spdy, kEcho, 0);
  spdy.send(echo.data, "hello");
  EXPECT_TRUE(spdy.read_until(echo.data, "hello"));
  remove_pod(pod);
  spdy.read_all(echo.data);
  EXPECT_TRUE(spdy.ended.count(echo.data) || spdy.resets.count(echo.data));
}

TEST_F(PortForward, WhatCannotBeIsRefused) {
  const std::string pod = run_pod();
  EXPECT_FALSE(ask_port_forward(std::string(64, 'f')).ok());
  if (!is_containerd()) {
    EXPECT_EQ(grpc::INVALID_ARGUMENT, ask_port_forward(pod, {70000}).code());
  }
  stop_pod(pod);
  EXPECT_FALSE(ask_port_forward(pod).ok()) << "the pod has ended";
}

}  // namespace
}  // namespace fermata::cri_test
