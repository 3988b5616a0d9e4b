#include "streaming/spdy_frame.h"

#include <algorithm>

#include "streaming/big_endian.h"

namespace fermata::streaming::spdy {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kIdMask = 0x7fffffff;
constexpr std::uint8_t kFin = 1, kUnidirectional = 2;
// Of a control frame. Clients send some hundred bytes.
constexpr std::size_t kMaxControl = 64 * 1024;

enum class Type : std::uint16_t {
  syn_stream = 1,
  syn_reply = 2,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  go_away = 7,
  headers = 8,
  window_update = 9,
};

std::string control_frame(Type type, std::uint8_t flags, std::string_view payload) {
  std::string frame;
  append_u16(frame, 0x8000 | kVersion);
  append_u16(frame, static_cast<std::uint32_t>(type));
  append_u32(frame, std::uint32_t{flags} << 24 | static_cast<std::uint32_t>(payload.size()));
  frame += payload;
  return frame;
}

std::string two_words(Type type, std::uint32_t first, std::uint32_t second) {
  std::string payload;
  append_u32(payload, first);
  append_u32(payload, second);
  return control_frame(type, 0, payload);
}

Result<Settings> parse_settings(std::string_view payload) {
  const std::uint32_t count = read_u32(payload, 0);
  if (payload.size() - 4 != std::size_t{count} * 8)
    return fail(ErrorKind::invalid_argument, "SPDY: SETTINGS of {} bytes with {} entries", payload.size(),
                count);
  Settings settings;
  for (std::size_t at = 4; at < payload.size(); at += 8)
    settings.values.emplace_back(read_u32(payload, at) & 0xffffff, read_u32(payload, at + 4));
  return settings;
}

}  // namespace

// Collects the first `size` bytes of a frame in partial_; false: they are not all there yet.
bool Parser::gather(std::size_t size) {
  if (partial_.size() < size) {
    const auto more = input_.substr(0, size - partial_.size());
    partial_ += more;
    input_.remove_prefix(more.size());
  }
  return partial_.size() == size;
}

Result<bool> Parser::next(Frame& frame) {
  for (;;) {
    if (in_data_) {
      if (data(frame)) return true;
      return false;
    }
    if (partial_.size() < kHeader && !gather(kHeader)) return false;
    if ((partial_[0] & 0x80) == 0) {
      in_data_ = true;
      data_id_ = read_u32(partial_, 0);
      data_fin_ = (partial_[4] & kFin) != 0;
      data_left_ = read_u32(partial_, 4) & 0xffffff;
      partial_.clear();
      if (data_id_ == 0) return fail(ErrorKind::invalid_argument, "SPDY: data for stream 0");
      continue;
    }
    const std::size_t size = read_u32(partial_, 4) & 0xffffff;
    if (size > kMaxControl)
      return fail(ErrorKind::invalid_argument, "SPDY: a control frame of {} bytes", size);
    if (!gather(kHeader + size)) return false;
    auto known = parse_control(frame);
    partial_.clear();
    if (!known || *known) return known;
  }
}

bool Parser::data(Frame& frame) {
  if (input_.empty() && data_left_ != 0) return false;
  const auto piece = input_.substr(0, data_left_);
  input_.remove_prefix(piece.size());
  data_left_ -= piece.size();
  in_data_ = data_left_ != 0;
  frame = Data{.id = data_id_, .fin = !in_data_ && data_fin_, .bytes = piece};
  return true;
}

