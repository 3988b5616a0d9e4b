// The seam between protocols and sessions: a client with numbered streams, whether it speaks SPDY or
// WebSocket, and the session that it talks to. Both live on one strand and are used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fermata::streaming {

using StreamId = std::uint32_t;
using StreamHeaders = std::map<std::string, std::string, std::less<>>;  // names in lower case

class Client {
 public:
  virtual ~Client() = default;
  // Queues bytes on a stream. For streams that are gone it does nothing.
  virtual void write(StreamId stream, std::string_view bytes) = 0;
  // Ends our direction of the stream.
  virtual void finish(StreamId stream) = 0;
  // Ends both directions, at once.
  virtual void reset(StreamId stream) = 0;
  // Whether there is room for more on this stream. If not, Session::writable() tells when to ask again.
  virtual bool has_room(StreamId stream) const = 0;
  // `bytes` of what was received have been used up, and the client may send as much again.
  virtual void consumed(StreamId stream, std::size_t bytes) = 0;
  // Ends the connection when all that was written is on its way; Session::disconnected() follows.
  virtual void close() = 0;
};

class Session {
 public:
  virtual ~Session() = default;
  // Before all else. The client outlives the session's use of it: until disconnected().
  virtual void connected(Client& client) = 0;
  // false: the stream is refused.
  virtual bool opened(StreamId stream, const StreamHeaders& headers) = 0;
  virtual void received(StreamId stream, std::string_view bytes) = 0;
  // The client will send no more on it.
  virtual void finished(StreamId stream) = 0;
  // The stream is gone; the client wants nothing from it and sends nothing.
  virtual void was_reset(StreamId stream) = 0;
  // Streams have room again.
  virtual void writable() = 0;
  // The client has gone, or close() is done. The last call.
  virtual void disconnected() = 0;
};

// The value of a header, or "".
inline std::string_view header(const StreamHeaders& headers, std::string_view name) {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace fermata::streaming
