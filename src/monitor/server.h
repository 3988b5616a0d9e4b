// What a request does. The monitor's state beyond its processes: the pod's namespaces, held ports, the end.
#pragma once

#include "monitor/connection.h"
#include "monitor/request.h"

namespace fermata::monitor {

// Descriptors that are kept are taken out of `fds` (set to -1); the caller closes the rest. Replies, now or
// later.
void handle_request(Connection& connection, const Request& request, int* fds);
// Accepts clients on the listening socket. 0 or an errno.
int start_server(int listen_fd);
// SIGCHLD, and SIGTERM and SIGINT, which end a monitor only when it watches nothing. 0 or an errno.
int start_signals();
// Until `end`.
void run_server();

}  // namespace fermata::monitor