// false: a frame of a type to be skipped.
Result<bool> Parser::parse_control(Frame& frame) {
  const std::uint32_t word = read_u32(partial_, 0);
  if ((word >> 16 & 0x7fff) != kVersion)
    return fail(ErrorKind::invalid_argument, "SPDY: version {}, 3 is spoken here", word >> 16 & 0x7fff);
  const auto flags = static_cast<std::uint8_t>(partial_[4]);
  const bool fin = (flags & kFin) != 0;
  const std::string_view payload = std::string_view(partial_).substr(kHeader);
  const auto type = static_cast<Type>(word & 0xffff);
  std::size_t least = 0;
  switch (type) {
    case Type::syn_stream:
      least = 10;
      break;
    case Type::rst_stream:
    case Type::go_away:
    case Type::window_update:
      least = 8;
      break;
    case Type::syn_reply:
    case Type::headers:
    case Type::settings:
    case Type::ping:
      least = 4;
      break;
    default:
      return false;
  }
  if (payload.size() < least)
    return fail(ErrorKind::invalid_argument, "SPDY: a control frame of type {} has only {} bytes",
                word & 0xffff, payload.size());
  const std::uint32_t first = read_u32(payload, 0);
  const std::uint32_t id = first & kIdMask;
  switch (type) {
    case Type::syn_stream: {
      // Associated stream, priority and slot have no meaning here.
      TRY(auto headers, headers_.decompress(payload.substr(10)));
      frame = SynStream{id, fin, (flags & kUnidirectional) != 0, std::move(headers)};
      break;
    }
    case Type::syn_reply: {
      TRY(auto headers, headers_.decompress(payload.substr(4)));
      frame = SynReply{id, fin, std::move(headers)};
      break;
    }
    case Type::headers: {
      TRY(auto headers, headers_.decompress(payload.substr(4)));
      frame = Headers{id, fin, std::move(headers)};
      break;
    }
    case Type::rst_stream:
      frame = RstStream{id, read_u32(payload, 4)};
      break;
    case Type::settings: {
      TRY(auto settings, parse_settings(payload));
      frame = std::move(settings);
      break;
    }
    case Type::ping:
      frame = Ping{first};
      break;
    case Type::go_away:
      frame = GoAway{id, read_u32(payload, 4)};
      break;
    case Type::window_update:
      frame = WindowUpdate{id, read_u32(payload, 4) & kMaxWindow};
      break;
  }
  return true;
}

std::string Writer::syn_stream(std::uint32_t id, const SpdyHeaders& headers, bool fin) {
  std::string payload;
  append_u32(payload, id);
  append_u32(payload, 0);  // associated to none
  append_u16(payload, 0);  // priority, slot
  payload += headers_.compress(headers);
  return control_frame(Type::syn_stream, fin ? kFin : 0, payload);
}

std::string Writer::syn_reply(std::uint32_t id, const SpdyHeaders& headers, bool fin) {
  std::string payload;
  append_u32(payload, id);
  payload += headers_.compress(headers);
  return control_frame(Type::syn_reply, fin ? kFin : 0, payload);
}

std::string Writer::rst_stream(std::uint32_t id, Reset status) {
  return two_words(Type::rst_stream, id, static_cast<std::uint32_t>(status));
}

std::string Writer::settings(const Settings& settings) {
  std::string payload;
  append_u32(payload, static_cast<std::uint32_t>(settings.values.size()));
  for (const auto& [id, value] : settings.values) {
    append_u32(payload, id);
    append_u32(payload, value);
  }
  return control_frame(Type::settings, 0, payload);
}

std::string Writer::ping(std::uint32_t id) {
  std::string payload;
  append_u32(payload, id);
  return control_frame(Type::ping, 0, payload);
}

std::string Writer::go_away(std::uint32_t last_id, std::uint32_t status) {
  return two_words(Type::go_away, last_id, status);
}

std::string Writer::window_update(std::uint32_t id, std::uint32_t delta) {
  return two_words(Type::window_update, id, delta);
}

std::string Writer::data(std::uint32_t id, std::string_view bytes, bool fin) {
  std::string frame;
  frame.reserve(kHeader + bytes.size());
  append_u32(frame, id);
  append_u32(frame,
             std::uint32_t{fin ? kFin : std::uint8_t{0}} << 24 | static_cast<std::uint32_t>(bytes.size()));
  frame += bytes;
  return frame;
}

}  // namespace fermata::streaming::spdy
