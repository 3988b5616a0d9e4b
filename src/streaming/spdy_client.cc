#include "streaming/spdy_client.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace fermata::streaming {
namespace {

constexpr std::size_t kMaxStreams = 2000;
constexpr std::size_t kMaxDataFrame = 32 * 1024;
// Of output, for each stream, behind a closed window.
constexpr std::size_t kMaxWaiting = 64 * 1024;
// Of the whole connection, for a client with windows: many streams that nobody reads leave room for others.
constexpr std::uint32_t kSessionWindow = 4 << 20;
// What may wait to be used before reading stops, for a client without.
constexpr std::size_t kMaxUnused = 512 * 1024;
// What such a client is granted when its window is nearly used up.
constexpr std::uint32_t kLargeGrant = 16 << 20, kLargeSessionGrant = 1 << 30;
constexpr std::int64_t kNearlyUsedUp = spdy::kInitialWindow / 4;

}  // namespace

SpdyClient::SpdyClient(std::shared_ptr<Transport> transport, std::shared_ptr<Session> session)
    : transport_(std::move(transport)), session_(std::move(session)) {
  session_->connected(*this);
}

void SpdyClient::write(StreamId id, std::string_view bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.local_open || found->second.finish_waiting) return;
  Stream& stream = found->second;
  if (windows_) {
    stream.waiting += bytes;
    return send_waiting(id, stream);
  }
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kMaxDataFrame)))
    send_data(id, stream, bytes.substr(0, kMaxDataFrame), false);
}

void SpdyClient::finish(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.local_open || found->second.finish_waiting) return;
  found->second.finish_waiting = true;
  send_waiting(id, found->second);
  drop_if_done(id);
}

void SpdyClient::reset(StreamId id) {
  if (streams_.find(id) == streams_.end()) return;
  transport_->send(spdy::Writer::rst_stream(id, spdy::Reset::cancel));
  drop(id);
}

bool SpdyClient::has_room(StreamId id) const {
  if (!transport_->has_room()) return false;
  const auto found = streams_.find(id);
  return found == streams_.end() || found->second.waiting.size() < kMaxWaiting;
}

void SpdyClient::consumed(StreamId id, std::size_t bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;  // its bytes were accounted for when it went
  Stream& stream = found->second;
  bytes = std::min(bytes, stream.unused);
  stream.unused -= bytes;
  stream.owed += bytes;
  std::uint32_t grant = 0;
  if (windows_ && stream.owed >= spdy::kInitialWindow / 2)
    grant = static_cast<std::uint32_t>(stream.owed);
  else if (!windows_ && stream.receive_window <= kNearlyUsedUp)
    grant = kLargeGrant;
  if (grant != 0) {
    stream.owed = 0;
    // A client that sends regardless has overdrawn it.
    stream.receive_window = std::max<std::int64_t>(stream.receive_window, 0) + grant;
    if (stream.remote_open) transport_->send(spdy::Writer::window_update(id, grant));
  }
  used_up(bytes);
  drop_if_done(id);
}

// The same for the window of the connection.
void SpdyClient::used_up(std::size_t bytes) {
  unused_ -= bytes;
  owed_ += bytes;
  std::uint32_t grant = 0;
  if (windows_ && owed_ >= kSessionWindow / 4)
    grant = static_cast<std::uint32_t>(owed_);
  else if (!windows_ && receive_window_ <= kNearlyUsedUp)
    grant = kLargeSessionGrant;
  if (grant != 0) {
    owed_ = 0;
    receive_window_ = std::max<std::int64_t>(receive_window_, 0) + grant;
    transport_->send(spdy::Writer::window_update(0, grant));
  }
  transport_->set_reading(unused_ <= (windows_ ? kSessionWindow : kMaxUnused));
}

void SpdyClient::close() {
  if (closing_) return;
  closing_ = true;
  close_if_done();
}

void SpdyClient::close_if_done() {
  if (closed_ || !closing_) return;
  for (const auto& [id, stream] : streams_)
    if (!stream.waiting.empty()) return;
  closed_ = true;
  transport_->send(spdy::Writer::go_away(last_id_, 0));
  transport_->close();
}

