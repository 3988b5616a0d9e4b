// UDP has no connections, so each client gets a socket of its own towards the target: an answer finds its way
// back by the socket it arrives on. A client that is silent for a minute loses it, and the longest silent one
// makes room for a new one.
#include <fcntl.h>
#include <unistd.h>

#include "monitor/loop.h"
#include "monitor/memory.h"
#include "monitor/relay.h"
#include "monitor/relay_address.h"

namespace fermata::monitor {
namespace {

constexpr int kMaxClients = 128;  // of one relay
constexpr std::int64_t kIdleMs = 60'000;
constexpr int kRounds = 32;  // datagrams in one turn, so that others have theirs

struct DatagramRelay;
struct Client {
  Watch watch;  // connected to the target
  DatagramRelay* relay = nullptr;
  RelayAddress address = {};
  socklen_t address_size = 0;
  std::int64_t used = 0;
  Client* next = nullptr;
};
struct DatagramRelay {
  Watch watch;
  Timer sweep;  // after `watch`: see sweep_expired
  RelayTarget target = {};
  Client* clients = nullptr;
  int count = 0;
};

void drop(Client** link) {
  Client* client = *link;
  *link = client->next;
  --client->relay->count;
  loop::close_watch(client->watch);
  destroy(client);
}

void drop_longest_silent(DatagramRelay& relay) {
  Client** oldest = &relay.clients;
  for (Client** link = &relay.clients; *link != nullptr; link = &(*link)->next)
    if ((*link)->used < (*oldest)->used) oldest = link;
  if (*oldest != nullptr) drop(oldest);
}

void sweep_expired(Timer* timer) {
  auto& relay =
      *reinterpret_cast<DatagramRelay*>(reinterpret_cast<char*>(timer) - offsetof(DatagramRelay, sweep));
  const std::int64_t limit = loop::monotonic_ms() - kIdleMs;
  for (Client** link = &relay.clients; *link != nullptr;) {
    if ((*link)->used <= limit)
      drop(link);
    else
      link = &(*link)->next;
  }
  if (relay.clients != nullptr) loop::start(relay.sweep, kIdleMs / 2);
}

// Answers of the target, back to the client.
void client_ready(Watch* watch, std::uint32_t) {
  auto& client = *reinterpret_cast<Client*>(watch);
  for (int round = 0; round < kRounds; ++round) {
    const ssize_t got = ::recv(watch->fd, loop::input_scratch(), 65536, MSG_DONTWAIT);
    if (got < 0) return;  // nothing, or the target's refusal (ICMP), which reading has cleared
    client.used = loop::monotonic_ms();
    ::sendto(client.relay->watch.fd, loop::input_scratch(), static_cast<std::size_t>(got),
             MSG_DONTWAIT | MSG_NOSIGNAL, &client.address.any, client.address_size);
  }
}

Client* open_client(DatagramRelay& relay, const RelayAddress& from, socklen_t from_size) {
  if (relay.count >= kMaxClients) drop_longest_silent(relay);
  auto* client = make<Client>();
  if (client == nullptr) return nullptr;
  RelayAddress target;
  socklen_t size = 0;
  relay_address(relay.target, target, size);
  client->relay = &relay;
  client->address = from;
  client->address_size = from_size;
  client->watch.ready = client_ready;
  client->watch.fd = ::socket(relay.target.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client->watch.fd < 0 || ::connect(client->watch.fd, &target.any, size) != 0 ||
      loop::watch(client->watch, EPOLLIN) != 0) {
    loop::close_watch(client->watch);
    destroy(client);
    return nullptr;
  }
  client->next = relay.clients;
  relay.clients = client;
  ++relay.count;
  if (!relay.sweep.running) loop::start(relay.sweep, kIdleMs / 2);
  return client;
}

Client* find_client(DatagramRelay& relay, const RelayAddress& from, socklen_t from_size) {
  for (Client* client = relay.clients; client != nullptr; client = client->next)
    if (client->address_size == from_size && std::memcmp(&client->address, &from, from_size) == 0)
      return client;
  return nullptr;
}

void relay_ready(Watch* watch, std::uint32_t) {
  auto& relay = *reinterpret_cast<DatagramRelay*>(watch);
  for (int round = 0; round < kRounds; ++round) {
    RelayAddress from = {};
    socklen_t from_size = sizeof from;
    const ssize_t got =
        ::recvfrom(watch->fd, loop::input_scratch(), 65536, MSG_DONTWAIT, &from.any, &from_size);
    if (got < 0) return;
    Client* client = find_client(relay, from, from_size);
    if (client == nullptr) client = open_client(relay, from, from_size);
    if (client == nullptr) continue;  // a datagram may be lost
    client->used = loop::monotonic_ms();
    ::send(client->watch.fd, loop::input_scratch(), static_cast<std::size_t>(got),
           MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace

int open_datagram_relay(int fd, const RelayTarget& target) {
  RelayAddress address;
  socklen_t size = 0;
  auto* relay = make<DatagramRelay>();
  int error = relay == nullptr ? ENOMEM : relay_address(target, address, size);
  if (error == 0) {
    relay->watch.fd = fd;
    relay->watch.ready = relay_ready;
    relay->target = target;
    relay->sweep.expired = sweep_expired;
    error = loop::watch(relay->watch, EPOLLIN);
    if (error == 0) return 0;
  }
  ::close(fd);
  if (relay != nullptr) destroy(relay);
  return error;
}

}  // namespace fermata::monitor
