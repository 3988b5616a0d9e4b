#include "streaming/channel_message.h"

#include <openssl/evp.h>

namespace fermata::streaming {
namespace {

constexpr std::uint8_t kCloseChannel = 255;

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock adds a NUL
  const int size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// Whole groups of four letters.
std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size =
      ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size != static_cast<int>(bytes.size())) return std::nullopt;
  // It counts the padding as bytes; EVP_EncodeInit(3).
  for (auto letter = text.rbegin(); letter != text.rend() && *letter == '=' && !bytes.empty(); ++letter)
    bytes.pop_back();
  return bytes;
}

}  // namespace

std::string channel_message(ChannelEncoding encoding, std::uint8_t channel, std::string_view bytes) {
  std::string message;
  if (encoding == ChannelEncoding::base64) {
    message += static_cast<char>('0' + channel);
    message += to_base64(bytes);
  } else {
    message.reserve(bytes.size() + 1);
    message += static_cast<char>(channel);
    message += bytes;
  }
  return message;
}

Result<std::optional<ChannelReader::Piece>> ChannelReader::feed(std::string_view bytes, bool message_end) {
  std::optional<Piece> piece;
  if (!channel_ && !bytes.empty()) {
    const auto first = static_cast<std::uint8_t>(bytes.front());
    channel_ = encoding_ == ChannelEncoding::base64 && first != kCloseChannel
                   ? static_cast<std::uint8_t>(first - '0')
                   : first;
    bytes.remove_prefix(1);
  }
  if (channel_ == kCloseChannel && close_signal_) {
    if (!closing_ && !bytes.empty()) closing_ = static_cast<std::uint8_t>(bytes.front());
    if (message_end && closing_) piece = Piece{.channel = *closing_, .closed = true, .bytes = {}};
  } else if (channel_) {
    TRY(auto data, decode(bytes, message_end));
    if (!data.empty()) piece = Piece{.channel = *channel_, .closed = false, .bytes = std::move(data)};
  }
  if (message_end) {
    channel_.reset();
    closing_.reset();
  }
  return piece;
}

Result<std::string> ChannelReader::decode(std::string_view text, bool message_end) {
  if (encoding_ == ChannelEncoding::binary) return std::string(text);
  quartet_ += text;
  const std::size_t whole = quartet_.size() / 4 * 4;
  if (message_end && whole != quartet_.size())
    return fail(ErrorKind::invalid_argument, "channel {}: base64 that is cut off", *channel_);
  auto bytes = from_base64(std::string_view(quartet_).substr(0, whole));
  if (!bytes) return fail(ErrorKind::invalid_argument, "channel {}: no base64", *channel_);
  quartet_.erase(0, whole);
  return std::move(*bytes);
}

}  // namespace fermata::streaming