void SpdyClient::received(std::string_view bytes, bool /*message_end*/) {
  parser_.feed(bytes);
  for (spdy::Frame frame; !closed_;) {
    const auto more = parser_.next(frame);
    if (!more || transport_->overfull()) {
      protocol_error();
      return;
    }
    if (!*more) return;
    if (!std::visit([this](const auto& one) { return on(one); }, frame)) return;
  }
}

void SpdyClient::drained() {
  send_all_waiting();
  if (transport_->has_room()) session_->writable();
}

void SpdyClient::ended() {
  closed_ = true;
  session_->disconnected();
}

bool SpdyClient::protocol_error() {
  closing_ = closed_ = true;
  transport_->send(spdy::Writer::go_away(last_id_, 1));
  transport_->close();
  return false;
}

bool SpdyClient::on(const spdy::SynStream& frame) {
  // The streams of clients have odd numbers, and each is higher than the one before; section 2.3.2.
  if (frame.id % 2 == 0 || frame.id <= last_id_) return protocol_error();
  last_id_ = frame.id;
  if (leaving_ || closing_ || streams_.size() >= kMaxStreams || !session_->opened(frame.id, frame.headers)) {
    transport_->send(spdy::Writer::rst_stream(frame.id, spdy::Reset::refused_stream));
    return true;
  }
  Stream& stream = streams_[frame.id];
  stream.send_window = initial_send_window_;
  transport_->send(writer_.syn_reply(frame.id, {}, false));
  if (frame.unidirectional) stream.local_open = false;
  if (frame.fin) remote_finished(frame.id);
  return true;
}

// We open no streams that could be answered; and headers tell us nothing after the first.
bool SpdyClient::on(const spdy::SynReply& /*frame*/) { return true; }

bool SpdyClient::on(const spdy::Headers& frame) {
  if (frame.fin) remote_finished(frame.id);
  return true;
}

bool SpdyClient::on(const spdy::RstStream& frame) {
  if (streams_.find(frame.id) == streams_.end()) return true;
  drop(frame.id);
  session_->was_reset(frame.id);
  return !closed_;
}

bool SpdyClient::on(const spdy::Settings& frame) {
  client_has_windows();
  for (const auto& [id, value] : frame.values) {
    if (id != spdy::Settings::kInitialWindowSize) continue;
    if (value > spdy::kMaxWindow) return protocol_error();
    // It counts for the streams that are there, too; section 2.6.8.
    for (auto& [number, stream] : streams_) stream.send_window += value - initial_send_window_;
    initial_send_window_ = value;
  }
  send_all_waiting();
  return !closed_;
}

bool SpdyClient::on(const spdy::Ping& frame) {
  if (frame.id % 2 == 1) transport_->send(spdy::Writer::ping(frame.id));
  return true;
}

bool SpdyClient::on(const spdy::GoAway& /*frame*/) {
  leaving_ = true;
  if (streams_.empty()) close();
  return !closed_;
}

bool SpdyClient::on(const spdy::WindowUpdate& frame) {
  client_has_windows();
  if (frame.id == 0) {
    send_window_ += frame.delta;
    if (send_window_ > spdy::kMaxWindow) return protocol_error();
  } else if (const auto found = streams_.find(frame.id); found != streams_.end()) {
    found->second.send_window += frame.delta;
    if (found->second.send_window > spdy::kMaxWindow) {
      transport_->send(spdy::Writer::rst_stream(frame.id, spdy::Reset::flow_control_error));
      drop(frame.id);
      session_->was_reset(frame.id);
      return !closed_;
    }
  }
  send_all_waiting();
  return !closed_;
}

