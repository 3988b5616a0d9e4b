#include "cri/container_events.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "base/clock.h"
#include "base/start_thread.h"
#include "cri/members.h"
#include "cri/rpc_status.h"

namespace fermata::cri {
namespace {

constexpr std::size_t kMaxWaiting = 4000;
// gRPC's synchronous streams tell of a client that has left only when they are asked.
constexpr std::chrono::milliseconds kLook{500};

}  // namespace

Events::~Events() {
  shut_down();
  if (thread_.joinable()) {
    wake();
    thread_.join();
  }
}

Result<void> Events::start() {
  TRY(feed_, pod::EventFeed::open(engines_.options().run_root));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return fail(errno, "eventfd");
  TRY(thread_, start_thread([this] { serve(); }));
  return {};
}

void Events::shut_down() {
  const std::scoped_lock lock(listeners_mutex_);
  ending_ = true;
  changed_.notify_all();
}

void Events::wake() {
  const std::uint64_t one = 1;
  // EAGAIN: it is to wake anyway.
  (void)!::write(wake_.get(), &one, sizeof one);
}

void Events::look(const std::string& pod) {
  {
    const std::scoped_lock lock(listeners_mutex_);
    if (listeners_.empty()) return;
  }
  {
    const std::scoped_lock lock(hints_mutex_);
    hints_.insert(pod);
  }
  wake();
}

std::set<std::string> Events::take_hints() {
  std::set<std::string> hints;
  {
    const std::scoped_lock lock(hints_mutex_);
    hints = std::exchange(hints_, {});
  }
  for (;;) {
    auto next = feed_->next();
    if (!next) {
      log_.error("events of pods are lost", {{"error", next.error().message()}});
      return hints;
    }
    if (!*next) return hints;
    hints.insert(std::move(**next));
  }
}

void Events::serve() {
  std::array<pollfd, 2> sources = {{{.fd = feed_->fd(), .events = POLLIN, .revents = 0},
                                    {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    const auto hints = take_hints();
    {
      const std::scoped_lock lock(listeners_mutex_);
      if (ending_) return;
    }
    for (const std::string& pod : hints) examine(pod);
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) {
      log_.error("events of pods are lost", {{"error", errno_text(errno)}});
      return;
    }
    std::uint64_t count = 0;
    // EAGAIN: it was the feed.
    (void)!::read(wake_.get(), &count, sizeof count);
  }
}

Result<std::optional<PodSnapshot>> Events::snapshot(const std::string& pod) {
  TRY(auto engine, engines_.lease());
  auto found = pod_of(*engine, pod);
  if (!found && found.error().kind() == ErrorKind::not_found) return std::optional<PodSnapshot>();
  if (!found) return tl::unexpected(std::move(found.error()));
  PodSnapshot taken{.pod = status_of(found->info, found->request), .containers = {}};
  TRY(const auto members, members_of(*engine, found->info.id));
  for (const Member& member : members) {
    TRY(auto status, status_of(*engine, member));
    taken.containers.push_back(std::move(status));
  }
  return std::optional(std::move(taken));
}

void Events::examine(const std::string& pod) {
  const std::scoped_lock lock(known_mutex_);
  {
    const std::scoped_lock listeners(listeners_mutex_);
    if (listeners_.empty()) {
      known_.clear();
      return;
    }
  }
  auto now = snapshot(pod);
  if (!now) {
    log_.warning("a pod's events are lost", {{"pod", pod}, {"error", now.error().message()}});
    return;
  }
  // A pod that is gone has nothing but the beginning of its id to be known by.
  const std::string id = *now ? (*now)->pod.id() : pod;
  const auto known = known_.lower_bound(id);
  const bool found = known != known_.end() && known->first.starts_with(id);
  auto events = changes(found ? std::optional(known->second) : std::nullopt, *now, now_ns());
  if (*now) {
    known_.insert_or_assign(id, std::move(**now));
  } else if (found) {
    known_.erase(known);
  }
  tell(std::move(events));
}

Result<void> Events::take_stock() {
  TRY(auto engine, engines_.lease());
  TRY(const auto pods, engine->pod_revisions());
  known_.clear();
  for (const pod::PodRevision& pod : pods) {
    auto taken = snapshot(pod.id);
    if (!taken)
      log_.warning("a pod's events are lost", {{"pod", pod.id}, {"error", taken.error().message()}});
    else if (*taken)
      known_.emplace(pod.id, std::move(**taken));
  }
  return {};
}

void Events::tell(std::vector<v1::ContainerEventResponse> events) {
  if (events.empty()) return;
  const std::scoped_lock lock(listeners_mutex_);
  for (v1::ContainerEventResponse& told : events) {
    const auto event = std::make_shared<const v1::ContainerEventResponse>(std::move(told));
    for (const auto& listener : listeners_) {
      listener->lost = listener->lost || listener->waiting.size() >= kMaxWaiting;
      if (!listener->lost) listener->waiting.push_back(event);
    }
  }
  changed_.notify_all();
}

grpc::Status Events::follow(grpc::ServerContext& context, Listener& listener,
                            grpc::ServerWriter<v1::ContainerEventResponse>& writer) {
  std::unique_lock lock(listeners_mutex_);
  for (;;) {
    changed_.wait_for(lock, kLook, [&] { return ending_ || listener.lost || !listener.waiting.empty(); });
    if (ending_) return {grpc::StatusCode::UNAVAILABLE, "the daemon is shutting down"};
    if (listener.lost)
      return {
          grpc::StatusCode::RESOURCE_EXHAUSTED,
          fmt::format("{} events were not taken: list what there is, and ask for events again", kMaxWaiting)};
    const auto events = std::exchange(listener.waiting, {});
    lock.unlock();
    for (const Event& event : events)
      if (!writer.Write(*event)) return grpc::Status::CANCELLED;
    if (context.IsCancelled()) return grpc::Status::CANCELLED;
    lock.lock();
  }
}

grpc::Status Events::GetContainerEvents(grpc::ServerContext& context, const v1::GetEventsRequest&,
                                        grpc::ServerWriter<v1::ContainerEventResponse>& writer) {
  const auto listener = std::make_shared<Listener>();
  {
    const std::scoped_lock known(known_mutex_);
    bool first = false;
    {
      const std::scoped_lock lock(listeners_mutex_);
      first = listeners_.empty();
      listeners_.insert(listener);
    }
    if (first) {
      // What is there is no news. On failure all of it will be, which is better than silence.
      if (auto taken = take_stock(); !taken)
        log_.warning("pods could not be listed", {{"error", taken.error().message()}});
    }
  }
  // From here on the client misses nothing.
  writer.SendInitialMetadata();
  grpc::Status status = follow(context, *listener, writer);
  const std::scoped_lock lock(listeners_mutex_);
  listeners_.erase(listener);
  return status;
}

}  // namespace fermata::cri
