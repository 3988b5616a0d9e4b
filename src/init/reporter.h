// Sends what init/report.h defines: over descriptor 3 at first.
#pragma once

#include "init/report.h"

namespace fermata::init {

// `descriptor` travels beside the report unless it is -1. 0 or an errno; EPIPE: the monitor is gone.
int send_report(const Report& report, int descriptor = -1);
// Where reports go. Its number may be wanted by the container's program, and another socket may take its
// place.
int report_socket();
// Takes ownership; the former one is closed. A descriptor that is close-on-exec.
void use_report_socket(int fd);

}  // namespace fermata::init
