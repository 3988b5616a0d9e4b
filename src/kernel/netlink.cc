#include "kernel/netlink.h"

#include <endian.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

namespace fermata::kernel {
namespace {

// The kernel's dumps use at most 32 kB a packet (netlink_dump's limit), acknowledgements far less.
constexpr std::size_t kReceiveBuffer = 64 * 1024;
// Of one answer. A dump of more is an error of the kernel's or a table that is no longer sensible to walk.
constexpr int kMaxPackets = 100'000;

constexpr std::size_t align4(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

template <class T>
T load(std::string_view value) {
  T number{};
  if (value.size() == sizeof number) std::memcpy(&number, value.data(), sizeof number);
  return number;
}

// NETLINK_EXT_ACK's text, "" without one. NETLINK_CAP_ACK left out the failed message's payload.
std::string explanation(const NetlinkMessage& message) {
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return {};
  std::string_view rest = message.payload;
  const auto error = take_header<nlmsgerr>(rest);
  if (!error) return {};
  if ((message.flags & NLM_F_CAPPED) == 0) {
    if (error->msg.nlmsg_len < sizeof(nlmsghdr)) return {};
    const std::size_t echoed = align4(error->msg.nlmsg_len - sizeof(nlmsghdr));
    if (echoed > rest.size()) return {};
    rest.remove_prefix(echoed);
  }
  return as_text(find_attribute(rest, NLMSGERR_ATTR_MSG));
}

// Drops the last reference to `fd` in a kernel thread. A socket that is under way to itself is garbage, and
// since Linux 6.8 the collector of unix(7) descriptors runs in a workqueue; before that it ran inside
// close(2), which then takes as long as it would anyway. If anything fails, so does only the saving.
void leave_to_collector(UniqueFd fd) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) return;
  UniqueFd one(pair[0]);
  UniqueFd other(pair[1]);
  const int passed[2] = {fd.get(), other.get()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof passed);
  std::memcpy(CMSG_DATA(head), passed, sizeof passed);
  // From the one end to the other: the other's queue then holds the other.
  (void)::sendmsg(one.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  // In this order: closing `one` wakes the collector, which must find nobody else holding the rest.
  fd.reset();
  other.reset();
  one.reset();
}

tl::unexpected<Error> refused(int number, const std::string& what, const std::string& text) {
  if (text.empty()) return fail(number, "{}", what);
  return fail(number, "{} ({})", what, text);
}

}  // namespace

void NetlinkBatch::begin(std::uint16_t type, std::uint16_t flags, std::string what, int tolerated) {
  close_message();
  messages_.push_back({buffer_.size(), std::move(what), tolerated});
  const nlmsghdr head{.nlmsg_len = 0,
                      .nlmsg_type = type,
                      .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST),
                      .nlmsg_seq = 0,
                      .nlmsg_pid = 0};
  append(&head, sizeof head);
}

void NetlinkBatch::append(const void* data, std::size_t size) {
  buffer_.append(static_cast<const char*>(data), size);
  buffer_.resize(align4(buffer_.size()));
}

void NetlinkBatch::close_message() {
  if (messages_.empty()) return;
  const std::size_t offset = messages_.back().offset;
  const auto length = static_cast<std::uint32_t>(buffer_.size() - offset);
  std::memcpy(buffer_.data() + offset, &length, sizeof length);  // nlmsg_len is the first field
}

void NetlinkBatch::attribute(std::uint16_t type, const void* data, std::size_t size) {
  const nlattr head{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + size), .nla_type = type};
  buffer_.append(reinterpret_cast<const char*>(&head), sizeof head);
  append(data, size);
}

void NetlinkBatch::be16(std::uint16_t type, std::uint16_t value) { u16(type, htobe16(value)); }
void NetlinkBatch::be32(std::uint16_t type, std::uint32_t value) { u32(type, htobe32(value)); }
void NetlinkBatch::be64(std::uint16_t type, std::uint64_t value) {
  const std::uint64_t swapped = htobe64(value);
  attribute(type, &swapped, sizeof swapped);
}

std::size_t NetlinkBatch::nest_begin(std::uint16_t type) {
  const std::size_t offset = buffer_.size();
  attribute(type | NLA_F_NESTED, nullptr, 0);
  return offset;
}

void NetlinkBatch::nest_end(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(buffer_.size() - nest);
  std::memcpy(buffer_.data() + nest, &length, sizeof length);  // nla_len is the first field
}

const std::string& NetlinkBatch::finish(std::uint32_t first) {
  close_message();
  for (const Message& message : messages_) {
    std::memcpy(buffer_.data() + message.offset + offsetof(nlmsghdr, nlmsg_seq), &first, sizeof first);
    ++first;
  }
  return buffer_;
}

std::optional<NetlinkMessage> take_message(std::string_view& rest) {
  nlmsghdr head;
  if (rest.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, rest.data(), sizeof head);
  if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size()) return std::nullopt;
  const NetlinkMessage message{head.nlmsg_type, head.nlmsg_flags, head.nlmsg_seq,
                               rest.substr(sizeof head, head.nlmsg_len - sizeof head)};
  rest.remove_prefix(std::min(align4(head.nlmsg_len), rest.size()));
  return message;
}

std::optional<NetlinkAttribute> take_attribute(std::string_view& rest) {
  nlattr head;
  if (rest.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, rest.data(), sizeof head);
  if (head.nla_len < sizeof head || head.nla_len > rest.size()) return std::nullopt;
  const NetlinkAttribute attribute{static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
                                   rest.substr(sizeof head, head.nla_len - sizeof head)};
  rest.remove_prefix(std::min(align4(head.nla_len), rest.size()));
  return attribute;
}

