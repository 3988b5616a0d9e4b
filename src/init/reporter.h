// Sends what init/report.h defines over descriptor 3.
#pragma once

#include "init/report.h"

namespace fermata::init {

// `descriptor` travels beside the report unless it is -1. 0 or an errno; EPIPE: the monitor is gone.
int send_report(const Report& report, int descriptor = -1);

}  // namespace fermata::init
