// The messages of Kubernetes' channel protocols over WebSocket: the number of a channel, then bytes of its
// stream. In the base64 variants the number is a digit and the bytes are in base64. From v5 on the message
// {255, channel} says that the client will send no more on that channel. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::streaming {

enum class ChannelEncoding { binary, base64 };

std::string channel_message(ChannelEncoding encoding, std::uint8_t channel, std::string_view bytes);

class ChannelReader {
 public:
  struct Piece {
    std::uint8_t channel = 0;
    bool closed = false;  // the channel is, and there are no bytes
    std::string bytes;
  };
  ChannelReader(ChannelEncoding encoding, bool close_signal)
      : encoding_(encoding), close_signal_(close_signal) {}
  // A message may come in pieces of any size; `message_end` is with its last. After an error nothing more can
  // be read.
  Result<std::optional<Piece>> feed(std::string_view bytes, bool message_end);

 private:
  Result<std::string> decode(std::string_view text, bool message_end);

  const ChannelEncoding encoding_;
  const bool close_signal_;
  // Of the message that has begun.
  std::optional<std::uint8_t> channel_, closing_;
  std::string quartet_;  // base64 letters that are no whole group yet
};

}  // namespace fermata::streaming
