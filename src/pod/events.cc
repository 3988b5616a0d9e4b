// What the monitor's event command does.
#include <chrono>
#include <thread>

#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

// How long bridge and table outlive the last pod: whoever replaces a container finds them standing, and no
// command waits while the kernel takes them away.
constexpr std::chrono::milliseconds kNetworkLinger{1000};

}  // namespace

// The pod may be gone already: another command was quicker. Then only the common groups are left to look at,
// which this process itself has kept busy until now.
Result<void> Engine::Impl::handle_event(const std::string& pod) {
  TRY(settle(pod));
  const auto row = store().pod(pod);
  if (row && row->ready) return {};
  TRY(auto* net, network());
  TRY(const bool idle, net->idle());
  if (!idle) return {};
  std::this_thread::sleep_for(kNetworkLinger);
  TRY(net->take_down());
  // Until here this process may have been the one for which the groups were left.
  return remove_common_groups();
}

}  // namespace fermata::pod
