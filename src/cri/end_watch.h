// Which of many groups of processes has lost one: without a thread, and without a system call for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"

namespace fermata::cri {

// Not thread-safe.
class EndWatch {
 public:
  // `capacity`: descriptors that may be held.
  explicit EndWatch(std::size_t capacity) : capacity_(capacity) {}

  // `ends`: descriptors that become readable, as those of pidfd_open(2) do; in the place of the group's
  // former ones. False: there is no room for them, and the group is not watched.
  bool add(const std::string& group, std::vector<UniqueFd> ends);
  void remove(const std::string& group);
  // Groups with a readable descriptor; none of them is watched any more.
  std::vector<std::string> take_ended();

 private:
  struct Group {
    std::uint64_t number = 0;
    std::vector<UniqueFd> ends;
  };
  bool watch(const Group& group);

  const std::size_t capacity_;
  UniqueFd epoll_;  // epoll(7), opened with the first group
  std::map<std::string, Group> groups_;
  // By number, for a name may come again before the kernel has told of its earlier group.
  std::map<std::uint64_t, std::string> names_;
  std::uint64_t last_number_ = 0;
  std::size_t held_ = 0;
};

}  // namespace fermata::cri
