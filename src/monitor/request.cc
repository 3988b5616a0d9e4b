#include "monitor/request.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace fermata::monitor {
namespace {

std::size_t payload_size(Type type) {
  switch (type) {
    case Type::setup:
      return sizeof(Setup);
    case Type::launch:
      return sizeof(Launch);
    case Type::signal:
      return sizeof(Signal);
    case Type::resize:
      return sizeof(Resize);
    case Type::attach:
      return sizeof(Attach);
    case Type::wait:
    case Type::reopen_log:
    case Type::forget:
    case Type::kill_group:
    case Type::claim_ends:
      return sizeof(Wait);
    case Type::hold_ports:
      return sizeof(HoldPorts);
    case Type::frame:
      return sizeof(Frame);
    default:
      return 0;
  }
}

// What a client of an older version sends at least.
std::size_t least_size(Type type, std::uint32_t version) {
  return type == Type::launch && version < 3 ? offsetof(Launch, stream_owner) : payload_size(type);
}

bool known(Type type) { return (type >= Type::hello && type <= Type::ends_settled) || type == Type::frame; }

bool valid_id(const char (&id)[kIdSize]) {
  std::size_t length = 0;
  for (; length < kIdSize && id[length] != '\0'; ++length) {
    const char c = id[length];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (!plain) return false;
  }
  return length > 0 && length < kIdSize;
}

bool valid_payload(const Request& request) {
  const Request::Payload& payload = request.payload;
  switch (request.type) {
    case Type::setup:
      return payload.setup.hostname[kIdSize - 1] == '\0';
    case Type::launch:
      return valid_id(payload.launch.id) && valid_id(payload.launch.container) &&
             payload.launch.rows <= 0xffff && payload.launch.columns <= 0xffff &&
             payload.launch.limit_count <= kMaxLimits;
    case Type::signal:
      return valid_id(payload.signal.id) && payload.signal.signal > 0 && payload.signal.signal <= 64;
    case Type::resize:
      return valid_id(payload.resize.id) && payload.resize.rows <= 0xffff && payload.resize.columns <= 0xffff;
    case Type::attach:
      return valid_id(payload.attach.id);
    case Type::wait:
    case Type::reopen_log:
    case Type::forget:
    case Type::kill_group:
      return valid_id(payload.wait.id);
    case Type::claim_ends:
      return payload.wait.id[0] == '\0' || valid_id(payload.wait.id);
    case Type::hold_ports:
      return payload.hold_ports.relay_count <=
             sizeof payload.hold_ports.target / sizeof payload.hold_ports.target[0];
    case Type::frame:
      return request.data_size <= kMaxFrameData &&
             (payload.frame.stream != Stream::resize || request.data_size >= 2 * sizeof(std::uint32_t));
    default:
      return true;
  }
}

}  // namespace

int decode_request(const unsigned char* packet, std::size_t size, std::uint32_t received_fds,
                   Request& request) {
  Header header;
  if (size < sizeof header) return EPROTO;
  std::memcpy(&header, packet, sizeof header);
  if (header.size != size - sizeof header || header.fd_count != received_fds || received_fds > kMaxFds)
    return EPROTO;
  request.type = header.type;
  request.fd_count = header.fd_count;
  std::memcpy(request.tags, header.fd_tags, sizeof request.tags);
  if (header.type == Type::hello) return 0;
  if (header.version == 0 || header.version > kProtocolVersion) return EPROTONOSUPPORT;
  if (!known(header.type)) return ENOSYS;
  if (header.size < least_size(header.type, header.version)) return EINVAL;
  const std::size_t whole = payload_size(header.type);
  const std::size_t given = header.size < whole ? header.size : whole;
  std::memcpy(&request.payload, packet + sizeof header, given);
  std::memset(reinterpret_cast<unsigned char*>(&request.payload) + given, 0, whole - given);
  request.data = packet + sizeof header + given;
  request.data_size = header.size - static_cast<std::uint32_t>(given);
  return valid_payload(request) ? 0 : EINVAL;
}

}  // namespace fermata::monitor
