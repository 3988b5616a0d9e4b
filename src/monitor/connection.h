// One client. It sends requests and gets a Reply to each, in order; or it waits for a process; or it has
// become the streams of one, in Frames. A client that does not read is never waited for: replies it does not
// take end the connection, and output it does not take is kept for it up to a bound (process.h says what
// happens then).
#pragma once

#include <cstddef>
#include <cstdint>

#include "monitor/loop.h"
#include "monitor/protocol.h"

namespace fermata::monitor {

struct PodProcess;

struct Connection {
  Watch watch;
  enum class Mode : std::uint8_t { requests, launching, waiting, streaming } mode = Mode::requests;
  bool broken = false;                // shut down; freed when the loop sees its end
  bool sends_stdin = false;           // and has not closed it yet
  std::uint32_t streams = 0;          // kAttach* of a stream
  bool owes = false;                  // an end that it has claimed came, and is not settled yet
  PodProcess* process = nullptr;      // what it launches, waits for or streams
  Connection* next_client = nullptr;  // of the same process
  struct Chunk;
  Chunk* first = nullptr;  // output not taken yet
  Chunk* last = nullptr;
  std::size_t backlog = 0;  // bytes of it
};

// Descriptors that go with a Reply. Borrowed.
struct ReplyFds {
  int fds[5];
  FdTag tags[5];
  std::uint32_t count = 0;
};

// Takes over an accepted, non-blocking socket. 0 or an errno, and then it is closed.
int open_connection(int fd);
void send_reply(Connection& connection, const Reply& reply, const ReplyFds* fds = nullptr,
                const void* more = nullptr, std::size_t more_size = 0);
// Sends a frame, or keeps it.
void send_frame(Connection& connection, Stream stream, const void* data, std::size_t size);
// Is there a client that has not taken all of its output yet?
bool output_waits();
// Asks the loop for what its mode now needs.
void update_connection(Connection& connection);
// Ends it, at the next turn of the loop.
void break_connection(Connection& connection);

}  // namespace fermata::monitor
