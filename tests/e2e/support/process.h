// Running programs as a user does: with pipes or a terminal, always with a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"

namespace fermata::e2e {

using Arguments = std::vector<std::string>;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// A deadline in seconds of an ordinary machine; FERMATA_TEST_SLOWNESS multiplies it (software emulation: 10).
Seconds scaled(double seconds);
// The same for a flag: "700ms".
std::string scaled_flag(double seconds);
// How often something is repeated: `count` on an ordinary machine, fewer on a slow one, at least 3.
int rounds(int count);
// Polls until `holds` or the (scaled) deadline; the last answer.
bool eventually(const std::function<bool()>& holds, double seconds = 5);

struct Outcome {
  int code = -1;  // exit code, 128+n for signal n
  std::string out, err;
  bool timed_out = false;  // it was killed at its deadline
  bool kept_open = false;  // it ended, and something that it left behind still holds its output
  Seconds took{};
  bool ok() const { return code == 0 && !timed_out; }
  // `out` without the last newline.
  std::string line() const;
};
// For assertion messages.
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome);

struct RunOptions {
  std::string input;                       // of stdin, then its end
  double seconds = 30;                     // scaled
  std::map<std::string, std::string> env;  // added
  std::string directory;
  uid_t uid = 0;  // other than 0: becomes this user first
};

// To its end. Never throws nor fails: what went wrong is in the outcome.
Outcome run_program(const Arguments& arguments, const RunOptions& options = {});

// A program that runs beside the test. The destructor kills it (it alone) and reaps it.
class Background {
 public:
  enum class Streams { pipes, terminal };
  Background(const Arguments& arguments, Streams streams, const RunOptions& options = {});
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

  pid_t pid() const { return pid_; }
  void write(std::string_view bytes);
  void close_input();
  // Of the terminal.
  void resize(unsigned short rows, unsigned short columns);
  void signal(int number);
  // Reads until the output (both streams) contains `text`. False at the deadline or at the end of the output.
  bool read_until(std::string_view text, double seconds = 10);
  // All output so far. With a terminal everything is in out().
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  // Closes stdin, reads to the end and reaps; kills at the deadline.
  Outcome finish(double seconds = 30);
  // The same without closing stdin first.
  Outcome wait(double seconds = 30);

 private:
  // One round of reading; false when both streams are at their end.
  bool pump(std::chrono::milliseconds patience);
  bool reap(bool block);

  pid_t pid_ = -1;
  int status_ = -1;
  bool reaped_ = false;
  UniqueFd in_, out_fd_, err_fd_;
  std::string out_, err_;
  Clock::time_point began_ = Clock::now();
};

// Whole file, "" if it cannot be read.
std::string slurp(const std::string& path);
void spill(const std::string& path, std::string_view bytes);
std::vector<std::string> lines_of(std::string_view text);
bool contains(std::string_view text, std::string_view part);

}  // namespace fermata::e2e
