#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <cerrno>

namespace fermata::kernel {
namespace {

// The kernel's CTA_FILTER_F_*, which its uapi headers do not have; libnetfilter_conntrack relies on them too.
constexpr std::uint32_t kFilterProtocol = 1u << 3;
constexpr std::uint32_t kFilterDestinationPort = 1u << 5;

struct Tuple {
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
};

std::optional<Tuple> parse_tuple(std::string_view tuple) {
  const std::string_view ip = find_attribute(tuple, CTA_TUPLE_IP);
  const std::string_view proto = find_attribute(tuple, CTA_TUPLE_PROTO);
  const bool four = !find_attribute(ip, CTA_IP_V4_SRC).empty();
  const auto source = ip_from_bytes(find_attribute(ip, four ? CTA_IP_V4_SRC : CTA_IP_V6_SRC));
  const auto destination = ip_from_bytes(find_attribute(ip, four ? CTA_IP_V4_DST : CTA_IP_V6_DST));
  const std::string_view number = find_attribute(proto, CTA_PROTO_NUM);
  if (!source || !destination || source->family != destination->family || number.size() != 1)
    return std::nullopt;
  return Tuple{*source, *destination, as_be16(find_attribute(proto, CTA_PROTO_SRC_PORT)),
               as_be16(find_attribute(proto, CTA_PROTO_DST_PORT)), static_cast<std::uint8_t>(number[0])};
}

void begin(NetlinkBatch& batch, int operation, std::uint16_t flags, std::uint8_t family, const char* what,
           int tolerated) {
  batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | operation), flags, what, tolerated);
  batch.header(nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0});
}

// Only flows to the port are copied out (Linux 5.8; an older kernel sends all, and the caller looks again).
void list_message(NetlinkBatch& batch, std::uint8_t family, std::uint16_t port) {
  begin(batch, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family, "list tracked connections", 0);
  const std::size_t tuple = batch.nest_begin(CTA_TUPLE_ORIG);
  const std::size_t proto = batch.nest_begin(CTA_TUPLE_PROTO);
  batch.u8(CTA_PROTO_NUM, IPPROTO_UDP);
  batch.be16(CTA_PROTO_DST_PORT, port);
  batch.nest_end(proto);
  batch.nest_end(tuple);
  const std::size_t filter = batch.nest_begin(CTA_FILTER);
  batch.u32(CTA_FILTER_ORIG_FLAGS, kFilterProtocol | kFilterDestinationPort);
  batch.u32(CTA_FILTER_REPLY_FLAGS, 0);
  batch.nest_end(filter);
}

void delete_message(NetlinkBatch& batch, const TrackedFlow& flow) {
  // ENOENT: it has ended meanwhile.
  begin(batch, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.source.family, "delete a tracked connection", ENOENT);
  const bool four = flow.source.family == AF_INET;
  const std::size_t tuple = batch.nest_begin(CTA_TUPLE_ORIG);
  const std::size_t ip = batch.nest_begin(CTA_TUPLE_IP);
  batch.bytes(four ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, flow.source.view());
  batch.bytes(four ? CTA_IP_V4_DST : CTA_IP_V6_DST, flow.destination.view());
  batch.nest_end(ip);
  const std::size_t proto = batch.nest_begin(CTA_TUPLE_PROTO);
  batch.u8(CTA_PROTO_NUM, flow.protocol);
  batch.be16(CTA_PROTO_SRC_PORT, flow.source_port);
  batch.be16(CTA_PROTO_DST_PORT, flow.destination_port);
  batch.nest_end(proto);
  batch.nest_end(tuple);
}

}  // namespace

std::optional<TrackedFlow> parse_flow(std::string_view payload) {
  if (!take_header<nfgenmsg>(payload)) return std::nullopt;
  const auto sent = parse_tuple(find_attribute(payload, CTA_TUPLE_ORIG));
  const auto reply = parse_tuple(find_attribute(payload, CTA_TUPLE_REPLY));
  if (!sent || !reply) return std::nullopt;
  return TrackedFlow{sent->source,           sent->destination,       sent->source_port,
                     sent->destination_port, reply->source,           reply->destination,
                     reply->source_port,     reply->destination_port, sent->protocol};
}

Result<void> delete_udp_flows(NetlinkSocket& netfilter, std::uint16_t port,
                              const std::function<bool(const TrackedFlow&)>& chosen) {
  std::vector<TrackedFlow> doomed;
  for (const std::uint8_t family : {AF_INET, AF_INET6}) {
    NetlinkBatch list;
    list_message(list, family, port);
    const Result<void> listed = netfilter.query(list, [&](const NetlinkMessage& message) {
      const auto flow = parse_flow(message.payload);
      if (flow && flow->protocol == IPPROTO_UDP && flow->destination_port == port && chosen(*flow))
        doomed.push_back(*flow);
    });
    // EINVAL: no such subsystem in this kernel.
    if (!listed && listed.error().error_number() != EINVAL) return listed;
  }
  // Few acknowledgements at a time: the receive buffer has room for some 250.
  for (std::size_t start = 0; start < doomed.size(); start += 100) {
    NetlinkBatch batch;
    for (std::size_t i = start; i < std::min(start + 100, doomed.size()); ++i)
      delete_message(batch, doomed[i]);
    TRY(netfilter.execute(batch));
  }
  return {};
}

}  // namespace fermata::kernel
