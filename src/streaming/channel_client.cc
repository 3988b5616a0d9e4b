#include "streaming/channel_client.h"

#include <algorithm>
#include <utility>

namespace fermata::streaming {
namespace {

// What may wait to be used before reading stops. The protocols have no windows.
constexpr std::size_t kMaxUnused = 256 * 1024;

}  // namespace

ChannelClient::ChannelClient(std::shared_ptr<Transport> transport, std::shared_ptr<Session> session,
                             ChannelEncoding encoding, bool close_signal,
                             const std::vector<Channel>& channels)
    : transport_(std::move(transport)),
      session_(std::move(session)),
      encoding_(encoding),
      reader_(encoding, close_signal),
      channels_(channels.size()) {
  session_->connected(*this);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto id = static_cast<StreamId>(i);
    if (!channels[i].headers || !session_->opened(id, *channels[i].headers)) continue;
    channels_[i].local_open = channels_[i].remote_open = true;
    if (channels[i].greeting) write(id, *channels[i].greeting);
  }
}

void ChannelClient::write(StreamId stream, std::string_view bytes) {
  if (channels_[stream].local_open)
    transport_->send(channel_message(encoding_, static_cast<std::uint8_t>(stream), bytes));
}

void ChannelClient::finish(StreamId stream) { channels_[stream].local_open = false; }

void ChannelClient::reset(StreamId stream) {
  State& state = channels_[stream];
  state.local_open = state.remote_open = false;
  used_up(state, state.unused);
}

bool ChannelClient::has_room(StreamId /*stream*/) const { return transport_->has_room(); }

void ChannelClient::consumed(StreamId stream, std::size_t bytes) { used_up(channels_[stream], bytes); }

void ChannelClient::used_up(State& state, std::size_t bytes) {
  bytes = std::min(bytes, state.unused);
  state.unused -= bytes;
  unused_ -= bytes;
  transport_->set_reading(unused_ <= kMaxUnused);
}

void ChannelClient::close() {
  closing_ = true;
  transport_->close();
}

void ChannelClient::received(std::string_view bytes, bool message_end) {
  if (closing_) return;
  auto piece = reader_.feed(bytes, message_end);
  if (!piece) return close();
  // Messages on channels that do not exist are ignored, as Kubernetes' own servers do.
  if (!*piece || (*piece)->channel >= channels_.size()) return;
  const StreamId id = (*piece)->channel;
  State& state = channels_[id];
  if (!state.remote_open) return;
  if ((*piece)->closed) {
    state.remote_open = false;
    return session_->finished(id);
  }
  state.unused += (*piece)->bytes.size();
  unused_ += (*piece)->bytes.size();
  session_->received(id, (*piece)->bytes);
  transport_->set_reading(unused_ <= kMaxUnused);
}

void ChannelClient::drained() { session_->writable(); }

void ChannelClient::ended() { session_->disconnected(); }

}  // namespace fermata::streaming
