// The streaming lists: parts that stay far below the size of one message, of at least one item each.
#pragma once

#include <grpcpp/support/status.h>
#include <grpcpp/support/sync_stream.h>

#include <vector>

namespace fermata::cri {

inline constexpr std::size_t kItemsAPart = 100;

// `put` moves an item into a response.
template <class Response, class Item, class Put>
grpc::Status send_in_parts(grpc::ServerWriter<Response>& writer, std::vector<Item> items, const Put& put) {
  Response response;
  std::size_t held = 0;
  for (Item& item : items) {
    put(response, std::move(item));
    if (++held < kItemsAPart) continue;
    if (!writer.Write(response)) return grpc::Status::CANCELLED;
    response.Clear();
    held = 0;
  }
  if (held > 0 && !writer.Write(response)) return grpc::Status::CANCELLED;
  return grpc::Status::OK;
}

}  // namespace fermata::cri
