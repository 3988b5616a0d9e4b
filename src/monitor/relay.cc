#include "monitor/relay.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

#include "monitor/loop.h"
#include "monitor/memory.h"
#include "monitor/relay_address.h"

namespace fermata::monitor {
namespace {

constexpr int kMaxConnections = 256;  // of all relays
constexpr std::size_t kChunk = 32 * 1024;

struct Relay {
  Watch watch;
  RelayTarget target = {};
  Timer pause;
  Relay* next = nullptr;
};

struct Flow;
// One end of a connection, and what is on its way to it.
struct Side {
  Watch watch;
  Flow* flow = nullptr;
  char* pending = nullptr;
  std::size_t size = 0, done = 0;
  bool read_ended = false;   // it will send no more
  bool write_ended = false;  // it will get no more
};
struct Flow {
  Side client, target;
  bool connecting = true;
};

int connection_count = 0;
Relay* relays = nullptr;

void watch_relays(bool accepting) {
  for (Relay* relay = relays; relay != nullptr; relay = relay->next) {
    if (accepting)
      loop::watch(relay->watch, EPOLLIN);
    else
      loop::unwatch(relay->watch);
  }
}

Side& other(Side& side) { return &side == &side.flow->client ? side.flow->target : side.flow->client; }

void close_flow(Flow& flow) {
  for (Side* side : {&flow.client, &flow.target}) {
    loop::close_watch(side->watch);
    std::free(side->pending);
  }
  destroy(&flow);
  if (connection_count-- == kMaxConnections) watch_relays(true);
}

// Both ends are told by a reset: what broke, or found nobody at its target, must not look like a clean end.
void break_flow(Flow& flow) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  for (Side* side : {&flow.client, &flow.target})
    ::setsockopt(side->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close_flow(flow);
}

// Writes what waits for this side; false: the connection broke.
bool flush(Side& side) {
  while (side.done < side.size) {
    const ssize_t put = ::send(side.watch.fd, side.pending + side.done, side.size - side.done, MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) return true;
    if (put < 0) return false;
    side.done += static_cast<std::size_t>(put);
  }
  std::free(side.pending);
  side.pending = nullptr;
  side.size = side.done = 0;
  if (other(side).read_ended && !side.write_ended) {
    side.write_ended = true;
    ::shutdown(side.watch.fd, SHUT_WR);
  }
  return true;
}

bool give(Side& side, const unsigned char* data, std::size_t size) {
  const ssize_t put = ::send(side.watch.fd, data, size, MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) return false;
  const std::size_t taken = put > 0 ? static_cast<std::size_t>(put) : 0;
  if (taken == size) return true;
  side.pending = static_cast<char*>(std::malloc(size - taken));
  if (side.pending == nullptr) return false;
  std::memcpy(side.pending, data + taken, size - taken);
  side.size = size - taken;
  side.done = 0;
  return true;
}

// Reads this side once and hands it to the other.
bool forward(Side& side) {
  Side& to = other(side);
  if (side.read_ended || to.pending != nullptr) return true;
  const ssize_t got = ::recv(side.watch.fd, loop::input_scratch(), kChunk, 0);
  if (got < 0) return errno == EAGAIN;
  if (got > 0) return give(to, loop::input_scratch(), static_cast<std::size_t>(got));
  side.read_ended = true;
  return flush(to);
}

// Only what can be handled is asked for; a side with nothing to say is not watched, or its HUP would come
// again and again.
bool update(Flow& flow) {
  for (Side* side : {&flow.client, &flow.target}) {
    std::uint32_t events = 0;
    if (!flow.connecting && !side->read_ended && other(*side).pending == nullptr) events |= EPOLLIN;
    if (side->pending != nullptr || (flow.connecting && side == &flow.target)) events |= EPOLLOUT;
    if (events == 0)
      loop::unwatch(side->watch);
    else if (loop::watch(side->watch, events) != 0)
      return false;
  }
  return true;
}

bool finished(const Flow& flow) {
  return flow.client.read_ended && flow.target.read_ended && flow.client.pending == nullptr &&
         flow.target.pending == nullptr;
}

bool connected(Flow& flow) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(flow.target.watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
    return false;
  flow.connecting = false;
  return true;
}

void side_ready(Watch* watch, std::uint32_t events) {
  Side& side = *reinterpret_cast<Side*>(watch);
  Flow& flow = *side.flow;
  bool fine = true;
  if (flow.connecting) {
    fine = &side == &flow.target ? connected(flow) : true;
  } else {
    if ((events & EPOLLOUT) != 0) fine = flush(side);
    if (fine && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) fine = forward(side);
  }
  if (fine && finished(flow))
    close_flow(flow);
  else if (!fine || !update(flow))
    break_flow(flow);
}

void open_flow(int client, const RelayTarget& target) {
  RelayAddress address;
  socklen_t size = 0;
  auto* flow = make<Flow>();
  if (flow == nullptr || relay_address(target, address, size) != 0) {
    ::close(client);
    std::free(flow);
    return;
  }
  ++connection_count;
  for (Side* side : {&flow->client, &flow->target}) {
    side->flow = flow;
    side->watch.ready = side_ready;
  }
  flow->client.watch.fd = client;
  const int fd = ::socket(target.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  flow->target.watch.fd = fd;
  const bool trying = fd >= 0 && (::connect(fd, &address.any, size) == 0 || errno == EINPROGRESS);
  if (!trying || !update(*flow)) break_flow(*flow);
}

void accept_again(Timer*) {
  if (connection_count < kMaxConnections) watch_relays(true);
}

void relay_ready(Watch* watch, std::uint32_t) {
  auto& relay = *reinterpret_cast<Relay*>(watch);
  const int client = ::accept4(watch->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client >= 0) {
    open_flow(client, relay.target);
    if (connection_count >= kMaxConnections) watch_relays(false);
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    loop::unwatch(relay.watch);
    relay.pause.expired = accept_again;
    loop::start(relay.pause, 200);
  }
}

}  // namespace

int open_relay(int fd, const RelayTarget& target) {
  if (target.datagram != 0) return open_datagram_relay(fd, target);
  auto* relay = make<Relay>();
  if (relay == nullptr) {
    ::close(fd);
    return ENOMEM;
  }
  relay->watch.fd = fd;
  relay->watch.ready = relay_ready;
  relay->target = target;
  RelayAddress address;
  socklen_t size = 0;
  int error = relay_address(target, address, size);
  if (error == 0) error = loop::watch(relay->watch, EPOLLIN);
  if (error != 0) {
    loop::close_watch(relay->watch);
    destroy(relay);
    return error;
  }
  relay->next = relays;
  relays = relay;
  return 0;
}

}  // namespace fermata::monitor
