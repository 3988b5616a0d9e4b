// Starting a thread, with an Error where the standard library throws: there are no more to be had.
#pragma once

#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"

namespace fermata {

// `Thread`: std::thread or std::jthread. `body` is called in it.
template <typename Thread = std::thread, typename Body>
Result<Thread> start_thread(Body body) {
  try {
    return Thread(std::move(body));
  } catch (const std::system_error& error) {
    return fail(error.code().value(), "start a thread");
  }
}

}  // namespace fermata
