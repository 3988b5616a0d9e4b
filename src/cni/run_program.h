// A program of the host's, run to its end within a time: posix_spawn(3), in the caller's namespaces.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace fermata::cni {

struct Program {
  std::string path;
  std::vector<std::string> arguments;    // after its name
  std::string input;                     // its standard input
  std::vector<std::string> environment;  // "NAME=value", all of it
  std::chrono::milliseconds timeout{0};
};

struct ProgramEnd {
  bool timed_out = false;  // it was killed, and all of its process group
  int exit_code = 0;       // 128 + signal when a signal ended it
  std::string output;
  std::string errors;  // the last 64 KiB
};

// What the program has left running does not matter, unless the time is over: then it is killed, too, as far
// as it has stayed in the program's process group. More than 8 MiB of output are an error. Thread-safe.
Result<ProgramEnd> run_program(const Program& program);

}  // namespace fermata::cni
