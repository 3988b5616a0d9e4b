// A connection to one client as a queue of bytes to it and a flow of bytes from it, with what all kinds of
// connections have in common: bounded queues, an idle timeout, and an end that loses nothing.
//
// All calls, and the calls of the receiver, are made on the strand of the connection.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace fermata::streaming {

class Transport : public std::enable_shared_from_this<Transport> {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // `message_end`: a message of the protocol below (WebSocket) ends here.
    virtual void received(std::string_view bytes, bool message_end) = 0;
    // The queue has room again.
    virtual void drained() = 0;
    // The connection is over. The last call.
    virtual void ended() = 0;
  };
  struct Limits {
    std::chrono::nanoseconds idle;
    // Whether a client that has closed its side of the connection is taken for gone while nothing is read
    // from it. (If something is read, the end of it always ends the connection.)
    bool hangup_ends = true;
  };

  virtual ~Transport() = default;
  // Begins to read. The receiver is kept until ended().
  void start(std::shared_ptr<Receiver> receiver);
  // Queues bytes; one call is one message where the protocol below has messages.
  void send(std::string bytes);
  bool has_room() const { return pending_ < kQueue && !closing_; }
  // Far beyond that: the peer makes us answer and does not read the answers.
  bool overfull() const { return pending_ > 8 * kQueue; }
  // While paused, nothing is received, and the peer is held up by TCP. What was read already still comes.
  void set_reading(bool reading);
  // Sends what is queued, tells the peer in the way of the protocol, and waits some seconds for it to leave.
  void close();
  // Ends at once.
  void abort();

 protected:
  using Error = boost::system::error_code;
  Transport(boost::asio::any_io_executor strand, Limits limits);

  // Each is answered by one did_*() on the strand, later.
  virtual void begin_read() = 0;
  virtual void begin_write(const std::deque<std::string>& queue, std::size_t count) = 0;
  virtual void begin_close() = 0;
  // Fails all that is under way.
  virtual void cut() = 0;
  virtual int socket() const = 0;
  // How many of the queue one begin_write() may take.
  virtual std::size_t batch() const = 0;

  void did_read(const Error& error, std::string_view bytes, bool message_end);
  void did_write(const Error& error);
  void did_close();

 private:
  static constexpr std::size_t kQueue = 256 * 1024;
  void read_on();
  void write_on();
  void finish();
  void watch();
  void tick();
  bool peer_has_gone() const;

  boost::asio::steady_timer timer_;
  const Limits limits_;
  std::chrono::steady_clock::time_point last_activity_, close_deadline_;
  std::shared_ptr<Receiver> receiver_;
  std::deque<std::string> queue_;
  std::size_t pending_ = 0, in_flight_ = 0;  // bytes queued; messages being written
  bool reading_ = true, read_active_ = false;
  bool closing_ = false, close_begun_ = false, ended_ = false;
};

// The transports that have begun, so that none is left when the server ends. Thread-safe.
class Transports {
 public:
  void add(const std::shared_ptr<Transport>& transport);
  // Once no thread runs their strands any more.
  void abort_all();

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Transport>> all_;
  std::size_t sweep_at_ = 64;
};

}  // namespace fermata::streaming
