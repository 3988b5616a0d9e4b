#include <csignal>
#include <cstdio>
#include <cstring>

#include "probe.h"

namespace fermata::e2e::probe {
namespace {

struct Row {
  const char* name;
  Command command;
};

constexpr Row kCommands[] = {
    {"namespaces", print_namespaces},
    {"status", print_status},
    {"descriptors", print_descriptors},
    {"limit", print_limit},
    {"zombies", print_zombies},
    {"terminal", print_terminal},
    {"watch-terminal", watch_terminal},
    {"open-exe", open_executable},
    {"try", try_call},
    {"sysv", shared_memory},
    {"without", run_without},
    {"orphans", make_orphans},
    {"allocate", allocate},
    {"fork", fork_many},
    {"trap", trap_signals},
    {"ignore", ignore_signals},
    {"exit", exit_with},
    {"kill-self", kill_self},
    {"wait", wait_for_end},
    {"pattern", write_pattern},
    {"copy", copy_and_sum},
    {"http", serve_http},
    {"proxy", serve_proxy},
    {"echo", serve_echo},
    {"datagrams", serve_datagrams},
    {"connect", connect_to},
    {"send", send_datagram},
    {"get", get_http},
};

}  // namespace
}  // namespace fermata::e2e::probe

int main(int argc, char** argv) {
  using namespace fermata::e2e::probe;
  std::signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string name = argc > 1 ? argv[1] : "";
  for (const auto& row : kCommands)
    if (name == row.name) return row.command(Arguments(argv + 2, argv + argc));
  fprintf(stderr, "probe: no such command: '%s'\n", name.c_str());
  return 99;
}
