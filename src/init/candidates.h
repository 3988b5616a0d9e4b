// The files that a program may stand for, tried in turn as execvp(3) does.
#pragma once

#include <cerrno>
#include <cstdint>

namespace fermata::init {

// `count` strings lie one after the other from `candidate` on. `attempt` gives an errno, or 0 for the one
// that was looked for; ENOENT and ENOTDIR go on, EACCES is remembered and goes on, others end it.
template <class Attempt>
int try_each(const char* candidate, std::uint64_t count, Attempt attempt) {
  int remembered = ENOENT;
  for (; count > 0; --count) {
    const int error = attempt(candidate);
    if (error == EACCES)
      remembered = EACCES;
    else if (error != ENOENT && error != ENOTDIR)
      return error;
    while (*candidate != 0) ++candidate;
    ++candidate;
  }
  return remembered;
}

}  // namespace fermata::init
