#include "cni/configuration_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "cni/configuration_directory.h"

namespace fermata::cni {
namespace {

// Not IN_MODIFY: a file that is being written is not one yet.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// What was opened for writing and has nothing in it yet; its IN_CLOSE_WRITE will come. A link has no such
// event and counts at once.
bool is_being_written(const std::string& path) {
  struct stat info = {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0;
}

}  // namespace

Result<ConfigurationWatcher> ConfigurationWatcher::open(const std::string& directory) {
  if (!directory.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "watch '{}': not an absolute path", directory);
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail(errno, "watch '{}'", directory);
  ConfigurationWatcher watcher(std::filesystem::path(directory).lexically_normal().string(),
                               std::move(inotify));
  if (watcher.directory_.size() > 1 && watcher.directory_.ends_with('/')) watcher.directory_.pop_back();
  TRY(watcher.arm());
  return watcher;
}

Result<bool> ConfigurationWatcher::arm() {
  TRY(const bool moved, watch_nearest());
  TRY(watch_below());
  return moved;
}

// A directory between two that exist may come while we look, hence from the top again until nothing changes.
Result<bool> ConfigurationWatcher::watch_nearest() {
  const int before = nearest_watch_;
  const std::string nearest_before = nearest_;
  for (std::string path = directory_;;) {
    const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
    if (watch < 0 && errno != ENOENT && errno != ENOTDIR) return fail(errno, "watch '{}'", path);
    if (watch < 0) {
      const auto slash = path.find_last_of('/');
      path = slash == 0 ? "/" : path.substr(0, slash);
      continue;
    }
    nearest_ = path;
    nearest_watch_ = watch;
    if (path == directory_) break;
    // Now that it is watched: has the next one come just before?
    const auto slash = directory_.find('/', path == "/" ? 1 : path.size() + 1);
    struct stat next = {};
    if (::stat(directory_.substr(0, slash).c_str(), &next) != 0 || !S_ISDIR(next.st_mode)) break;
    ::inotify_rm_watch(inotify_.get(), watch);
    path = directory_;
  }
  if (nearest_watch_ == before) return false;
  if (before >= 0) ::inotify_rm_watch(inotify_.get(), before);  // fails when it has ended by itself
  return nearest_ == directory_ || nearest_before == directory_;
}

Result<void> ConfigurationWatcher::watch_below() {
  std::map<int, std::string> now;
  std::error_code error;
  if (nearest_ == directory_)
    for (std::filesystem::directory_iterator entry(directory_, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      std::error_code unknown;
      if (!entry->is_directory(unknown)) continue;
      const std::string path = entry->path().string();
      const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
      if (watch >= 0)
        now[watch] = path;
      else if (errno != ENOENT && errno != ENOTDIR)
        return fail(errno, "watch '{}'", path);
    }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(error.value(), "read directory '{}'", directory_);
  for (const auto& [watch, path] : below_)
    if (!now.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  below_ = std::move(now);
  return {};
}

bool ConfigurationWatcher::concerns(const inotify_event& event, std::string_view name) const {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
  const auto below = below_.find(event.wd);
  const bool in_directory = event.wd == nearest_watch_ && nearest_ == directory_;
  if (!in_directory && below == below_.end()) return false;
  if (name.empty()) return true;                  // the directory itself
  if ((event.mask & IN_ISDIR) != 0) return true;  // it may bring plugins along
  if (!is_configuration_file(name)) return false;
  const std::string& directory = in_directory ? directory_ : below->second;
  return (event.mask & IN_CREATE) == 0 || !is_being_written(directory + "/" + std::string(name));
}

Result<bool> ConfigurationWatcher::changed() {
  bool result = false;
  bool any = false;
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return fail(errno, "watch '{}'", directory_);
    if (got <= 0) break;
    any = true;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      const char* name = buffer + at + sizeof event;
      result |= concerns(event, event.len == 0 ? "" : std::string_view(name));
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  if (!any) return false;
  // Only events of links and directories move watches, but these are cheap, and names can mislead.
  TRY(const bool moved, arm());
  return result || moved;
}

}  // namespace fermata::cni
