// A bounded pipe between the thread that downloads a layer and the one that unpacks it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::image {

// One writer, one reader.
class ByteQueue {
 public:
  explicit ByteQueue(std::size_t capacity) : ring_(capacity) {}

  // Waits while it is full. False: the reader failed.
  bool push(std::string_view bytes);
  // The writer's end: of the stream, or with what went wrong, which the reader then gets. The first counts.
  void finish();
  void fail_reader(Error error);

  // Up to `size` bytes; waits for one at least; 0 at the end.
  Result<std::size_t> read(char* buffer, std::size_t size);
  // The reader's end. `satisfied`: it needs no more, and what still comes is dropped.
  void close_reader(bool satisfied);

 private:
  enum class Reader { reading, satisfied, failed };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<char> ring_;
  std::size_t begin_ = 0, used_ = 0;
  Reader reader_ = Reader::reading;
  bool finished_ = false;
  std::optional<Error> error_;
};

}  // namespace fermata::image
