// A client of the streaming server, as kubelets and kubectl are: the streams of one process, by each of the
// protocols that they speak. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "streaming/request.h"

namespace fermata::cri_test {

using streaming::Streams;

enum class Wire { spdy_v4, spdy_v5, websocket_v4, websocket_v5 };
// "SpdyV4": for the names of tests.
std::string name_of(Wire wire);
std::ostream& operator<<(std::ostream& stream, Wire wire);
bool is_websocket(Wire wire);
// Over WebSocket stdin can be ended since v5.
bool can_end_input(Wire wire);

class ProcessClient {
 public:
  // To a URL of Exec or Attach. Throws when the server refuses it, which ends the test.
  static std::unique_ptr<ProcessClient> connect(Wire wire, const std::string& url, const Streams& streams);
  virtual ~ProcessClient() = default;

  virtual void write(std::string_view bytes) = 0;
  virtual void end_input() = 0;
  virtual void resize(int rows, int columns) = 0;
  // As one that is killed.
  virtual void hang_up() = 0;

  // What has come so far. `status`: the error channel, a document that tells how it ended.
  virtual const std::string& out() = 0;
  virtual const std::string& err() = 0;
  virtual const std::string& status() = 0;

  // Reads until stdout has the text. False: the end, or nothing came for some seconds.
  bool read_until(std::string_view text);
  // Reads until the server has ended the connection.
  void read_to_end();
  // The same, and the exit code that the error channel tells; -1: it tells none.
  int finish();

 protected:
  // Reads once; false at the end.
  virtual bool pump() = 0;
};

// The status of the answer to a client that wants to upgrade to `wire`.
int http_status(Wire wire, const std::string& url);
// A URL of the same kind on the server of `other`.
std::string moved_to(const std::string& url, const std::string& other);

}  // namespace fermata::cri_test
