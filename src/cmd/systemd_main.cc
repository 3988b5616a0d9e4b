// fermata-systemd: makes one call of systemd for a command that does not link libsystemd (scope/scopes.h).
// The call is standard input, the reply standard output.
#include <fmt/format.h>
#include <unistd.h>

#include "base/files.h"
#include "scope/bus/bus_scopes.h"
#include "scope/call.h"

namespace fermata::scope {
namespace {

Result<std::string> make(const Call& call) {
  const auto systemd = make_bus_scopes();
  const auto nothing = [](Result<void> done) { return done.map([] { return std::string(); }); };
  const ScopeRequest& request = call.request;
  switch (call.method) {
    case Method::start:
      return systemd->start(request);
    case Method::set_properties:
      return nothing(systemd->set_properties(request.unit, request.properties));
    case Method::stop:
      return nothing(systemd->stop(request.unit));
    case Method::reset_failed:
      return nothing(systemd->reset_failed(request.unit));
  }
  return fail(ErrorKind::invalid_argument, "a call of another version of fermata");
}

Result<void> serve() {
  TRY(const std::string text, read_fd(STDIN_FILENO));
  TRY(const Call call, parse_call(text));
  return write_all(STDOUT_FILENO, format_reply(make(call)));
}

}  // namespace
}  // namespace fermata::scope

int main() {
  const auto served = fermata::scope::serve();
  if (served) return 0;
  const std::string line = fmt::format("fermata-systemd: {}\n", served.error().message());
  // When standard error is gone there is nobody to tell.
  static_cast<void>(fermata::write_all(STDERR_FILENO, line).has_value());
  return 1;
}
