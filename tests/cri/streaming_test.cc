// Exec: commands whose streams a client has, by each protocol, with their exit codes, terminals and the end
// of their input; and what becomes of them when the client, or the daemon, goes.
#include <future>

#include "cri/streaming_fixture.h"

namespace fermata::cri_test {
namespace {

using testing::HasSubstr;

constexpr int kClients = 30;
constexpr char kWait[] =
    "echo up; while ! test -e /tmp/go; do sleep 0.05; done; echo over; touch /tmp/over; exit 4";

class Exec : public StreamingTestByWire {
 protected:
  void SetUp() override {
    StreamingTestByWire::SetUp();
    if (IsSkipped()) return;
    id_ = run(run_pod(), {"sleep", "1000"});
  }
  std::unique_ptr<ProcessClient> connect(const Arguments& command, const Streams& streams) const {
    return connect_exec(GetParam(), id_, command, streams);
  }
  std::string id_;
};

TEST_P(Exec, TellsOutputErrorsAndExitCode) {
  const auto client =
      connect({"sh", "-c", "echo out; echo err >&2; exit 7"}, {.output = true, .error_output = true});
  EXPECT_EQ(7, client->finish()) << client->status();
  EXPECT_EQ("out\n", client->out());
  EXPECT_EQ("err\n", client->err());
  EXPECT_EQ(0, connect({"true"}, {.output = true})->finish());
  EXPECT_EQ(137, connect({"sh", "-c", "kill -9 $$"}, {.output = true})->finish());
}

TEST_P(Exec, LeavesOutTheStreamsThatNobodyAskedFor) {
  const auto client = connect({"sh", "-c", "echo out; echo err >&2; cat"}, {.error_output = true});
  EXPECT_EQ(0, client->finish()) << "its stdin is at its end";
  EXPECT_EQ("", client->out());
  EXPECT_EQ("err\n", client->err());
}

TEST_P(Exec, TakesInput) {
  constexpr int kSize = 5'000'000;
  const auto client = connect({"sh", "-c", "head -c " + std::to_string(kSize) + " | md5sum; exit 3"},
                              {.input = true, .output = true});
  const std::string piece(50'000, 'x');
  for (int sent = 0; sent < kSize; sent += static_cast<int>(piece.size())) client->write(piece);
  EXPECT_EQ(3, client->finish());
  const std::string expected =
      inside(id_, {"sh", "-c", "head -c " + std::to_string(kSize) + " /dev/zero | tr '\\0' x | md5sum"});
  EXPECT_EQ(expected + "\n", client->out());
}

TEST_P(Exec, EndsItsInput) {
  if (!can_end_input(GetParam())) {
    // A client that can end stdin by going alone takes it along all the same.
    const auto client =
        connect({"sh", "-c", "cat >/dev/null; touch /tmp/over"}, {.input = true, .output = true});
    client->write("some");
    client->hang_up();
    EXPECT_TRUE(eventually([&] { return exec(id_, {"test", "-e", "/tmp/over"})->exit_code() == 0; }));
    return;
  }
  const auto client =
      connect({"sh", "-c", "cat; echo end >&2"}, {.input = true, .output = true, .error_output = true});
  client->write("one");
  ASSERT_TRUE(client->read_until("one"));
  client->write("two");
  client->end_input();
  EXPECT_EQ(0, client->finish());
  EXPECT_EQ("onetwo", client->out());
  EXPECT_EQ("end\n", client->err());
}

TEST_P(Exec, BringsLongOutputWhole) {
  constexpr std::size_t kSize = 40'000'000;
  const auto client = connect({"head", "-c", std::to_string(kSize), "/dev/zero"}, {.output = true});
  EXPECT_EQ(0, client->finish());
  EXPECT_EQ(kSize, client->out().size());
}

TEST_P(Exec, HasATerminalWhoseSizeFollows) {
  const auto client =
      connect({"/bin/probe", "watch-terminal"}, {.input = true, .output = true, .terminal = true});
  ASSERT_TRUE(client->read_until("ready")) << client->out();
  client->resize(40, 132);
  EXPECT_TRUE(client->read_until("size 40 132")) << client->out();
  client->resize(25, 80);
  EXPECT_TRUE(client->read_until("size 25 80")) << client->out();
  client->hang_up();
}

TEST_P(Exec, IsInterruptedByItsTerminal) {
  const auto client =
      connect({"sh", "-c", "trap 'echo stopped; exit 6' INT; echo up; while :; do sleep 0.05; done"},
              {.input = true, .output = true, .terminal = true});
  ASSERT_TRUE(client->read_until("up"));
  client->write("\x03");
  EXPECT_EQ(6, client->finish());
  EXPECT_THAT(client->out(), HasSubstr("stopped"));
}

TEST_P(Exec, NamesAProgramThatIsMissing) {
  const auto client = connect({"/no/such/program"}, {.output = true, .error_output = true});
  EXPECT_NE(0, client->finish());
  EXPECT_THAT(client->status() + client->err(), HasSubstr("/no/such/program"));
}

TEST_P(Exec, AUrlIsForOneClient) {
  const std::string url = exec_url(id_, {"sleep", "1"}, {.output = true});
  EXPECT_EQ(101, http_status(GetParam(), url));
  EXPECT_EQ(404, http_status(GetParam(), url));
  const std::string other = exec_url(id_, {"sleep", "1"}, {.output = true});
  const std::string guess = other.substr(0, other.rfind('/')) + "/0123456789abcdef0123456789abcdef";
  EXPECT_EQ(404, http_status(GetParam(), guess));
}

TEST_P(Exec, ACommandOutlivesItsClient) {
  const auto client = connect({"sh", "-c", kWait}, {.output = true});
  ASSERT_TRUE(client->read_until("up"));
  client->hang_up();
  inside(id_, {"touch", "/tmp/go"});
  EXPECT_TRUE(eventually([&] { return exec(id_, {"test", "-e", "/tmp/over"})->exit_code() == 0; }));
}

INSTANTIATE_WIRES(Exec);

class ExecCalls : public StreamingTest {
 protected:
  void SetUp() override {
    StreamingTest::SetUp();
    if (IsSkipped()) return;
    id_ = run(run_pod(), {"sleep", "1000"});
  }
  static void end_daemon(bool by_force) {
    if (by_force)
      daemon().kill();
    else
      EXPECT_EQ(0, daemon().stop()) << daemon().log();
  }
  std::string id_;
};

TEST_F(ExecCalls, ManyAtOnce) {
  std::vector<Wire> wires{Wire::spdy_v4, Wire::websocket_v4};
  if (!is_containerd()) wires.insert(wires.end(), {Wire::spdy_v5, Wire::websocket_v5});
  std::vector<std::future<std::string>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::async(std::launch::async, [this, i, wire = wires[i % wires.size()]] {
      const auto client =
          connect_exec(wire, id_, {"sh", "-c", "read line; echo $line; exit " + std::to_string(i)},
                       {.input = true, .output = true});
      client->write("line " + std::to_string(i) + "\n");
      const int code = client->finish();
      return client->out() + std::to_string(code);
    }));
  }
  for (int i = 0; i < kClients; ++i)
    EXPECT_EQ("line " + std::to_string(i) + "\n" + std::to_string(i), clients[i].get());
}

TEST_F(ExecCalls, WhatCannotBeIsRefused) {
  EXPECT_FALSE(ask_exec(id_, {"true"}, {}).ok()) << "no stream";
  EXPECT_FALSE(ask_exec(id_, {"true"}, {.output = true, .error_output = true, .terminal = true}).ok());
  EXPECT_FALSE(ask_exec(std::string(64, 'f'), {"true"}, {.output = true}).ok());
  EXPECT_OK(stop(id_));
  EXPECT_FALSE(ask_exec(id_, {"true"}, {.output = true}).ok()) << "the container has ended";
}

TEST_F(ExecCalls, EndsWithItsContainer) {
  const auto client = connect_exec(Wire::spdy_v4, id_, {"sh", "-c", "echo up; sleep 1000"}, {.output = true});
  ASSERT_TRUE(client->read_until("up"));
  EXPECT_OK(stop(id_));
  EXPECT_EQ(137, client->finish()) << client->status();
}

TEST_F(ExecCalls, ACommandOutlivesTheDaemon) {
  for (const bool by_force : {false, true}) {
    const auto client = connect_exec(Wire::spdy_v4, id_, {"sh", "-c", kWait}, {.output = true});
    ASSERT_TRUE(client->read_until("up"));
    const std::string unused = exec_url(id_, {"true"}, {.output = true});
    end_daemon(by_force);
    EXPECT_EQ(-1, client->finish()) << "nobody can tell its exit code: " << client->status();
    daemon().start();
    inside(id_, {"touch", "/tmp/go"});
    EXPECT_TRUE(eventually([&] { return exec(id_, {"test", "-e", "/tmp/over"})->exit_code() == 0; }));
    const std::string url = exec_url(id_, {"echo", "again"}, {.output = true});
    EXPECT_EQ(404, http_status(Wire::spdy_v4, moved_to(unused, url))) << "it was another daemon's";
    const auto next = ProcessClient::connect(Wire::spdy_v4, url, {.output = true});
    EXPECT_EQ(0, next->finish());
    EXPECT_EQ("again\n", next->out());
    inside(id_, {"rm", "/tmp/go", "/tmp/over"});
  }
}

}  // namespace
}  // namespace fermata::cri_test
