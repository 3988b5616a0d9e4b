#include "cri/streaming_fixture.h"

namespace fermata::cri_test {
namespace {

template <typename Request>
void set_streams(Request& request, const Streams& streams) {
  request.set_stdin(streams.input);
  request.set_stdout(streams.output);
  request.set_stderr(streams.error_output);
  request.set_tty(streams.terminal);
}

template <typename Response>
std::string url_of(const Reply<Response>& reply) {
  EXPECT_OK(reply);
  return reply->url();
}

}  // namespace

Reply<v1::ExecResponse> StreamingTest::ask_exec(const std::string& id, const Arguments& command,
                                                const Streams& streams) {
  v1::ExecRequest request;
  request.set_container_id(id);
  for (const std::string& word : command) request.add_cmd(word);
  set_streams(request, streams);
  return client().call(&Runtime::Exec, request);
}

Reply<v1::AttachResponse> StreamingTest::ask_attach(const std::string& id, const Streams& streams) {
  v1::AttachRequest request;
  request.set_container_id(id);
  set_streams(request, streams);
  return client().call(&Runtime::Attach, request);
}

Reply<v1::PortForwardResponse> StreamingTest::ask_port_forward(const std::string& pod,
                                                               const std::vector<int>& ports) {
  v1::PortForwardRequest request;
  request.set_pod_sandbox_id(pod);
  for (const int port : ports) request.add_port(port);
  return client().call(&Runtime::PortForward, request);
}

std::string StreamingTest::exec_url(const std::string& id, const Arguments& command, const Streams& streams) {
  return url_of(ask_exec(id, command, streams));
}

std::string StreamingTest::attach_url(const std::string& id, const Streams& streams) {
  return url_of(ask_attach(id, streams));
}

std::string StreamingTest::forward_url(const std::string& pod, const std::vector<int>& ports) {
  return url_of(ask_port_forward(pod, ports));
}

}  // namespace fermata::cri_test
