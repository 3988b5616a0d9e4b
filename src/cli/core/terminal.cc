#include "cli/core/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/text.h"

namespace fermata::cli {

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

TerminalSize terminal_size(int fd) {
  winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_row, size.ws_col};
}

Result<RawMode> RawMode::enter(int fd) {
  termios saved = {};
  if (::tcgetattr(fd, &saved) != 0) return fail(errno, "read the terminal's mode");
  termios raw = saved;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) return fail(errno, "set the terminal to raw mode");
  return RawMode(fd, saved);
}

RawMode::RawMode(RawMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)), saved_(other.saved_) {}

void RawMode::restore() {
  // Nothing can be done about a terminal that has gone away.
  if (const int fd = std::exchange(fd_, -1); fd >= 0) ::tcsetattr(fd, TCSADRAIN, &saved_);
}

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string keys;
  if (text.empty()) return keys;
  for (const std::string_view key : split(text, ',')) {
    if (key.size() == 1) {
      keys += key[0];
      continue;
    }
    // ctrl-@ is 0, ctrl-a 1, ..., ctrl-_ 31.
    const char letter = key.size() == 6 && key.starts_with("ctrl-") ? key[5] : '\0';
    const char upper = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    if (letter == '\0' || upper < '@' || upper > '_')
      return fail(ErrorKind::invalid_argument,
                  "invalid escape keys '{}': '{}' is neither one character nor ctrl-<letter>", text, key);
    keys += static_cast<char>(upper - '@');
  }
  return keys;
}

DetachKeys::Input DetachKeys::feed(std::string_view typed) {
  Input input;
  if (keys_.empty()) return {std::string(typed), false};
  for (const char c : typed) {
    if (c != keys_[matched_]) {
      input.bytes.append(keys_, 0, matched_);
      matched_ = 0;
    }
    if (c == keys_[matched_]) {
      if (++matched_ < keys_.size()) continue;
      input.detach = true;
      matched_ = 0;
      return input;
    }
    input.bytes += c;
  }
  return input;
}

}  // namespace fermata::cli
