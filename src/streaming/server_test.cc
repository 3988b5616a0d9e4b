// The whole server on loopback, with clients over SPDY and WebSocket.
#include "streaming/server.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <future>

#include "streaming/test_server.h"

namespace fermata::streaming {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace testing;

constexpr const char* kV4 = "v4.channel.k8s.io";
constexpr const char* kV5 = "v5.channel.k8s.io";
constexpr const char* kSuccess = R"({"metadata":{},"status":"Success"})";

TEST_F(StreamingServer, AnswersBadRequests) {
  const auto status = [&](const std::string& head) {
    Tcp tcp(server().port());
    return ask(tcp, head + "\r\n\r\n").status;
  };
  const auto path = [&] { return path_of(exec({"cat"}, {.output = true})); };
  EXPECT_EQ(status("GET /exec/0123 HTTP/1.1\r\nHost: x"), 404);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: x"), 404);
  EXPECT_EQ(status("DELETE " + path() + " HTTP/1.1\r\nHost: x"), 405);
  EXPECT_EQ(status("GET " + path() + " HTTP/1.1\r\nHost: x"), 400);
  EXPECT_EQ(status("GET " + path() + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c"), 400);
  EXPECT_EQ(status("GET " + path() + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1"),
            400);
  EXPECT_EQ(status("GET " + path() + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket"),
            400);
  EXPECT_EQ(status("POST " + path() +
                   " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                   "X-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 5"),
            400);
  EXPECT_EQ(status("nonsense"), 400);
  EXPECT_EQ(status("GET /" + std::string(100000, 'x') + " HTTP/1.1"), 400);
  Tcp spdy(server().port());
  const Answer refused = ask_spdy(spdy, exec({"cat"}, {.output = true}), "v9.channel.k8s.io");
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.head.find("X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io"), std::string::npos);
  Tcp websocket(server().port());
  EXPECT_EQ(ask_websocket(websocket, exec({"cat"}, {.output = true}), "v9.channel.k8s.io").status, 403);
}

TEST_F(StreamingServer, AUrlServesOneConnection) {
  const std::string url = exec({"exit", "0"}, {.output = true});
  EXPECT_EQ(url.substr(0, 17), "http://127.0.0.1:");
  Tcp first(port_of(url)), second(port_of(url));
  EXPECT_EQ(ask_spdy(first, url, kV4).status, 101);
  EXPECT_EQ(ask_spdy(second, url, kV4).status, 404);
}

TEST_F(StreamingServer, ExecOverSpdyTellsTheExitCode) {
  for (const char* protocol : {kV5, kV4}) {
    const std::string url = exec({"exit", "7"}, {.output = true, .error_output = true});
    Tcp tcp(port_of(url));
    const Answer answer = ask_spdy(tcp, url, protocol + ", channel.k8s.io"s);
    ASSERT_EQ(answer.status, 101);
    EXPECT_EQ(answer.header("x-stream-protocol-version"), protocol);
    EXPECT_EQ(answer.header("upgrade"), "SPDY/3.1");
    Spdy spdy(tcp);
    const auto error = spdy.open(type("error")), out = spdy.open(type("stdout")),
               err = spdy.open(type("stderr"));
    EXPECT_TRUE(spdy.read_all(error));
    EXPECT_EQ(spdy.data[out], "out");
    EXPECT_EQ(spdy.data[err], "err");
    EXPECT_TRUE(spdy.ended.count(out) && spdy.ended.count(err));
    EXPECT_EQ(spdy.replied.size(), 3u);
    EXPECT_NE(spdy.data[error].find(R"("causes":[{"message":"7","reason":"ExitCode"}])"), std::string::npos);
    while (spdy.pump()) continue;
    EXPECT_TRUE(spdy.gone_away);
  }
  EXPECT_TRUE(no_session_left());
}

TEST_F(StreamingServer, BeforeVersion4TheErrorStreamIsText) {
  for (const char* protocol : {"v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"}) {
    const std::string url = exec({"exit", "7"}, {.output = true});
    Tcp tcp(port_of(url));
    ASSERT_EQ(ask_spdy(tcp, url, protocol).status, 101);
    Spdy spdy(tcp);
    const auto error = spdy.open(type("error"));
    spdy.open(type("stdout"));
    EXPECT_TRUE(spdy.read_all(error));
    EXPECT_EQ(spdy.data[error], "command terminated with exit code 7");
  }
}

TEST_F(StreamingServer, StdinEndsWithItsStream) {
  const std::string url = exec({"cat"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error")), in = spdy.open(type("stdin")), out = spdy.open(type("stdout"));
  const std::string text(3000000, 'x');
  spdy.send(in, text);
  spdy.send(in, "end", true);
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_TRUE(spdy.data[out] == text + "end");
  EXPECT_EQ(spdy.data[error], kSuccess);
}

TEST_F(StreamingServer, AClientWithWindowsIsKeptToThem) {
  const std::string url = exec({"cat"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp, true);
  const auto error = spdy.open(type("error")), in = spdy.open(type("stdin")), out = spdy.open(type("stdout"));
  const std::string text(3000000, 'x');
  spdy.send(in, text);
  spdy.send(in, "end", true);
  EXPECT_TRUE(spdy.read_all(error));
  // What waits for a window comes after the exit code, which needs none.
  EXPECT_TRUE(spdy.read_all(out));
  EXPECT_TRUE(spdy.data[out] == text + "end");
  EXPECT_GT(spdy.window_updates, 20u);
}

TEST_F(StreamingServer, NothingIsSentBeyondAWindow) {
  const std::string url = exec({"flood", "1048576"}, {.output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  tcp.send(spdy::Writer::settings({{{spdy::Settings::kInitialWindowSize, 10000}}}));
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error")), out = spdy.open(type("stdout"));
  while (tcp.readable(300)) ASSERT_TRUE(spdy.pump());
  EXPECT_EQ(spdy.data[out].size(), 10000u);
  tcp.send(spdy::Writer::window_update(out, 2000000));
  while (tcp.readable(300)) ASSERT_TRUE(spdy.pump());
  EXPECT_EQ(spdy.data[out].size(), 65536u);  // the window of the connection
  tcp.send(spdy::Writer::window_update(0, 2000000));
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_TRUE(spdy.read_all(out));
  EXPECT_EQ(spdy.data[out].size(), 1048576u);
}

TEST_F(StreamingServer, AClientBeyondItsWindowLosesTheStream) {
  const std::string url = exec({"deaf"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  tcp.send(spdy::Writer::settings({}));
  Spdy spdy(tcp);
  spdy.open(type("error"));
  const auto in = spdy.open(type("stdin")), out = spdy.open(type("stdout"));
  ASSERT_TRUE(spdy.read_until(out, "deaf"));
  spdy.send(in, std::string(2000000, 'x'));
  EXPECT_FALSE(spdy.read_all(in));
  EXPECT_EQ(spdy.resets[in], 7u);
  never_read_may_end_.set_value();
}

TEST_F(StreamingServer, ATerminalIsResized) {
  const std::string url = exec({"size"}, {.input = true, .output = true, .terminal = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error")), in = spdy.open(type("stdin")), out = spdy.open(type("stdout"));
  const auto resize = spdy.open(type("resize"));
  spdy.send(resize, "{\"Width\":80,\"Height\":24}\n");
  EXPECT_TRUE(spdy.read_until(out, "80x24"));
  spdy.send(resize, "{\"Width\":100,\"Hei");
  spdy.send(resize, "ght\":50}\n");
  EXPECT_TRUE(spdy.read_until(out, "100x50"));
  spdy.send(in, "", true);
  EXPECT_TRUE(spdy.read_all(error));
}

TEST_F(StreamingServer, FailuresAreTold) {
  for (const auto& [command, message] :
       {std::pair{"missing", "no such file or directory"}, {"lost", "was lost"}}) {
    const std::string url = exec({command}, {.output = true});
    Tcp tcp(port_of(url));
    ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
    Spdy spdy(tcp);
    const auto error = spdy.open(type("error"));
    spdy.open(type("stdout"));
    EXPECT_TRUE(spdy.read_all(error));
    EXPECT_NE(spdy.data[error].find(message), std::string::npos) << spdy.data[error];
    EXPECT_NE(spdy.data[error].find("InternalError"), std::string::npos);
  }
}

TEST_F(StreamingServer, AttachSucceedsWhateverTheExitCode) {
  backend_.scripts["c"] = [](Process& process, const auto&) {
    process.put('o', "attached");
    process.exit(9);
    process.get();
  };
  const std::string url = *server().put(AttachRequest{"c", {.output = true}});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error")), out = spdy.open(type("stdout"));
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_EQ(spdy.data[out], "attached");
  EXPECT_EQ(spdy.data[error], kSuccess);
}

TEST_F(StreamingServer, AClientThatGoesEndsItsSession) {
  for (const bool websocket : {false, true}) {
    const std::string url = exec({"sleep"}, {.output = true});
    Tcp tcp(port_of(url));
    if (websocket) {
      ASSERT_EQ(ask_websocket(tcp, url, kV5).status, 101);
      WebSocket socket(tcp);
      while (socket.next().bytes != "\1asleep") continue;
    } else {
      ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
      Spdy spdy(tcp);
      spdy.open(type("error"));
      EXPECT_TRUE(spdy.read_until(spdy.open(type("stdout")), "asleep"));
    }
    EXPECT_EQ(backend_.open_sessions, 1);
    tcp.close();
    EXPECT_TRUE(no_session_left());
  }
}

TEST_F(StreamingServer, AClientThatGoesWithItsStdinUnreadEndsItsSession) {
  const std::string url = exec({"deaf"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  spdy.open(type("error"));
  const auto in = spdy.open(type("stdin"));
  EXPECT_TRUE(spdy.read_until(spdy.open(type("stdout")), "deaf"));
  const std::string frame = spdy::Writer::data(in, std::string(30000, 'x'), false);
  for (int i = 0; i < 2000 && tcp.send_some(frame) == frame.size(); ++i) continue;
  tcp.close();
  EXPECT_TRUE(no_session_left());
  never_read_may_end_.set_value();
}

TEST_F(StreamingServer, ProtocolErrorsEndTheConnection) {
  const auto answer = [&](const std::string& bytes) {
    const std::string url = exec({"cat"}, {.input = true, .output = true});
    Tcp tcp(port_of(url));
    EXPECT_EQ(ask_spdy(tcp, url, kV4).status, 101);
    tcp.send(bytes);
    Spdy spdy(tcp);
    while (spdy.pump()) continue;
    return spdy.gone_away ? spdy.goodbye : 99;
  };
  spdy::Writer even, twice;
  EXPECT_EQ(answer(std::string(1000, '\xff')), 1u);
  EXPECT_EQ(answer(even.syn_stream(2, type("error"), false)), 1u);
  const std::string once = twice.syn_stream(1, type("error"), false);
  EXPECT_EQ(answer(once + twice.syn_stream(1, type("stdin"), false)), 1u);
  EXPECT_EQ(answer("\x80\x03\x00\x01\x00\x00\x00\x0e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00no z"s), 1u);
}

TEST_F(StreamingServer, StreamsThatNobodyKnowsAreRefused) {
  const std::string url = exec({"cat"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto strange = spdy.open(type("strange")), error = spdy.open(type("error")),
             second = spdy.open(type("error"));
  tcp.send(spdy::Writer::data(999, "x", false));
  tcp.send(spdy::Writer::ping(77));
  while (spdy.pings.empty()) ASSERT_TRUE(spdy.pump());
  EXPECT_EQ(spdy.pings.front(), 77u);
  EXPECT_EQ(spdy.resets[strange], 3u);
  EXPECT_EQ(spdy.resets[second], 3u);
  EXPECT_EQ(spdy.resets[999], 2u);
  EXPECT_EQ(spdy.replied, std::set{error});
}

TEST_F(StreamingServer, StreamsThatDoNotComeAreNotWaitedForLong) {
  server({.stream_creation_timeout = 200ms});
  const std::string url = exec({"cat"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error"));
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_NE(spdy.data[error].find("stdin, stdout"), std::string::npos);
}

TEST_F(StreamingServer, AConnectionAtRestIsEnded) {
  server({.idle_timeout = 300ms});
  const std::string url = exec({"sleep"}, {.output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  spdy.open(type("error"));
  const auto out = spdy.open(type("stdout"));
  EXPECT_TRUE(spdy.read_until(out, "asleep"));
  EXPECT_FALSE(spdy.read_all(out));
  EXPECT_TRUE(no_session_left());
}

TEST_F(StreamingServer, AClientThatDoesNotReadHoldsUpTheProcess) {
  const std::string url = exec({"flood", "134217728"}, {.output = true});
  Tcp tcp(port_of(url), 64 * 1024);
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(type("error")), out = spdy.open(type("stdout"));
  std::size_t before = 1;
  while (flooded_ != before) {
    before = flooded_;
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_LT(flooded_, 16u << 20);  // the queue, and the kernel's buffers
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_EQ(spdy.data[out].size(), 134217728u);
}

TEST_F(StreamingServer, AProcessThatDoesNotReadHoldsUpTheClientAndNothingElse) {
  for (const bool websocket : {false, true}) {
    never_read_may_end_ = {};
    const std::string url = exec({"deaf"}, {.input = true, .output = true});
    Tcp tcp(port_of(url));
    ASSERT_EQ((websocket ? ask_websocket(tcp, url, kV5) : ask_spdy(tcp, url, kV4)).status, 101);
    Spdy spdy(tcp);
    WebSocket socket(tcp);
    std::uint32_t error = 0, in = 0, out = 0;
    if (!websocket) {
      error = spdy.open(type("error"));
      in = spdy.open(type("stdin"));
      out = spdy.open(type("stdout"));
      EXPECT_TRUE(spdy.read_until(out, "deaf"));
    }
    auto sending = std::async(std::launch::async, [&] {
      const std::string piece(32000, 'x');
      for (int i = 0; i < 1000; ++i) {
        if (websocket)
          socket.send("\0"s + piece);
        else
          tcp.send(spdy::Writer::data(in, piece, false));
      }
      if (websocket)
        socket.send("\xff\0"s);
      else
        tcp.send(spdy::Writer::data(in, "", true));
    });
    EXPECT_EQ(sending.wait_for(500ms), std::future_status::timeout);
    // Others go on meanwhile.
    const std::string other = exec({"exit", "0"}, {.output = true});
    Tcp other_tcp(port_of(other));
    ASSERT_EQ(ask_spdy(other_tcp, other, kV4).status, 101);
    Spdy other_spdy(other_tcp);
    const auto other_error = other_spdy.open(type("error"));
    other_spdy.open(type("stdout"));
    EXPECT_TRUE(other_spdy.read_all(other_error));
    never_read_may_end_.set_value();
    sending.get();
    if (websocket) {
      std::string all;
      for (WebSocket::Message message; (message = socket.next()).opcode == 2;)
        if (message.bytes[0] == 1) all += message.bytes.substr(1);
      EXPECT_EQ(all, "deaf32000000");
    } else {
      EXPECT_TRUE(spdy.read_all(error));
      EXPECT_EQ(spdy.data[out], "deaf32000000");
    }
  }
}

TEST_F(StreamingServer, ExecOverWebSocket) {
  for (const std::string prefix : {"v5.", "v4.", ""}) {
    const std::string url = exec({"exit", "3"}, {.output = true, .error_output = true});
    Tcp tcp(port_of(url));
    const Answer answer = ask_websocket(tcp, url, prefix + "channel.k8s.io");
    ASSERT_EQ(answer.status, 101);
    EXPECT_EQ(answer.header("sec-websocket-protocol"), prefix + "channel.k8s.io");
    EXPECT_EQ(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    WebSocket socket(tcp);
    EXPECT_EQ(socket.next().bytes, "\1");  // it stands
    std::map<char, std::string> channels;
    WebSocket::Message message;
    while ((message = socket.next()).opcode == 2) channels[message.bytes.at(0)] += message.bytes.substr(1);
    EXPECT_EQ(channels[1], "out");
    EXPECT_EQ(channels[2], "err");
    const char* expected = prefix.empty() ? "exit code 3" : R"([{"message":"3","reason":"ExitCode"}])";
    EXPECT_NE(channels[3].find(expected), std::string::npos) << channels[3];
    EXPECT_EQ(message.opcode, 8);
    EXPECT_EQ(message.bytes, "\x03\xe8");  // 1000, a normal end
    socket.send_frame(8, "\x03\xe8", true);
  }
}

TEST_F(StreamingServer, TheCloseSignalEndsStdin) {
  const std::string url = exec({"cat"}, {.input = true, .output = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_websocket(tcp, url, kV5).status, 101);
  WebSocket socket(tcp);
  socket.send("\0hello"s);
  socket.send_frame(2, "\0 in "s, false);
  socket.send_frame(9, "ping", true);
  socket.send_frame(0, "pieces", true);
  socket.send("\xff\0"s);
  std::string out, error;
  bool pong = false;
  for (WebSocket::Message message; (message = socket.next()).opcode != 8 && message.opcode != 0;) {
    if (message.opcode == 10) pong = message.bytes == "ping";
    if (message.opcode == 2 && message.bytes[0] == 1) out += message.bytes.substr(1);
    if (message.opcode == 2 && message.bytes[0] == 3) error += message.bytes.substr(1);
  }
  EXPECT_EQ(out, "hello in pieces");
  EXPECT_EQ(error, kSuccess);
  EXPECT_TRUE(pong);
}

TEST_F(StreamingServer, Base64OverWebSocket) {
  const std::string url = exec({"size"}, {.input = true, .output = true, .terminal = true});
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_websocket(tcp, url, "v4.base64.channel.k8s.io").status, 101);
  WebSocket socket(tcp);
  EXPECT_EQ(socket.next().bytes, "1");
  socket.send_frame(1, "4eyJXaWR0aCI6MiwiSGVpZ2h0IjoxfQ==", true);  // {"Width":2,"Height":1}
  const auto message = socket.next();
  EXPECT_EQ(message.opcode, 1);
  EXPECT_EQ(message.bytes, "1MngxCg==");  // 2x1
  socket.send_frame(1, "4!", true);
  EXPECT_EQ(socket.next().opcode, 8);
}

TEST_F(StreamingServer, ForwardsPortsOverSpdy) {
  const std::string url = forward();
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, "portforward.k8s.io").status, 101);
  Spdy spdy(tcp);
  const auto error1 = spdy.open(port("error", 7, 0), true), data1 = spdy.open(port("data", 7, 0));
  const auto error2 = spdy.open(port("error", 9, 1), true), data2 = spdy.open(port("data", 9, 1));
  spdy.send(data1, "one");
  spdy.send(data2, "two", true);
  EXPECT_TRUE(spdy.read_until(data1, "one"));
  EXPECT_TRUE(spdy.read_all(data2));  // the half that is closed does not close the other
  EXPECT_EQ(spdy.data[data2], sha256_hex("two"));
  EXPECT_TRUE(spdy.read_all(error2));
  spdy.send(data1, "more", true);
  EXPECT_TRUE(spdy.read_all(data1));
  EXPECT_EQ(spdy.data[data1], "onemore");
  EXPECT_TRUE(spdy.read_all(error1));
  // One that is refused leaves the connection as it is.
  const auto error3 = spdy.open(port("error", 1, 2), true), data3 = spdy.open(port("data", 1, 2));
  EXPECT_TRUE(spdy.read_all(error3));
  EXPECT_EQ(spdy.data[error3], "forward port 1: connect to port 1: connection refused");
  EXPECT_FALSE(spdy.read_all(data3));
  // Without request ids, as old clients do it.
  const auto error4 = spdy.open({{"streamtype", "error"}, {"port", "7"}});
  const auto data4 = spdy.open({{"streamtype", "data"}, {"port", "7"}});
  spdy.send(data4, "old");
  EXPECT_TRUE(spdy.read_until(data4, "old"));
  spdy.reset(data4);
  EXPECT_TRUE(spdy.read_all(error4));
  const auto bad = spdy.open(port("data", 0, 9)),
             worse = spdy.open({{"streamtype", "data"}, {"port", "99999"}});
  EXPECT_FALSE(spdy.read_all(bad));
  EXPECT_FALSE(spdy.read_all(worse));
}

TEST_F(StreamingServer, AHalfPairIsNotWaitedForLong) {
  server({.stream_creation_timeout = 200ms});
  const std::string url = forward();
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, "portforward.k8s.io").status, 101);
  Spdy spdy(tcp);
  const auto error = spdy.open(port("error", 7, 0));
  EXPECT_TRUE(spdy.read_all(error));
  EXPECT_NE(spdy.data[error].find("in time"), std::string::npos);
  EXPECT_FALSE(spdy.read_all(spdy.open(port("data", 7, 1))));
}

// 64 MB up and 64 MB down, each with its digest.
void carry_much(Spdy& spdy) {
  constexpr std::size_t kSize = 64 << 20;
  std::string much(kSize, '\0');
  for (std::size_t i = 0; i < kSize; ++i) much[i] = static_cast<char>(i * 2654435761u >> 13);
  const std::string digest = sha256_hex(much);
  const auto error = spdy.open(port("error", 9, 0), true), up = spdy.open(port("data", 9, 0));
  for (std::size_t at = 0; at < kSize; at += 32768) spdy.send(up, std::string_view(much).substr(at, 32768));
  spdy.send(up, "", true);
  EXPECT_TRUE(spdy.read_all(up));
  EXPECT_EQ(spdy.data[up], digest);
  EXPECT_TRUE(spdy.read_all(error));
  spdy.open(port("error", 19, 1), true);
  const auto down = spdy.open(port("data", 19, 1));
  spdy.send(down, std::to_string(kSize), true);
  EXPECT_TRUE(spdy.read_all(down));
  EXPECT_EQ(sha256_hex(spdy.data[down]), digest);
}

TEST_F(StreamingServer, MuchGoesThroughAPort) {
  for (const bool windows : {false, true}) {
    const std::string url = forward();
    Tcp tcp(port_of(url));
    ASSERT_EQ(ask_spdy(tcp, url, "portforward.k8s.io").status, 101);
    Spdy spdy(tcp, windows);
    carry_much(spdy);
  }
}

TEST_F(StreamingServer, SpdyGoesThroughAWebSocket) {
  const std::string url = forward();
  Tcp tcp(port_of(url));
  const Answer answer = ask_websocket(tcp, url, "SPDY/3.1+portforward.k8s.io");
  ASSERT_EQ(answer.status, 101);
  EXPECT_EQ(answer.header("sec-websocket-protocol"), "SPDY/3.1+portforward.k8s.io");
  WebSocket socket(tcp);
  Spdy spdy(socket);
  carry_much(spdy);
}

TEST_F(StreamingServer, AStalledPortHoldsUpNoOtherOfAClientWithWindows) {
  const std::string url = forward();
  Tcp tcp(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, "portforward.k8s.io").status, 101);
  Spdy spdy(tcp, true);
  spdy.open(port("error", 13, 0));
  const auto stalled = spdy.open(port("data", 13, 0));
  spdy.send(stalled, std::string(65536, 'x'));
  const auto error = spdy.open(port("error", 7, 1), true), data = spdy.open(port("data", 7, 1));
  spdy.send(data, std::string(1000000, 'y'), true);
  EXPECT_TRUE(spdy.read_all(data));
  EXPECT_EQ(spdy.data[data].size(), 1000000u);
  EXPECT_TRUE(spdy.read_all(error));
  never_read_may_end_.set_value();
}

TEST_F(StreamingServer, ForwardsPortsOverChannels) {
  for (const char* protocol : {"v4.channel.k8s.io", "portforward.k8s.io", ""}) {
    const std::string url = forward({7, 1});
    Tcp tcp(port_of(url));
    ASSERT_EQ(ask_websocket(tcp, url, protocol).status, 101);
    WebSocket socket(tcp);
    for (const std::string& greeting : {"\0\7\0"s, "\1\7\0"s, "\2\1\0"s, "\3\1\0"s})
      EXPECT_EQ(socket.next().bytes, greeting);
    socket.send("\0hello"s);
    std::map<char, std::string> channels;
    while (channels[0] != "hello" || channels[3].empty()) {
      const auto message = socket.next();
      ASSERT_EQ(message.opcode, 2);
      channels[message.bytes[0]] += message.bytes.substr(1);
    }
    EXPECT_EQ(channels[3], "forward port 1: connect to port 1: connection refused");
  }
  Tcp tcp(server().port());
  EXPECT_EQ(ask_websocket(tcp, forward(), kV4).status, 400);
}

TEST_F(StreamingServer, ServesManyAtOnce) {
  server();
  std::vector<std::future<bool>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::async(std::launch::async, [this, i] {
      const std::string text(100000 + i, static_cast<char>('a' + i % 26));
      const std::string url = i % 2 == 0 ? exec({"cat"}, {.input = true, .output = true}) : forward();
      Tcp tcp(port_of(url));
      const Answer answer = ask_spdy(tcp, url, i % 2 == 0 ? kV4 : "portforward.k8s.io");
      EXPECT_EQ(answer.status, 101) << answer.body;
      Spdy spdy(tcp);
      std::uint32_t error = 0, in = 0, out = 0;
      if (i % 2 == 0) {
        error = spdy.open(type("error"));
        in = spdy.open(type("stdin"));
        out = spdy.open(type("stdout"));
      } else {
        error = spdy.open(port("error", 7, 0));
        in = out = spdy.open(port("data", 7, 0));
      }
      spdy.send(in, text, true);
      EXPECT_TRUE(spdy.read_all(out)) << i;
      EXPECT_TRUE(spdy.read_all(error)) << i << ": " << spdy.data[error];
      return spdy.data[out] == text;
    }));
  }
  for (auto& client : clients) EXPECT_TRUE(client.get());
  EXPECT_TRUE(no_session_left());
}

TEST_F(StreamingServer, EndsWhileClientsAreThere) {
  const std::string url = exec({"sleep"}, {.output = true});
  const std::string port_url = forward();
  Tcp tcp(port_of(url)), port_tcp(port_of(url)), silent(port_of(url));
  ASSERT_EQ(ask_spdy(tcp, url, kV4).status, 101);
  ASSERT_EQ(ask_spdy(port_tcp, port_url, "portforward.k8s.io").status, 101);
  Spdy spdy(tcp), port_spdy(port_tcp);
  spdy.open(type("error"));
  const auto out = spdy.open(type("stdout"));
  EXPECT_TRUE(spdy.read_until(out, "asleep"));
  port_spdy.open(port("error", 7, 0));
  const auto data = port_spdy.open(port("data", 7, 0));
  port_spdy.send(data, "x");
  EXPECT_TRUE(port_spdy.read_until(data, "x"));
  server_.reset();
  EXPECT_EQ(backend_.open_sessions, 0);
  EXPECT_FALSE(spdy.read_all(out));
}

// A key and a certificate that it signed itself, in one file.
std::string write_certificate() {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::string path = ::testing::TempDir() + "streaming-XXXXXX";
  const UniqueFd file(::mkstemp(path.data()));
  FILE* stream = ::fdopen(::dup(file.get()), "w");
  PEM_write_PrivateKey(stream, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_X509(stream, certificate.get());
  ::fclose(stream);
  return path;
}

TEST_F(StreamingServer, SpeaksTls) {
  const std::string pem = write_certificate();
  server({.certificate = pem, .key = pem});
  ::unlink(pem.c_str());
  const std::string url = exec({"exit", "0"}, {.output = true});
  EXPECT_EQ(url.substr(0, 18), "https://127.0.0.1:");
  Tcp tcp(port_of(url));
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), tcp.fd());
  ASSERT_EQ(SSL_connect(ssl.get()), 1);
  spdy::Writer writer;
  std::string request = "POST " + path_of(url) +
                        " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                        "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";
  // The streams in the same breath: what follows a request is not lost.
  request += writer.syn_stream(1, type("error"), false);
  request += writer.syn_stream(3, type("stdout"), false);
  ASSERT_GT(SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())), 0);
  std::string all(65536, '\0');
  std::size_t size = 0;
  for (int got = 0; (got = SSL_read(ssl.get(), all.data() + size, static_cast<int>(all.size() - size))) > 0;)
    size += static_cast<std::size_t>(got);
  all.resize(size);
  EXPECT_EQ(all.substr(0, 12), "HTTP/1.1 101");
  EXPECT_NE(all.find(kSuccess), std::string::npos);
  EXPECT_EQ(SSL_get_shutdown(ssl.get()), SSL_RECEIVED_SHUTDOWN);
  // Who speaks no TLS gets no answer.
  Tcp plain(port_of(url));
  EXPECT_EQ(ask(plain, "GET / HTTP/1.1\r\n\r\n").status, 0);
}

TEST_F(StreamingServer, SaysWhyItCannotStart) {
  const auto start = [&](ServerOptions options) {
    const auto started = Server::start(std::move(options), backend_);
    return started ? std::string("started") : started.error().message();
  };
  EXPECT_EQ(start({.address = "localhost"}), "streaming server: 'localhost' is no IP address to listen on");
  EXPECT_NE(start({.port = server().port()}).find("address already in use"), std::string::npos);
  EXPECT_NE(start({.certificate = "/nowhere"}).find("both a certificate and a key"), std::string::npos);
  EXPECT_NE(start({.certificate = "/nowhere", .key = "/nowhere"}).find("certificate '/nowhere'"),
            std::string::npos);
}

}  // namespace
}  // namespace fermata::streaming
