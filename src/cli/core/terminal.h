// The user's terminal: raw mode, size, and the keys that detach.
#pragma once

#include <termios.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::cli {

bool is_terminal(int fd);

struct TerminalSize {
  std::uint32_t rows = 0, columns = 0;  // 0: unknown
};
TerminalSize terminal_size(int fd);

// Raw mode until the end of the object: every key goes to the container.
class RawMode {
 public:
  static Result<RawMode> enter(int fd);
  RawMode(RawMode&& other) noexcept;
  RawMode& operator=(RawMode&&) = delete;
  ~RawMode() { restore(); }
  void restore();

 private:
  RawMode(int fd, const termios& saved) : fd_(fd), saved_(saved) {}
  int fd_;
  termios saved_;
};

// "ctrl-p,ctrl-q" -> the bytes. "" never detaches.
Result<std::string> parse_detach_keys(std::string_view text);

// Finds the keys in what is typed, also when they come one at a time.
class DetachKeys {
 public:
  explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}
  struct Input {
    std::string bytes;  // for the container
    bool detach = false;
  };
  // The first keys of the sequence are held back until the next one decides.
  Input feed(std::string_view typed);

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

}  // namespace fermata::cli
