// The system calls that are left to a supervisor (perform_supervise.cc): enough to wait, to kill and to end.
#pragma once

namespace fermata::init {

// From here on every other call ends the process. A kernel or processor without filters leaves all of them.
void load_supervisor_filter();

}  // namespace fermata::init
