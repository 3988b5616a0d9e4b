// The probe: a static program that runs inside containers and tells what it finds there. One function a
// sub-command.
#pragma once

#include <string>
#include <vector>

namespace fermata::e2e::probe {

using Arguments = std::vector<std::string>;  // after the sub-command
using Command = int (*)(const Arguments&);

// inspect.cc: what this process is and has.
int print_namespaces(const Arguments&);   // "net 4026531840" ...
int print_status(const Arguments&);       // the security lines of /proc/self/status
int print_descriptors(const Arguments&);  // "3 -> /path" of every open one
int print_limit(const Arguments&);        // NAME -> "soft hard"
int print_zombies(const Arguments&);      // how many there are in /proc
int print_terminal(const Arguments&);     // "tty 1 1 1" and "size ROWS COLUMNS"
int watch_terminal(const Arguments&);     // "ready", then "size ROWS COLUMNS" at every change
int open_executable(const Arguments&);    // PATH: opens /proc/.../exe for writing, prints the error's name
int try_call(const Arguments&);           // NAME of a system call: "ok" or the error's name
int run_without(
    const Arguments&);  // NUMBER ERROR THIRD-ARGUMENT COMMAND...: the system call (-1: with any) fails
int shared_memory(const Arguments&);  // create|read: System V segment with a known key

// work.cc: processes, memory, signals.
int make_orphans(const Arguments&);    // COUNT: their parent ends before they do
int allocate(const Arguments&);        // BYTES, touched; then "allocated"
int fork_many(const Arguments&);       // COUNT: prints how many could be started
int trap_signals(const Arguments&);    // prints "ready", then "got N"; TERM with EXIT CODE ends it
int ignore_signals(const Arguments&);  // prints "ready", ignores every signal that can be
int exit_with(const Arguments&);       // CODE
int kill_self(const Arguments&);       // SIGNAL
int wait_for_end(const Arguments&);    // sleeps until SIGTERM or SIGINT, then exits 0
int write_pattern(const Arguments&);   // BYTES of a known pattern to stdout
int copy_and_sum(const Arguments&);    // stdin to stdout; the count on stderr

// network.cc
int serve_http(const Arguments&);       // PORT BODY [ADDRESS]
int serve_proxy(const Arguments&);      // PORT TARGET-PORT: HTTP, forwarded to 127.0.0.1
int serve_echo(const Arguments&);       // PORT: TCP, greets with "peer <address>\n", then echoes
int serve_datagrams(const Arguments&);  // PORT: UDP, answers "peer <address> <text>"
int connect_to(const Arguments&);       // ADDRESS PORT TEXT: prints what comes back
int send_datagram(const Arguments&);    // ADDRESS PORT TEXT: prints the answer
int get_http(const Arguments&);         // ADDRESS PORT: prints the body

}  // namespace fermata::e2e::probe
