#include "streaming/protocols.h"

#include <span>

#include "base/text.h"

namespace fermata::streaming {
namespace {

// The difference between v4 and v5 is the message that closes a channel of a WebSocket; SPDY's streams always
// could.
constexpr Protocol kProcessSpdy[] = {{"v5.channel.k8s.io", 5},
                                     {"v4.channel.k8s.io", 4},
                                     {"v3.channel.k8s.io", 3},
                                     {"v2.channel.k8s.io", 2},
                                     {"channel.k8s.io", 1}};
constexpr Protocol kProcessWebSocket[] = {{"v5.channel.k8s.io", 5},
                                          {"v5.base64.channel.k8s.io", 5, true},
                                          {"v4.channel.k8s.io", 4},
                                          {"v4.base64.channel.k8s.io", 4, true},
                                          {"channel.k8s.io", 1},
                                          {"base64.channel.k8s.io", 1, true},
                                          {"", 1}};
constexpr Protocol kPortSpdy[] = {{"portforward.k8s.io", 1}};
constexpr Protocol kPortWebSocket[] = {{"SPDY/3.1+portforward.k8s.io", 1, false, true},
                                       {"v4.channel.k8s.io", 4},
                                       {"v4.base64.channel.k8s.io", 4, true},
                                       {"portforward.k8s.io", 4},
                                       {"", 4}};

std::span<const Protocol> protocols_of(Subject subject, Carrier carrier) {
  if (subject == Subject::process) {
    if (carrier == Carrier::spdy) return kProcessSpdy;
    return kProcessWebSocket;
  }
  if (carrier == Carrier::spdy) return kPortSpdy;
  return kPortWebSocket;
}

}  // namespace

const Protocol* choose_protocol(Subject subject, Carrier carrier, const std::vector<std::string>& offered) {
  const auto known = protocols_of(subject, carrier);
  const auto find = [&known](std::string_view name) -> const Protocol* {
    for (const Protocol& protocol : known)
      if (protocol.name == name) return &protocol;
    return nullptr;
  };
  if (offered.empty()) return find("");
  for (const std::string& name : offered)
    if (const Protocol* protocol = find(name)) return protocol;
  return nullptr;
}

std::vector<std::string_view> protocol_names(Subject subject, Carrier carrier) {
  std::vector<std::string_view> names;
  for (const Protocol& protocol : protocols_of(subject, carrier))
    if (!protocol.name.empty()) names.push_back(protocol.name);
  return names;
}

std::vector<std::string> parse_list(std::string_view header) {
  std::vector<std::string> names;
  for (const std::string_view name : split(header, ','))
    if (const auto trimmed = trim(name); !trimmed.empty()) names.emplace_back(trimmed);
  return names;
}

}  // namespace fermata::streaming
