#include "image/transfer/byte_queue.h"

#include <algorithm>
#include <cstring>

namespace fermata::image {

bool ByteQueue::push(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  while (!bytes.empty()) {
    changed_.wait(lock, [&] { return used_ < ring_.size() || reader_ != Reader::reading; });
    if (reader_ != Reader::reading) return reader_ == Reader::satisfied;
    const std::size_t end = (begin_ + used_) % ring_.size();
    const std::size_t count = std::min({bytes.size(), ring_.size() - used_, ring_.size() - end});
    std::memcpy(ring_.data() + end, bytes.data(), count);
    used_ += count;
    bytes.remove_prefix(count);
    changed_.notify_all();
  }
  return reader_ != Reader::failed;
}

void ByteQueue::finish() {
  const std::scoped_lock lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

void ByteQueue::fail_reader(Error error) {
  const std::scoped_lock lock(mutex_);
  if (!finished_) error_ = std::move(error);
  finished_ = true;
  changed_.notify_all();
}

Result<std::size_t> ByteQueue::read(char* buffer, std::size_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return used_ > 0 || finished_; });
  if (used_ == 0) {
    if (error_) return tl::unexpected<Error>(*error_);
    return std::size_t{0};
  }
  const std::size_t count = std::min({size, used_, ring_.size() - begin_});
  std::memcpy(buffer, ring_.data() + begin_, count);
  begin_ = (begin_ + count) % ring_.size();
  used_ -= count;
  changed_.notify_all();
  return count;
}

void ByteQueue::close_reader(bool satisfied) {
  const std::scoped_lock lock(mutex_);
  reader_ = satisfied ? Reader::satisfied : Reader::failed;
  changed_.notify_all();
}

}  // namespace fermata::image
