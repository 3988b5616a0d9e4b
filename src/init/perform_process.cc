// How the process is scheduled and what it sees of the machine's time.
#include <cerrno>

#include "init/perform.h"
#include "kernel/core/raw.h"

namespace fermata::init {

int perform_enter_time_namespace(const OpView&) { return ENOSYS; }
int perform_set_personality(const OpView&) { return ENOSYS; }
int perform_set_scheduler(const OpView&) { return ENOSYS; }
int perform_set_io_priority(const OpView&) { return ENOSYS; }
int perform_set_cpu_affinity(const OpView&) { return ENOSYS; }
int perform_set_memory_policy(const OpView&) { return ENOSYS; }

}  // namespace fermata::init
