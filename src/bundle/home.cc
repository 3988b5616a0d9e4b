#include "bundle/home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "base/files.h"
#include "kernel/mounts.h"
#include "runtime/user.h"

namespace fermata::bundle {
namespace {

constexpr std::size_t kMaxPasswd = 4u << 20;

bool has_home(const oci::Process& process) {
  return std::any_of(process.env.begin(), process.env.end(), [](std::string_view variable) {
    return variable.starts_with("HOME=") && variable.size() > 5;
  });
}

// The file is the image's: what is a FIFO or a device there is looked at before it is opened for reading.
std::string read_regular(const Result<UniqueFd>& place) {
  struct stat info = {};
  if (!place || ::fstat(place->get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  const auto file = open_file(fmt::format("/proc/self/fd/{}", place->get()), O_RDONLY | O_NOCTTY);
  if (!file) return "";
  return read_fd(file->get(), kMaxPasswd).value_or("");
}

// Without a readable file, as without an entry in it, home is "/".
void add(const std::string& passwd, oci::Process* process) {
  const auto user = runtime::resolve_user(std::to_string(process->user.uid), passwd, "", {});
  const std::string home = user ? user->home : "/";
  std::erase(process->env, "HOME=");
  process->env.push_back("HOME=" + home);
}

}  // namespace

void add_home(const oci::RuntimeSpec& spec, oci::Process* process) {
  if (has_home(*process)) return;
  int tree = spec.root_tree;
  std::string path = "/etc/passwd";
  for (const oci::Mount& mount : spec.mounts) {
    if (mount.tree < 0 || (mount.destination != "/etc" && mount.destination != "/etc/passwd")) continue;
    tree = mount.tree;
    path = mount.destination == "/etc" ? "/passwd" : "";
  }
  if (tree < 0) return add("", process);
  add(read_regular(path.empty() ? open_file(fmt::format("/proc/self/fd/{}", tree), O_PATH)
                                : kernel::open_in_root(tree, path, O_PATH)),
      process);
}

void add_home(int pid, oci::Process* process) {
  if (has_home(*process)) return;
  const auto root = open_file(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY);
  add(root ? read_regular(kernel::open_in_root(root->get(), "/etc/passwd", O_PATH)) : "", process);
}

}  // namespace fermata::bundle
