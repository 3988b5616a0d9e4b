#include "streaming/transport.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace fermata::streaming {
namespace {

using std::chrono::steady_clock;

// How long a peer that was told of the end may take to read what is still on its way.
constexpr std::chrono::seconds kLinger{10};
// While nothing is read, an end would not be seen otherwise.
constexpr std::chrono::seconds kPausedCheck{1};

}  // namespace

Transport::Transport(boost::asio::any_io_executor strand, Limits limits)
    : timer_(std::move(strand)), limits_(limits), last_activity_(steady_clock::now()) {}

void Transport::start(std::shared_ptr<Receiver> receiver) {
  receiver_ = std::move(receiver);
  watch();
  read_on();
}

void Transport::send(std::string bytes) {
  if (closing_ || ended_) return;
  pending_ += bytes.size();
  queue_.push_back(std::move(bytes));
  write_on();
}

void Transport::set_reading(bool reading) {
  if (reading_ == reading) return;
  reading_ = reading;
  watch();
  read_on();
}

void Transport::close() {
  if (closing_ || ended_) return;
  closing_ = true;
  last_activity_ = steady_clock::now();
  // From now on what comes is read to be thrown away: unread bytes would turn the end into a reset, which can
  // take back what is on its way to the peer. tcp(7), SO_LINGER aside; RFC 1122, 4.2.2.13.
  reading_ = true;
  watch();
  read_on();
  write_on();
}

void Transport::abort() {
  if (ended_) return;
  cut();
  finish();
}

void Transport::read_on() {
  if (!reading_ || read_active_ || ended_) return;
  read_active_ = true;
  begin_read();
}

void Transport::write_on() {
  if (in_flight_ != 0 || ended_) return;
  if (!queue_.empty()) {
    in_flight_ = std::min(batch(), queue_.size());
    begin_write(queue_, in_flight_);
  } else if (closing_ && !close_begun_) {
    close_begun_ = true;
    close_deadline_ = steady_clock::now() + kLinger;
    watch();
    begin_close();
  }
}

void Transport::did_read(const Error& error, std::string_view bytes, bool message_end) {
  if (ended_) return;
  last_activity_ = steady_clock::now();
  const auto receiver = receiver_;  // it may end the connection, and with it itself
  if (!closing_ && (!bytes.empty() || message_end)) receiver->received(bytes, message_end);
  if (error) return abort();
  // Not before: the next bytes overwrite these.
  read_active_ = false;
  read_on();
}

void Transport::did_write(const Error& error) {
  const std::size_t written = std::exchange(in_flight_, 0);
  if (ended_) return;
  if (error) return abort();
  last_activity_ = steady_clock::now();
  for (std::size_t i = 0; i < written; ++i) {
    pending_ -= queue_.front().size();
    queue_.pop_front();
  }
  write_on();
  const auto receiver = receiver_;
  if (has_room()) receiver->drained();
}

void Transport::did_close() {
  if (!ended_) abort();
}

void Transport::finish() {
  ended_ = true;
  timer_.cancel();
  // The receiver may hold this transport.
  const auto self = shared_from_this();
  if (const auto receiver = std::exchange(receiver_, nullptr)) receiver->ended();
}

void Transport::watch() {
  if (ended_) return;
  auto next = last_activity_ + limits_.idle;
  if (close_begun_) next = std::min(next, close_deadline_);
  if (!reading_) next = std::min(next, steady_clock::now() + kPausedCheck);
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](const Error& error) {
    if (!error) self->tick();
  });
}

void Transport::tick() {
  const auto now = steady_clock::now();
  const bool idle = now >= last_activity_ + limits_.idle;
  const bool lingered = close_begun_ && now >= close_deadline_;
  if (idle || lingered || (!reading_ && peer_has_gone())) return abort();
  watch();
}

bool Transport::peer_has_gone() const {
  pollfd state = {socket(), POLLRDHUP, 0};
  if (::poll(&state, 1, 0) <= 0) return false;
  if ((state.revents & (POLLERR | POLLHUP)) != 0) return true;
  return limits_.hangup_ends && (state.revents & POLLRDHUP) != 0;
}

void Transports::add(const std::shared_ptr<Transport>& transport) {
  const std::lock_guard lock(mutex_);
  all_.push_back(transport);
  if (all_.size() < sweep_at_) return;
  std::erase_if(all_, [](const auto& one) { return one.expired(); });
  sweep_at_ = 2 * all_.size() + 64;
}

void Transports::abort_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& one : all_)
    if (const auto transport = one.lock()) transport->abort();
}

}  // namespace fermata::streaming
