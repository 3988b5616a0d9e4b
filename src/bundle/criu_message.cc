#include "bundle/criu_message.h"

namespace fermata::bundle {
namespace {

// protobuf.dev/programming-guides/encoding: how a field's value is laid out.
enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  put_varint(out, field << 3 | kVarint);
  put_varint(out, value);
}

void put_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  put_varint(out, field << 3 | kLength);
  put_varint(out, bytes.size());
  out += bytes;
}

std::optional<std::uint64_t> take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

std::optional<std::string_view> take_bytes(std::string_view& rest, std::uint64_t size) {
  if (size > rest.size()) return std::nullopt;
  const std::string_view bytes = rest.substr(0, size);
  rest.remove_prefix(size);
  return bytes;
}

std::optional<Field> take_field(std::string_view& rest) {
  const auto key = take_varint(rest);
  if (!key) return std::nullopt;
  Field field{.number = static_cast<std::uint32_t>(*key >> 3)};
  std::optional<std::uint64_t> size;
  switch (*key & 7) {
    case kVarint: {
      const auto value = take_varint(rest);
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case kLength:
      size = take_varint(rest);
      break;
    case kFixed64:
      size = 8;
      break;
    case kFixed32:
      size = 4;
      break;
    default:
      break;
  }
  const auto bytes = size ? take_bytes(rest, *size) : std::nullopt;
  if (!bytes) return std::nullopt;
  field.bytes = *bytes;
  return field;
}

// False: malformed.
template <class Each>
bool each_field(std::string_view message, Each each) {
  while (!message.empty()) {
    const auto field = take_field(message);
    if (!field || !each(*field)) return false;
  }
  return true;
}

}  // namespace

void CriuOptions::number(CriuOption option, std::uint64_t value) {
  put_number(bytes_, static_cast<std::uint32_t>(option), value);
}

void CriuOptions::text(CriuOption option, std::string_view value) {
  put_bytes(bytes_, static_cast<std::uint32_t>(option), value);
}

void CriuOptions::inherit(std::string_view key, int fd) {
  std::string message;
  put_bytes(message, 1, key);
  put_number(message, 2, static_cast<std::uint64_t>(fd));
  text(CriuOption::inherit_fd, message);
}

void CriuOptions::group_root(std::string_view controller, std::string_view path) {
  std::string message;
  if (!controller.empty()) put_bytes(message, 1, controller);
  put_bytes(message, 2, path);
  text(CriuOption::cg_root, message);
}

std::string criu_request(CriuType type, const CriuOptions& options) {
  std::string message;
  put_number(message, 1, static_cast<std::uint32_t>(type));
  put_bytes(message, 2, options.bytes());
  return message;
}

std::string criu_acknowledgement(bool go_on) {
  std::string message;
  put_number(message, 1, static_cast<std::uint32_t>(CriuType::notify));
  put_number(message, 3, go_on ? 1 : 0);
  return message;
}

std::optional<CriuAnswer> parse_criu_answer(std::string_view bytes) {
  CriuAnswer answer;
  const bool whole = each_field(bytes, [&](const Field& field) {
    switch (field.number) {
      case 1:
        answer.type = static_cast<std::uint32_t>(field.value);
        return true;
      case 2:
        answer.success = field.value != 0;
        return true;
      case 4:  // criu_restore_resp
        return each_field(field.bytes, [&](const Field& inner) {
          if (inner.number == 1) answer.pid = static_cast<int>(inner.value);
          return true;
        });
      case 5:  // criu_notify
        return each_field(field.bytes, [&](const Field& inner) {
          if (inner.number == 1) answer.script = inner.bytes;
          if (inner.number == 2) answer.pid = static_cast<int>(inner.value);
          return true;
        });
      case 7:
        answer.error_number = static_cast<int>(field.value);
        return true;
      case 9:
        answer.message = field.bytes;
        return true;
      default:
        return true;
    }
  });
  if (!whole) return std::nullopt;
  return answer;
}

}  // namespace fermata::bundle
