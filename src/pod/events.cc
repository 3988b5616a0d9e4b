// What the monitor's event command does.
#include "pod/engine_impl.h"

namespace fermata::pod {

// The pod may be gone already: another command was quicker. Then only the common groups are left to look at,
// which this process itself has kept busy until now.
Result<void> Engine::Impl::handle_event(const std::string& pod) { return settle(pod); }

}  // namespace fermata::pod
