// The frames of SPDY/3.1, to and from bytes (SPDY Protocol, draft 3.1, section 2). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "streaming/spdy_headers.h"

namespace fermata::streaming::spdy {

inline constexpr std::uint32_t kInitialWindow = 64 * 1024;
inline constexpr std::uint32_t kMaxWindow = 0x7fffffff;

enum class Reset : std::uint32_t {  // of RST_STREAM
  protocol_error = 1,
  invalid_stream = 2,
  refused_stream = 3,
  cancel = 5,
  flow_control_error = 7,
  stream_already_closed = 9,
};

struct SynStream {
  std::uint32_t id = 0;
  bool fin = false, unidirectional = false;
  SpdyHeaders headers;
};
struct SynReply {
  std::uint32_t id = 0;
  bool fin = false;
  SpdyHeaders headers;
};
struct Headers {
  std::uint32_t id = 0;
  bool fin = false;
  SpdyHeaders headers;
};
struct RstStream {
  std::uint32_t id = 0;
  std::uint32_t status = 0;
};
struct Settings {
  static constexpr std::uint32_t kInitialWindowSize = 7;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> values;
};
struct Ping {
  std::uint32_t id = 0;
};
struct GoAway {
  std::uint32_t last_id = 0;
  std::uint32_t status = 0;  // 0: OK, 1: protocol error
};
struct WindowUpdate {
  std::uint32_t id = 0;  // 0: the whole connection
  std::uint32_t delta = 0;
};
// A data frame comes in as many pieces as it arrives in; `fin` is with the last.
struct Data {
  std::uint32_t id = 0;
  bool fin = false;
  std::string_view bytes;
};
using Frame =
    std::variant<SynStream, SynReply, Headers, RstStream, Settings, Ping, GoAway, WindowUpdate, Data>;

// Takes bytes as they come and hands out frames. Frames of unknown types are skipped, as section 2.2.1 wants
// it.
class Parser {
 public:
  // Adds bytes. `bytes` must live until next() has returned false.
  void feed(std::string_view bytes) { input_ = bytes; }
  // The next frame, true; false: more bytes are needed. After an error the connection cannot go on.
  Result<bool> next(Frame& frame);

 private:
  Result<bool> parse_control(Frame& frame);
  bool data(Frame& frame);
  bool gather(std::size_t size);

  std::string_view input_;
  std::string partial_;  // of a header or a control frame
  // Of the data frame whose payload comes next.
  bool in_data_ = false, data_fin_ = false;
  std::uint32_t data_id_ = 0;
  std::size_t data_left_ = 0;
  HeaderDecompressor headers_;
};

// Makes the bytes of frames; holds the state of compression of one direction.
class Writer {
 public:
  std::string syn_stream(std::uint32_t id, const SpdyHeaders& headers, bool fin);
  std::string syn_reply(std::uint32_t id, const SpdyHeaders& headers, bool fin);
  static std::string rst_stream(std::uint32_t id, Reset status);
  static std::string settings(const Settings& settings);
  static std::string ping(std::uint32_t id);
  static std::string go_away(std::uint32_t last_id, std::uint32_t status);
  static std::string window_update(std::uint32_t id, std::uint32_t delta);
  // bytes.size() < 2^24.
  static std::string data(std::uint32_t id, std::string_view bytes, bool fin);

 private:
  HeaderCompressor headers_;
};

}  // namespace fermata::streaming::spdy
