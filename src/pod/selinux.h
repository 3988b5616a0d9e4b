// What SELinux calls a container's processes and files. Pure, but for selinux_labels() and relabel(), which
// do nothing where SELinux is off.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "pod/model.h"

namespace fermata::pod {

// "user:role:type:level", or "": none.
struct SelinuxLabels {
  std::string process;
  std::string files;  // that only this container may use
};

// With what policies for containers have where a part is ""; "" when all of them are. container_selinux(8).
std::string process_label(std::string_view user, std::string_view role, std::string_view type,
                          std::string_view level);
// SELINUXTYPE of selinux_config(5).
std::string policy_name(std::string_view config);
// `file` of the policy's lxc_contexts.
std::string file_label(std::string_view contexts);
// Of the files of a container whose processes have `process`: the policy's, with its user and level.
std::string files_label(std::string_view process, std::string_view policy_label);
// The same without categories: every container may use them.
std::string shared_label(std::string_view files);
// ErrorKind::invalid_argument for what the whole host uses, and would not work with another label: "/",
// "/usr",
// "/home/user". `path`: absolute, without symlinks.
Result<void> check_relabel(std::string_view path);

// Of a container that asked for `process`; "": none.
SelinuxLabels selinux_labels(const std::string& process);
// Gives the files below `source` the label that the mount asks for. `again`: only where it does not have that
// itself, for the container has run before.
Result<void> relabel(const std::string& source, VolumeMount::Relabel mode, const SelinuxLabels& labels,
                     bool again);

}  // namespace fermata::pod
