#include "bundle/listener.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bundle/descriptors.h"
#include "bundle/launch.h"
#include "oci/runtime_document.h"

namespace fermata::bundle {

using nlohmann::json;

Result<void> send_listener(const std::string& seccomp, const Container& container,
                           const std::map<std::string, std::string>& annotations, int pid, int listener) {
  const json filter = json::parse(seccomp, nullptr, false);
  if (!filter.is_object() || !filter.contains("listenerPath") || !filter["listenerPath"].is_string())
    return fail(ErrorKind::invalid_argument,
                "linux.seccomp has SCMP_ACT_NOTIFY, and no listenerPath to send the notifications to");
  const auto path = filter["listenerPath"].get<std::string>();
  json state = {{"ociVersion", oci::kRuntimeSpecVersion},
                {"fds", {"seccompFd"}},
                {"pid", pid},
                {"state", json::parse(state_document(container, "creating", annotations))}};
  if (filter.contains("listenerMetadata")) state["metadata"] = filter["listenerMetadata"];
  auto socket = connect_to(path);
  if (!socket) return fail_with(std::move(socket.error()), "linux.seccomp.listenerPath");
  return send_descriptor(socket->get(), listener, state.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace fermata::bundle
