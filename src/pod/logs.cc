// `logs`: the files from the oldest on; following, what is appended, until the exit file appears.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "kernel/pidfd.h"
#include "pod/engine_impl.h"
#include "pod/log_reader.h"

namespace fermata::pod {
namespace {

// Reads one file on and on; a line is passed on once its newline is there.
class LogFollower {
 public:
  explicit LogFollower(std::string path) : path_(std::move(path)) {}

  // False: the printer has had enough.
  Result<bool> read_on(LogPrinter& printer) {
    for (;;) {
      if (!fd_) {
        auto opened = open_file(path_, O_RDONLY);
        if (!opened)
          return opened.error().kind() == ErrorKind::not_found ? Result<bool>(true)
                                                               : tl::unexpected(std::move(opened.error()));
        fd_ = std::move(*opened);
      }
      TRY(const bool more, drain(printer));
      if (!more) return false;
      // Rotated: what was written before the rename has been read through the old descriptor, so the new file
      // follows.
      struct stat held = {}, named = {};
      if (::fstat(fd_.get(), &held) != 0) return fail(errno, "stat '{}'", path_);
      if (::stat(path_.c_str(), &named) != 0 || named.st_ino == held.st_ino) return true;
      TRY(const bool rest, drain(printer));
      if (!rest) return false;
      fd_.reset();
    }
  }
  void skip_to(std::size_t offset) { skip_ = offset; }

 private:
  Result<bool> drain(LogPrinter& printer) {
    if (skip_ != 0 && ::lseek(fd_.get(), static_cast<off_t>(skip_), SEEK_SET) < 0)
      return fail(errno, "seek '{}'", path_);
    skip_ = 0;
    char buffer[32768];
    for (;;) {
      const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(errno, "read '{}'", path_);
      if (got == 0) return true;
      pending_.append(buffer, static_cast<std::size_t>(got));
      std::size_t begin = 0;
      for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
        if (!printer.print(std::string_view(pending_).substr(begin, end - begin))) return false;
        begin = end + 1;
      }
      pending_.erase(0, begin);
    }
  }

  std::string path_;
  UniqueFd fd_;
  std::size_t skip_ = 0;
  std::string pending_;
};

// Where to begin for --tail: the file's index and the offset in it.
std::pair<std::size_t, std::size_t> find_tail(const std::vector<std::string>& files, std::uint64_t count) {
  for (std::size_t i = files.size(); i-- > 0;) {
    const std::string text = read_file(files[i], std::size_t{1} << 30).value_or("");
    const std::uint64_t lines = count_lines(text);
    if (lines >= count) return {i, tail_offset(text, count)};
    count -= lines;
  }
  return {0, 0};
}

// Waits for a change in the container's directory, or the monitor's end. False: the monitor has ended.
Result<bool> wait_change(int notifier, int monitor) {
  pollfd events[] = {{.fd = notifier, .events = POLLIN, .revents = 0},
                     {.fd = monitor, .events = POLLIN, .revents = 0}};
  while (::poll(events, 2, -1) < 0)
    if (errno != EINTR) return fail(errno, "wait for log lines");
  char drained[4096];
  while (::read(notifier, drained, sizeof drained) > 0) continue;
  return events[1].revents == 0;
}

}  // namespace

Result<void> Engine::Impl::logs(const std::string& reference, const LogOptions& options,
                                const std::function<bool(int, std::string_view)>& line) {
  TRY(const auto container, find(reference));
  if (container.config.log_driver == "none")
    return fail(ErrorKind::unsupported,
                "configured logging driver does not support reading: nothing is kept with 'none'");
  const std::string directory = container_directory(container.id);
  UniqueFd notifier(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!notifier) return fail(errno, "watch for log lines");
  UniqueFd monitor;
  if (options.follow) {
    TRY(auto live, reach(container.pod));
    if (live && live->runs(container.id)) {
      TRY(const int pid, live->client.monitor_pid());
      monitor = kernel::open_pidfd(pid);
    }
    // Before the first read: what comes between is seen by one or the other.
    if (monitor &&
        ::inotify_add_watch(notifier.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
      return fail(errno, "watch '{}'", directory);
    const std::string elsewhere = container.config.log_path.substr(0, container.config.log_path.rfind('/'));
    if (monitor && !elsewhere.empty() &&
        ::inotify_add_watch(notifier.get(), elsewhere.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
      return fail(errno, "watch '{}'", elsewhere);
  }
  LogPrinter printer(options.timestamps, options.since, options.until, line);
  const auto files = log_files(directory);
  auto [first, offset] =
      options.tail ? find_tail(files, *options.tail) : std::pair<std::size_t, std::size_t>{0, 0};
  for (; first + 1 < files.size(); ++first) {
    LogFollower older(files[first]);
    older.skip_to(std::exchange(offset, 0));
    TRY(const bool more, older.read_on(printer));
    if (!more) return {};
  }
  LogFollower current(files.back());
  current.skip_to(offset);
  for (bool live = monitor.valid();;) {
    // The exit file is written after the last line, so it is looked for before that is read.
    const bool ended = !live || ::access((directory + "/" + monitor::kExitFile).c_str(), F_OK) == 0;
    TRY(const bool more, current.read_on(printer));
    if (!more || ended) return {};
    TRY(live, wait_change(notifier.get(), monitor.get()));
  }
}

}  // namespace fermata::pod
