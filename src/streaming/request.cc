#include "streaming/request.h"

namespace fermata::streaming {
namespace {

Result<void> validate_process(const char* what, const std::string& container, const Streams& streams) {
  if (container.empty()) return fail(ErrorKind::invalid_argument, "{}: the container's id is missing", what);
  if (streams.terminal && streams.error_output)
    return fail(ErrorKind::invalid_argument,
                "{}: a terminal has one stream for both outputs; ask for tty or for stderr", what);
  if (!streams.input && !streams.output && !streams.error_output)
    return fail(ErrorKind::invalid_argument, "{}: ask for at least one of stdin, stdout, stderr", what);
  return {};
}

}  // namespace

Result<void> validate(const Request& request) {
  if (const auto* exec = std::get_if<ExecRequest>(&request)) {
    TRY(validate_process("exec", exec->container, exec->streams));
    if (exec->command.empty()) return fail(ErrorKind::invalid_argument, "exec: the command is missing");
    return {};
  }
  if (const auto* attach = std::get_if<AttachRequest>(&request))
    return validate_process("attach", attach->container, attach->streams);
  const auto& forward = std::get<PortForwardRequest>(request);
  if (forward.sandbox.empty())
    return fail(ErrorKind::invalid_argument, "port-forward: the pod sandbox's id is missing");
  for (const std::uint16_t port : forward.ports)
    if (port == 0) return fail(ErrorKind::invalid_argument, "port-forward: 0 is no port");
  return {};
}

const char* kind_of(const Request& request) {
  constexpr const char* kKinds[] = {"exec", "attach", "portforward"};
  return kKinds[request.index()];
}

}  // namespace fermata::streaming