std::string_view find_attribute(std::string_view attributes, std::uint16_t type) {
  while (const auto attribute = take_attribute(attributes))
    if (attribute->type == type) return attribute->value;
  return {};
}

std::uint32_t as_u32(std::string_view value) { return load<std::uint32_t>(value); }
std::uint32_t as_be32(std::string_view value) { return be32toh(load<std::uint32_t>(value)); }
std::uint16_t as_be16(std::string_view value) { return be16toh(load<std::uint16_t>(value)); }
std::uint64_t as_be64(std::string_view value) { return be64toh(load<std::uint64_t>(value)); }
std::string as_text(std::string_view value) { return std::string(value.substr(0, value.find('\0'))); }

NetlinkSocket::~NetlinkSocket() {
  if (close_waits_ && fd_.get() >= 0) leave_to_collector(std::move(fd_));
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (fd.get() < 0 && errno == EPROTONOSUPPORT && protocol == NETLINK_NETFILTER)
    return fail(
        ErrorKind::unsupported,
        "this kernel has no nf_tables (CONFIG_NF_TABLES; try 'modprobe nf_tables'): without it there is no "
        "bridge network, but --net=host and --net=none");
  if (fd.get() < 0) return fail(errno, "open a netlink socket");
  // Acknowledgements without the message they are for (Linux 4.3) but with the reason in words (4.12).
  // Without these options answers are only longer or less telling.
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return NetlinkSocket(std::move(fd));
}

Result<void> NetlinkSocket::send(const std::string& bytes) {
  // The kernel refuses packets above the send buffer. SO_SNDBUFFORCE needs CAP_NET_ADMIN, as all of this
  // does.
  if (bytes.size() > 128 * 1024) {
    const int wanted = static_cast<int>(bytes.size()) * 2;
    (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted);
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const ssize_t sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                                  reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    if (sent == static_cast<ssize_t>(bytes.size())) return {};
    if (sent < 0 && errno == EINTR) continue;
    return fail(sent < 0 ? errno : EIO, "send to netlink");
  }
}

Result<std::string_view> NetlinkSocket::receive() {
  if (buffer_.empty()) buffer_.resize(kReceiveBuffer);
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t got = ::recvfrom(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::string_view();
    if (got < 0) return fail(errno, "receive from netlink");
    if (static_cast<std::size_t>(got) > buffer_.size()) return fail(EMSGSIZE, "receive from netlink");
    // Only the kernel has port 0; any process may send to our socket.
    if (from.nl_pid != 0) continue;
    return std::string_view(buffer_.data(), static_cast<std::size_t>(got));
  }
}

Result<void> NetlinkSocket::execute(NetlinkBatch& batch) {
  const std::uint32_t first = sequence_;
  sequence_ += static_cast<std::uint32_t>(batch.count());
  TRY(send(batch.finish(first)));
  std::optional<Error> failure;
  std::uint32_t failed_at = UINT32_MAX;
  bool last_acknowledged = false;
  for (int packet = 0; packet < kMaxPackets; ++packet) {
    TRY(std::string_view rest, receive());
    if (rest.empty()) break;
    while (const auto message = take_message(rest)) {
      const std::uint32_t index = message->sequence - first;
      if (message->type != NLMSG_ERROR || index >= batch.count()) continue;
      std::string_view payload = message->payload;
      const auto error = take_header<nlmsgerr>(payload);
      if (!error) continue;
      last_acknowledged = true;
      const NetlinkBatch::Message& sent = batch.messages_[index];
      if (error->error == 0 || -error->error == sent.tolerated || index >= failed_at) continue;
      failed_at = index;
      failure = refused(-error->error, sent.what, explanation(*message)).value();
    }
  }
  if (failure) return tl::unexpected<Error>(std::move(*failure));
  if (!last_acknowledged && !batch.empty()) return fail(EPROTO, "netlink did not acknowledge");
  return {};
}

Result<void> NetlinkSocket::query(NetlinkBatch& batch,
                                  const std::function<void(const NetlinkMessage&)>& each) {
  const std::uint32_t first = sequence_++;
  TRY(send(batch.finish(first)));
  for (int packet = 0; packet < kMaxPackets; ++packet) {
    TRY(std::string_view rest, receive());
    if (rest.empty()) return {};
    while (const auto message = take_message(rest)) {
      if (message->sequence != first) continue;
      if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) {
        // Both begin with an int; DONE carries the dump's error, or 0.
        const int number = message->payload.size() < sizeof(int)
                               ? 0
                               : static_cast<int>(as_u32(message->payload.substr(0, sizeof(int))));
        if (number < 0 && -number != batch.messages_[0].tolerated)
          return refused(-number, batch.messages_[0].what,
                         message->type == NLMSG_ERROR ? explanation(*message) : "");
        return {};
      }
      each(*message);
    }
  }
  return fail(E2BIG, "{}", batch.messages_[0].what);
}

int NetlinkSocket::link_index(const std::string& name) const {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return 0;
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  return ::ioctl(fd_.get(), SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

int NetlinkSocket::link_mtu(const std::string& name) const {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return 0;
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  return ::ioctl(fd_.get(), SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

std::string NetlinkSocket::link_name(int index) const {
  ifreq request{};
  request.ifr_ifindex = index;
  if (index <= 0 || ::ioctl(fd_.get(), SIOCGIFNAME, &request) != 0) return {};
  return std::string(request.ifr_name, ::strnlen(request.ifr_name, sizeof request.ifr_name));
}

}  // namespace fermata::kernel
