#include "base/id.h"

#include <sys/random.h>

#include <cstdlib>

#include "base/text.h"

namespace fermata {

std::string random_hex(std::size_t length) {
  std::string bytes((length + 1) / 2, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t part = ::getrandom(bytes.data() + got, bytes.size() - got, 0);
    // getrandom(2) fails only for a bad pointer or flag once the pool is up; EINTR is retried.
    if (part > 0) got += static_cast<std::size_t>(part);
  }
  return hex(bytes).substr(0, length);
}

std::string random_id() { return random_hex(kIdLength); }

}  // namespace fermata
