// What a process hands on to the programs that it executes: signals and limits. The monitor has its own, its
// children get those that it was started with.
#pragma once

namespace fermata::monitor {

// At the start of the monitor: blocks all signals, default actions, and as many descriptors as may be had.
void prepare_own_state();
// For a child of it: default signals, nothing blocked, our own first limits.
void restore_inherited_state();

}  // namespace fermata::monitor
