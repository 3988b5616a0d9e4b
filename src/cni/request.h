// What a plugin is started with: the configuration on its standard input, and its CNI_* variables; CNI
// specification 1.1, sections 2 and 3. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cni/configuration.h"
#include "cni/result.h"

namespace fermata::cni {

enum class Command { add, del, check, gc, status, version };
// "ADD"
std::string_view command_name(Command command);

// One interface of one pod. The pod's id and the interface's name together are its identity.
struct Attachment {
  std::string pod;                 // CNI_CONTAINERID
  std::string interface = "eth0";  // CNI_IFNAME
  std::string network_namespace;   // CNI_NETNS: a path; "" for DEL only: there is none any more
  std::vector<std::pair<std::string, std::string>> arguments;  // CNI_ARGS
  std::string capabilities = "{}";                             // capability_document()
};

struct Request {
  Command command = Command::version;
  std::string input;
  std::vector<std::string> variables;  // "CNI_COMMAND=ADD"; CNI_PATH is not among them
};

// Whether names, arguments and capabilities are such as plugins take.
Result<void> validate(const Attachment& attachment);

// ADD, DEL and CHECK. `previous`: the result of the plugin before (ADD), or of the whole ADD.
Request compose_request(Command command, const NetworkConfiguration& network, const Version& version,
                        const Plugin& plugin, const Attachment& attachment,
                        const std::optional<AddResult>& previous);

struct ValidAttachment {
  std::string pod, interface;
};
Request compose_gc_request(const NetworkConfiguration& network, const Version& version, const Plugin& plugin,
                           const std::vector<ValidAttachment>& valid);
Request compose_status_request(const NetworkConfiguration& network, const Version& version,
                               const Plugin& plugin);
Request compose_version_request();

// The reply to VERSION.
Result<std::vector<Version>> parse_supported_versions(std::string_view text);

}  // namespace fermata::cni
