// Attach: clients that come to a container's streams and leave them, by each protocol.
#include "cri/streaming_fixture.h"

namespace fermata::cri_test {
namespace {

constexpr Streams kAll{.input = true, .output = true, .error_output = true};
constexpr Streams kTerminal{.input = true, .output = true, .terminal = true};

class Attach : public StreamingTestByWire {
 protected:
  static v1::ContainerConfig open_config(const Arguments& command) {
    v1::ContainerConfig config = container_config(command);
    config.set_stdin(true);
    return config;
  }
  std::unique_ptr<ProcessClient> connect(const std::string& id, const Streams& streams = kAll) const {
    return connect_attach(GetParam(), id, streams);
  }
};

TEST_P(Attach, CarriesInputOutputAndErrors) {
  const std::string id =
      run(run_pod(), open_config({"sh", "-c", "while read line; do echo $line; echo no $line >&2; done"}));
  const auto client = connect(id);
  client->write("one\ntwo\n");
  EXPECT_TRUE(client->read_until("one\ntwo\n"));
  EXPECT_TRUE(eventually([] { return logged().size() == 4; })) << "it is logged as well";
  EXPECT_OK(stop(id));
  client->read_to_end();
  EXPECT_EQ("no one\nno two\n", client->err());
}

TEST_P(Attach, ClientsComeAndGo) {
  const std::string id = run(run_pod(), open_config({"cat"}));
  for (int i = 0; i < 3; ++i) {
    const auto client = connect(id);
    const std::string line = "line " + std::to_string(i) + "\n";
    client->write(line);
    EXPECT_TRUE(client->read_until(line)) << i;
    client->hang_up();
  }
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
}

TEST_P(Attach, TwoClientsSeeTheSameOutput) {
  const std::string id = run(run_pod(), {"sh", "-c", "while sleep 0.1; do echo tick; done"});
  const auto one = connect(id, {.output = true}), two = connect(id, {.output = true});
  EXPECT_TRUE(one->read_until("tick\n"));
  EXPECT_TRUE(two->read_until("tick\n"));
  two->hang_up();
  EXPECT_TRUE(one->read_until("tick\ntick\ntick\n"));
}

TEST_P(Attach, SucceedsWhateverTheContainerEndsWith) {
  const std::string id = run(run_pod(), open_config({"sh", "-c", "read line; echo $line; exit 5"}));
  const auto client = connect(id);
  client->write("the end\n");
  EXPECT_EQ(0, client->finish()) << client->status();
  EXPECT_EQ("the end\n", client->out());
  EXPECT_EQ(5, wait_exited(id).exit_code());
}

TEST_P(Attach, StdinThatIsOpenOnceEndsWithItsFirstClient) {
  v1::ContainerConfig config = open_config({"sh", "-c", "cat; exit 5"});
  config.set_stdin_once(true);
  const std::string id = run(run_pod(), config);
  const auto client = connect(id);
  client->write("line\n");
  EXPECT_TRUE(client->read_until("line\n"));
  if (can_end_input(GetParam()))
    client->end_input();
  else
    client->hang_up();
  EXPECT_EQ(5, wait_exited(id).exit_code());
}

TEST_P(Attach, ATerminalIsResized) {
  v1::ContainerConfig config = open_config({"/bin/probe", "watch-terminal"});
  config.set_tty(true);
  const std::string id = run(run_pod(), config);
  const auto client = connect(id, kTerminal);
  client->resize(40, 132);
  EXPECT_TRUE(client->read_until("size 40 132")) << client->out();
  client->hang_up();
  const auto next = connect(id, kTerminal);
  next->resize(50, 150);
  EXPECT_TRUE(next->read_until("size 50 150")) << next->out();
}

INSTANTIATE_WIRES(Attach);

class AttachCalls : public StreamingTest {};

TEST_F(AttachCalls, ClientsComeBackAfterTheDaemonWasKilled) {
  if (is_containerd()) GTEST_SKIP() << "its containers lose their stdin with it";
  v1::ContainerConfig config = container_config({"cat"});
  config.set_stdin(true);
  const std::string id = run(run_pod(), config);
  const auto before = connect_attach(Wire::spdy_v4, id, kAll);
  before->write("before\n");
  ASSERT_TRUE(before->read_until("before\n"));
  daemon().kill();
  before->read_to_end();
  EXPECT_EQ("", before->status());
  daemon().start();
  const auto after = connect_attach(Wire::websocket_v5, id, kAll);
  after->write("after\n");
  EXPECT_TRUE(after->read_until("after\n"));
  EXPECT_EQ("after\n", after->out());
  EXPECT_EQ(v1::CONTAINER_RUNNING, status(id).state());
}

TEST_F(AttachCalls, WhatCannotBeIsRefused) {
  const std::string id = run(run_pod(), {"sleep", "1000"});
  EXPECT_FALSE(ask_attach(id, {}).ok()) << "no stream";
  EXPECT_FALSE(ask_attach(std::string(64, 'f'), {.output = true}).ok());
  EXPECT_OK(stop(id));
  EXPECT_FALSE(ask_attach(id, {.output = true}).ok()) << "the container has ended";
}

}  // namespace
}  // namespace fermata::cri_test
