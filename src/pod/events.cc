// What the monitor's event command does, and a resident process in its place.
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/file_lock.h"
#include "pod/engine_impl.h"
#include "pod/event_feed.h"

namespace fermata::pod {
namespace {

// Waits until the network has been idle for so long. False: it is in use again.
Result<bool> outwait(network::Network& net, std::chrono::nanoseconds linger) {
  for (;;) {
    TRY(const auto since, net.idle_since());
    if (!since) return false;
    const std::chrono::nanoseconds left = linger - std::chrono::nanoseconds(now_ns() - *since);
    // More than all of it: the clock was set back.
    if (left.count() <= 0 || left > linger) return true;
    std::this_thread::sleep_for(left);
  }
}

}  // namespace

// The pod may be gone already: another command was quicker. Then only the common groups are left to look at,
// which this process itself has kept busy until now.
Result<void> Engine::Impl::handle_event(const std::string& pod) {
  const auto settled = settle(pod);
  announce(options_.run_root, pod);
  TRY(settled);
  const auto row = store().pod(pod);
  if (row && row->ready) return {};
  return wind_down(kLinger);
}

Result<void> Engine::Impl::wind_down(std::chrono::nanoseconds linger) {
  // One process waits, however many pods end one after the other.
  TRY(const auto waiting, FileLock::try_acquire(options_.run_root + "/linger"));
  if (!waiting) return {};
  TRY(auto* net, network());
  TRY(const bool idle, outwait(*net, linger));
  if (idle) TRY(net->take_down());
  // Until here this process may have been the one for which the groups were left.
  return remove_common_groups_now();
}

}  // namespace fermata::pod
