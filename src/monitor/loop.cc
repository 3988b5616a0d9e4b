#include "monitor/loop.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace fermata::monitor::loop {
namespace {

constexpr int kBatch = 16;
constexpr int kIdleMs = 500;

struct Scratch {
  unsigned char input[kInputSize];
  char compose[kComposeSize];
};
static_assert(sizeof(Scratch) % 4096 == 0);

struct State {
  int epoll = -1;
  epoll_event batch[kBatch] = {};
  int batch_size = 0;
  Timer* timers = nullptr;
  bool scratch_dirty = false;
};
constinit State state;
alignas(4096) Scratch scratch;

void run_timers() {
  const std::int64_t now = monotonic_ms();
  for (Timer** link = &state.timers; *link != nullptr;) {
    Timer* timer = *link;
    if (timer->deadline > now) {
      link = &timer->next;
      continue;
    }
    *link = timer->next;
    timer->running = false;
    timer->expired(timer);
    link = &state.timers;  // the handler may have changed the list
  }
}

int next_timeout() {
  std::int64_t nearest = -1;
  for (const Timer* timer = state.timers; timer != nullptr; timer = timer->next)
    if (nearest < 0 || timer->deadline < nearest) nearest = timer->deadline;
  if (nearest < 0) return state.scratch_dirty ? kIdleMs : -1;
  const std::int64_t wait = nearest - monotonic_ms();
  if (wait <= 0) return 0;
  return wait > 60'000 ? 60'000 : static_cast<int>(wait);
}

// A monitor mostly sleeps: the pages its last burst touched are worth more elsewhere.
void give_memory_back() {
  ::madvise(&scratch, sizeof scratch, MADV_DONTNEED);
  state.scratch_dirty = false;
}

}  // namespace

int open() {
  state.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  return state.epoll < 0 ? errno : 0;
}

int watch(Watch& watch, std::uint32_t events) {
  if (watch.added && watch.events == events) return 0;
  epoll_event event = {};
  event.events = events;
  event.data.ptr = &watch;
  if (::epoll_ctl(state.epoll, watch.added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch.fd, &event) != 0)
    return errno;
  watch.added = true;
  watch.events = events;
  return 0;
}

void unwatch(Watch& watch) {
  if (!watch.added) return;
  epoll_event unused = {};
  ::epoll_ctl(state.epoll, EPOLL_CTL_DEL, watch.fd, &unused);
  watch.added = false;
  watch.events = 0;
  for (int i = 0; i < state.batch_size; ++i)
    if (state.batch[i].data.ptr == &watch) state.batch[i].data.ptr = nullptr;
}

void close_watch(Watch& watch) {
  unwatch(watch);
  if (watch.fd >= 0) ::close(watch.fd);
  watch.fd = -1;
}

void start(Timer& timer, std::int64_t milliseconds) {
  stop(timer);
  timer.deadline = monotonic_ms() + milliseconds;
  timer.next = state.timers;
  state.timers = &timer;
  timer.running = true;
}

void stop(Timer& timer) {
  if (!timer.running) return;
  for (Timer** link = &state.timers; *link != nullptr; link = &(*link)->next) {
    if (*link != &timer) continue;
    *link = timer.next;
    break;
  }
  timer.running = false;
}

void step() {
  const int got = ::epoll_wait(state.epoll, state.batch, kBatch, next_timeout());
  if (got == 0 && state.scratch_dirty) give_memory_back();
  state.batch_size = got < 0 ? 0 : got;
  for (int i = 0; i < state.batch_size; ++i) {
    auto* ready = static_cast<Watch*>(state.batch[i].data.ptr);
    if (ready != nullptr) ready->ready(ready, state.batch[i].events);
  }
  state.batch_size = 0;
  if (state.timers != nullptr) run_timers();
}

unsigned char* input_scratch() {
  state.scratch_dirty = true;
  return scratch.input;
}

char* compose_scratch() {
  state.scratch_dirty = true;
  return scratch.compose;
}

std::int64_t monotonic_ms() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t realtime_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace fermata::monitor::loop
