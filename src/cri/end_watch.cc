#include "cri/end_watch.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fermata::cri {
namespace {

constexpr int kBatch = 64;

}  // namespace

bool EndWatch::watch(const Group& group) {
  if (!epoll_) epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return false;
  return std::all_of(group.ends.begin(), group.ends.end(), [&](const UniqueFd& end) {
    // Told once: a child that has not come to its execve(2) holds what we have closed already.
    epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = group.number}};
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, end.get(), &event) == 0;
  });
}

bool EndWatch::add(const std::string& name, std::vector<UniqueFd> ends) {
  remove(name);
  Group group{.number = ++last_number_, .ends = std::move(ends)};
  if (held_ + group.ends.size() > capacity_ || !watch(group)) return false;
  held_ += group.ends.size();
  names_.emplace(group.number, name);
  groups_.emplace(name, std::move(group));
  return true;
}

void EndWatch::remove(const std::string& name) {
  const auto group = groups_.find(name);
  if (group == groups_.end()) return;
  held_ -= group->second.ends.size();
  names_.erase(group->second.number);
  groups_.erase(group);
}

std::vector<std::string> EndWatch::take_ended() {
  std::vector<std::string> ended;
  if (!epoll_) return ended;
  std::array<epoll_event, kBatch> events;
  int count = 0;
  do {
    count = ::epoll_wait(epoll_.get(), events.data(), kBatch, 0);
    for (int i = 0; i < count; ++i) {
      const auto name = names_.find(events[static_cast<std::size_t>(i)].data.u64);
      if (name == names_.end()) continue;
      ended.push_back(name->second);
      remove(ended.back());
    }
  } while (count == kBatch || (count < 0 && errno == EINTR));
  return ended;
}

}  // namespace fermata::cri
