#include "pod/event_feed.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/unique_dir.h"

namespace fermata::pod {
namespace {

std::string directory_of(const std::string& run_root) { return run_root + "/events"; }

}  // namespace

Result<EventFeed> EventFeed::open(const std::string& run_root) {
  const std::string directory = directory_of(run_root);
  TRY(make_directories(directory, 0700));
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail(errno, "inotify");
  if (::inotify_add_watch(inotify.get(), directory.c_str(), IN_CREATE | IN_ONLYDIR) < 0)
    return fail(errno, "watch '{}'", directory);
  EventFeed feed(std::move(inotify), directory);
  TRY(feed.scan());
  return feed;
}

Result<void> EventFeed::scan() {
  const UniqueDir directory(::opendir(directory_.c_str()));
  if (!directory) return fail(errno, "read '{}'", directory_);
  while (const dirent* entry = ::readdir(directory.get()))
    if (entry->d_name[0] != '.') waiting_.emplace_back(entry->d_name);
  return {};
}

Result<void> EventFeed::read_notices() {
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return {};
    if (size < 0) return fail(errno, "read the notices of '{}'", directory_);
    for (const char* at = buffer; at < buffer + size;) {
      const auto* notice = reinterpret_cast<const inotify_event*>(at);
      at += sizeof *notice + notice->len;
      // Notices were lost; the files were not.
      if ((notice->mask & IN_Q_OVERFLOW) != 0) TRY(scan());
      if (notice->len > 0) waiting_.emplace_back(notice->name);
    }
  }
}

Result<std::optional<std::string>> EventFeed::next() {
  if (waiting_.empty()) TRY(read_notices());
  while (!waiting_.empty()) {
    const std::string pod = std::move(waiting_.front());
    waiting_.pop_front();
    // Taken out before anyone looks at the pod: what happens from now on is a new word.
    if (::unlink((directory_ + "/" + pod).c_str()) == 0) return pod;
    if (errno != ENOENT) return fail(errno, "remove '{}/{}'", directory_, pod);
  }
  return std::nullopt;
}

void announce(const std::string& run_root, const std::string& pod) {
  // The last close is no matter. EEXIST: the word is there already. Another failure costs its listener the
  // hint, never the state, and there is nobody to tell.
  const UniqueFd file(::open((directory_of(run_root) + "/" + pod).c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
}

}  // namespace fermata::pod