bool SpdyClient::on(const spdy::Data& frame) {
  const std::size_t size = frame.bytes.size();
  receive_window_ -= static_cast<std::int64_t>(size);
  if (windows_ && receive_window_ < 0) return protocol_error();
  unused_ += size;
  const auto found = streams_.find(frame.id);
  if (found == streams_.end() || !found->second.remote_open) {
    used_up(size);
    // What was under way when the stream went is no fault.
    if (frame.id > last_id_)
      transport_->send(spdy::Writer::rst_stream(frame.id, spdy::Reset::invalid_stream));
    else if (found != streams_.end())
      transport_->send(spdy::Writer::rst_stream(frame.id, spdy::Reset::stream_already_closed));
    return true;
  }
  Stream& stream = found->second;
  stream.receive_window -= static_cast<std::int64_t>(size);
  stream.unused += size;
  if (windows_ && stream.receive_window < 0) {
    transport_->send(spdy::Writer::rst_stream(frame.id, spdy::Reset::flow_control_error));
    drop(frame.id);
    session_->was_reset(frame.id);
    return !closed_;
  }
  if (size != 0) session_->received(frame.id, frame.bytes);
  if (frame.fin) remote_finished(frame.id);
  transport_->set_reading(unused_ <= (windows_ ? kSessionWindow : kMaxUnused));
  return !closed_;
}

void SpdyClient::client_has_windows() {
  if (std::exchange(windows_, true)) return;
  if (receive_window_ >= kSessionWindow) return;
  const auto grant = static_cast<std::uint32_t>(kSessionWindow - std::max<std::int64_t>(receive_window_, 0));
  receive_window_ = kSessionWindow;
  owed_ = 0;
  transport_->send(spdy::Writer::window_update(0, grant));
  for (auto& [id, stream] : streams_) {
    if (stream.receive_window >= spdy::kInitialWindow || !stream.remote_open) continue;
    const std::int64_t left = std::max<std::int64_t>(stream.receive_window, 0);
    stream.receive_window = spdy::kInitialWindow;
    stream.owed = 0;
    transport_->send(
        spdy::Writer::window_update(id, static_cast<std::uint32_t>(spdy::kInitialWindow - left)));
  }
}

void SpdyClient::remote_finished(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.remote_open) return;
  found->second.remote_open = false;
  session_->finished(id);
  drop_if_done(id);
}

void SpdyClient::send_data(StreamId id, Stream& stream, std::string_view bytes, bool fin) {
  // Counted for all clients: one may show later that it knows windows.
  stream.send_window -= static_cast<std::int64_t>(bytes.size());
  send_window_ -= static_cast<std::int64_t>(bytes.size());
  if (fin) stream.local_open = false;
  transport_->send(spdy::Writer::data(id, bytes, fin));
}

void SpdyClient::send_waiting(StreamId id, Stream& stream) {
  std::size_t sent = 0;
  while (sent < stream.waiting.size()) {
    const std::int64_t window = std::min(stream.send_window, send_window_);
    if (windows_ && window <= 0) break;
    std::size_t size = std::min(stream.waiting.size() - sent, kMaxDataFrame);
    if (windows_) size = std::min(size, static_cast<std::size_t>(window));
    send_data(id, stream, std::string_view(stream.waiting).substr(sent, size), false);
    sent += size;
  }
  stream.waiting.erase(0, sent);
  if (stream.finish_waiting && stream.waiting.empty() && stream.local_open) send_data(id, stream, {}, true);
}

void SpdyClient::send_all_waiting() {
  bool sent = false;
  std::vector<StreamId> done;
  for (auto& [id, stream] : streams_) {
    if (stream.waiting.empty()) continue;
    const std::size_t before = stream.waiting.size();
    send_waiting(id, stream);
    sent = sent || stream.waiting.size() != before;
    if (!stream.local_open) done.push_back(id);
  }
  for (const StreamId id : done) drop_if_done(id);
  close_if_done();
  if (sent && !closed_ && transport_->has_room()) session_->writable();
}

void SpdyClient::drop(StreamId id) {
  const auto found = streams_.find(id);
  const std::size_t unused = found->second.unused;
  streams_.erase(found);
  used_up(unused);
  if (leaving_ && streams_.empty()) close();
  close_if_done();
}

void SpdyClient::drop_if_done(StreamId id) {
  const auto found = streams_.find(id);
  // What was received and not yet used still counts.
  if (found != streams_.end() && !found->second.local_open && !found->second.remote_open &&
      found->second.unused == 0)
    drop(id);
}

}  // namespace fermata::streaming
