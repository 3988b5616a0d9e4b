// The one epoll loop of the process: descriptors that are watched, timers, and the scratch memory that every
// handler may use until it returns. Single-threaded: the parent-death signal of the containers is bound to
// the thread that cloned them, so there must be no other.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>

namespace fermata::monitor {

// The first member of whatever waits for a descriptor; `ready` gets back to the whole by a cast.
struct Watch {
  void (*ready)(Watch* self, std::uint32_t events) = nullptr;
  int fd = -1;               // owned: close_watch closes it
  std::uint32_t events = 0;  // what is asked of the kernel now
  bool added = false;
};

struct Timer {
  void (*expired)(Timer* self) = nullptr;
  std::int64_t deadline = 0;  // CLOCK_MONOTONIC, ms
  Timer* next = nullptr;
  bool running = false;
};

namespace loop {

// 0 or an errno.
int open();
// Adds or changes; costs nothing when nothing changes. HUP and ERR always count. 0 or an errno.
int watch(Watch& watch, std::uint32_t events);
// Stops watching (a descriptor that must stay silent even for HUP). Pending events of this round are
// forgotten, so the object may be freed at once.
void unwatch(Watch& watch);
// unwatch and close.
void close_watch(Watch& watch);

void start(Timer& timer, std::int64_t milliseconds);
void stop(Timer& timer);

// Waits once and handles what came.
void step();

// Valid until the handler returns; given back to the kernel when the monitor is idle.
inline constexpr std::size_t kInputSize = 96 * 1024;
inline constexpr std::size_t kComposeSize = 40 * 1024;
unsigned char* input_scratch();  // a received packet, or what was read of a pipe
char* compose_scratch();         // log records being put together

std::int64_t monotonic_ms();
std::int64_t realtime_ns();

}  // namespace loop
}  // namespace fermata::monitor
