// Netlink: messages built into one buffer, sent with one sendmsg(2), their acknowledgements read back.
// netlink(7).
//
// rtnetlink, nfnetlink and ctnetlink all answer inside the sender's sendmsg: when it returns, every
// acknowledgement is in the receive buffer already. So replies are read without waiting, and nothing here can
// block. Everything read is bounds-checked. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"

namespace fermata::kernel {

// Messages in the making. Attributes are in host byte order unless the name says be (big endian).
class NetlinkBatch {
 public:
  // Starts a message; NLM_F_REQUEST is added. `what` is for the error message; an error equal to `tolerated`
  // counts as success ("it exists already").
  void begin(std::uint16_t type, std::uint16_t flags, std::string what, int tolerated = 0);
  // The fixed header of the family (ifinfomsg, nfgenmsg, ...), right after begin().
  template <class T>
  void header(const T& value) {
    append(&value, sizeof value);
  }
  // Finished attributes, made by another batch.
  void raw(std::string_view data) { append(data.data(), data.size()); }
  void attribute(std::uint16_t type, const void* data, std::size_t size);
  void bytes(std::uint16_t type, std::string_view data) { attribute(type, data.data(), data.size()); }
  // With the NUL that the kernel's string attributes end in.
  void text(std::uint16_t type, const std::string& value) {
    attribute(type, value.c_str(), value.size() + 1);
  }
  void u8(std::uint16_t type, std::uint8_t value) { attribute(type, &value, sizeof value); }
  void u16(std::uint16_t type, std::uint16_t value) { attribute(type, &value, sizeof value); }
  void u32(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }
  void be16(std::uint16_t type, std::uint16_t value);
  void be32(std::uint16_t type, std::uint32_t value);
  void be64(std::uint16_t type, std::uint64_t value);
  // A nested attribute lasts until nest_end with the returned value. An attribute is at most 65535 bytes: the
  // caller splits.
  [[nodiscard]] std::size_t nest_begin(std::uint16_t type);
  void nest_end(std::size_t nest);

  bool empty() const { return messages_.empty(); }
  std::size_t count() const { return messages_.size(); }
  // The finished bytes, sequence numbers from `first` on.
  const std::string& finish(std::uint32_t first);

 private:
  friend class NetlinkSocket;
  struct Message {
    std::size_t offset;
    std::string what;
    int tolerated;
  };
  void append(const void* data, std::size_t size);
  void close_message();

  std::string buffer_;
  std::vector<Message> messages_;
};

// One received message, without its header. The views point into the caller's buffer.
struct NetlinkMessage {
  std::uint16_t type;
  std::uint16_t flags;
  std::uint32_t sequence;
  std::string_view payload;
};
struct NetlinkAttribute {
  std::uint16_t type;  // without the NESTED and BYTEORDER bits
  std::string_view value;
};

// Takes the first message or attribute off `rest`; nullopt at the end or when it is malformed.
std::optional<NetlinkMessage> take_message(std::string_view& rest);
std::optional<NetlinkAttribute> take_attribute(std::string_view& rest);
// The first attribute of the type; an empty view when there is none.
std::string_view find_attribute(std::string_view attributes, std::uint16_t type);
// A fixed header off the front; nullopt when the payload is too short.
template <class T>
std::optional<T> take_header(std::string_view& payload) {
  if (payload.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, payload.data(), sizeof value);
  const std::size_t aligned = (sizeof(T) + 3) & ~std::size_t{3};
  payload.remove_prefix(aligned < payload.size() ? aligned : payload.size());
  return value;
}
// An attribute's number; 0 when the size is another.
std::uint32_t as_u32(std::string_view value);
std::uint32_t as_be32(std::string_view value);
std::uint16_t as_be16(std::string_view value);
std::uint64_t as_be64(std::string_view value);
// Up to the NUL.
std::string as_text(std::string_view value);

class NetlinkSocket {
 public:
  NetlinkSocket(NetlinkSocket&&) noexcept = default;
  NetlinkSocket& operator=(NetlinkSocket&&) = delete;
  ~NetlinkSocket();
  // In the calling thread's network namespace; there it stays. protocol: NETLINK_ROUTE, NETLINK_NETFILTER.
  static Result<NetlinkSocket> open(int protocol);

  // Sends all messages and reads their acknowledgements. The first error that is not tolerated is returned,
  // with the kernel's own explanation; the kernel goes on after a failed message (nftables' transactions
  // excepted).
  Result<void> execute(NetlinkBatch& batch);
  // Sends the one message of the batch (with NLM_F_DUMP, or a get) and hands every answer to `each`.
  Result<void> query(NetlinkBatch& batch, const std::function<void(const NetlinkMessage&)>& each);

  // After nftables objects were deleted, closing waits for an RCU grace period, 10 ms; with this it happens
  // elsewhere.
  void close_in_background() { close_waits_ = true; }
  // 0: no such link. SIOCGIFINDEX in the socket's namespace.
  int link_index(const std::string& name) const;
  // 0: no such link.
  int link_mtu(const std::string& name) const;
  // "": no such link.
  std::string link_name(int index) const;

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(const std::string& bytes);
  // The next packet; an empty view when there is none at the moment.
  Result<std::string_view> receive();
  UniqueFd fd_;
  bool close_waits_ = false;
  std::uint32_t sequence_ = 1;
  std::string buffer_;
};

}  // namespace fermata::kernel
