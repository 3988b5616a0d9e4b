// The base of the tests of streams: the calls that answer with a URL.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cri/fixture.h"
#include "cri/process_client.h"

namespace fermata::cri_test {

class StreamingTest : public CriTest {
 protected:
  static Reply<v1::ExecResponse> ask_exec(const std::string& id, const Arguments& command,
                                          const Streams& streams);
  static Reply<v1::AttachResponse> ask_attach(const std::string& id, const Streams& streams);
  static Reply<v1::PortForwardResponse> ask_port_forward(const std::string& pod,
                                                         const std::vector<int>& ports = {});
  // The URL of a call that must succeed.
  static std::string exec_url(const std::string& id, const Arguments& command, const Streams& streams);
  static std::string attach_url(const std::string& id, const Streams& streams);
  static std::string forward_url(const std::string& pod, const std::vector<int>& ports = {});

  static std::unique_ptr<ProcessClient> connect_exec(Wire wire, const std::string& id,
                                                     const Arguments& command, const Streams& streams) {
    return ProcessClient::connect(wire, exec_url(id, command, streams), streams);
  }
  static std::unique_ptr<ProcessClient> connect_attach(Wire wire, const std::string& id,
                                                       const Streams& streams) {
    return ProcessClient::connect(wire, attach_url(id, streams), streams);
  }
};

// The same tests by each protocol that the daemon knows.
class StreamingTestByWire : public StreamingTest, public testing::WithParamInterface<Wire> {
 protected:
  void SetUp() override {
    StreamingTest::SetUp();
    if (IsSkipped()) return;
    if (is_containerd() && (GetParam() == Wire::spdy_v5 || GetParam() == Wire::websocket_v5))
      GTEST_SKIP() << "Debian 12's containerd is older than v5";
  }
};
#define INSTANTIATE_WIRES(suite)                                                                           \
  INSTANTIATE_TEST_SUITE_P(                                                                                \
      Wires, suite, testing::Values(Wire::spdy_v4, Wire::spdy_v5, Wire::websocket_v4, Wire::websocket_v5), \
      [](const auto& each) { return name_of(each.param); })

}  // namespace fermata::cri_test
