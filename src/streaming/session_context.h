// What sessions share: their strand, the threads for calls that block, the engine.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "streaming/backend.h"

namespace fermata::streaming {

struct SessionContext {
  boost::asio::any_io_executor strand;
  boost::asio::thread_pool* workers;
  Backend* backend;
  std::chrono::nanoseconds stream_creation_timeout;
};

// Runs `blocking` on a worker thread and hands its result to `then` on the strand.
template <class Blocking, class Then>
void call_backend(const SessionContext& context, Blocking blocking, Then then) {
  boost::asio::post(*context.workers, [strand = context.strand, blocking = std::move(blocking),
                                       then = std::move(then)]() mutable {
    // Shared, because handlers are copied in places and results are not copyable.
    auto result = std::make_shared<decltype(blocking())>(blocking());
    boost::asio::post(strand, [result, then = std::move(then)]() mutable { then(std::move(*result)); });
  });
}

}  // namespace fermata::streaming
