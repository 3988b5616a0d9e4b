#include "monitor/process.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "monitor/event_command.h"
#include "monitor/memory.h"

namespace fermata::monitor {
namespace {

PodProcess* processes = nullptr;
std::uint32_t count = 0;

}  // namespace

PodProcess* find_process(const char* id) {
  for (PodProcess* process = processes; process != nullptr; process = process->next)
    if (std::strcmp(process->info.id, id) == 0) return process;
  return nullptr;
}

PodProcess* first_process() { return processes; }

std::uint32_t process_count() { return count; }

bool any_process_runs() {
  for (const PodProcess* process = processes; process != nullptr; process = process->next)
    if (process->state != State::ended && process->info.id[0] != '\0')
      return true;  // nameless: a failed launch, killed
  return false;
}

void add_process(PodProcess& process) {
  process.next = processes;
  processes = &process;
  ++count;
}

void drop_process(PodProcess& process) {
  for (PodProcess** link = &processes; *link != nullptr; link = &(*link)->next) {
    if (*link != &process) continue;
    *link = process.next;
    --count;
    break;
  }
  loop::stop(process.drain.timer);
  end_supervision(process);
  loop::close_watch(process.report.watch);
  close_streams(process);
  close_log(process.log, loop::realtime_ns());
  destroy(&process);
}

void add_client(PodProcess& process, Connection& connection, Connection::Mode mode) {
  connection.mode = mode;
  connection.process = &process;
  connection.next_client = process.clients;
  process.clients = &connection;
}

void remove_client(Connection& connection) {
  if (connection.process == nullptr) return;
  for (Connection** link = &connection.process->clients; *link != nullptr; link = &(*link)->next_client) {
    if (*link != &connection) continue;
    *link = connection.next_client;
    break;
  }
  connection.process = nullptr;
  connection.next_client = nullptr;
}

void claim_ends(Connection& connection, const char* id) {
  for (PodProcess* process = processes; process != nullptr; process = process->next)
    if (process->claimant == nullptr && process->state != State::ended &&
        (id[0] == '\0' || std::strcmp(process->info.id, id) == 0))
      process->claimant = &connection;
}

void settle_ends(Connection& connection) {
  for (PodProcess* process = processes; process != nullptr; process = process->next)
    if (process->claimant == &connection) process->claimant = nullptr;
  // If nothing runs we should be gone by now: the last ended after it had looked.
  if (std::exchange(connection.owes, false) && !any_process_runs()) event_command::notify();
}

void forget_connection(Connection& connection) {
  if (PodProcess* process = connection.process; process != nullptr) {
    client_input_ended(connection);
    remove_client(connection);
    update_flow(*process);
  }
  if (connection.owes) event_command::notify();
  for (PodProcess* process = processes; process != nullptr;) {
    PodProcess* next = process->next;
    if (process->claimant == &connection) process->claimant = nullptr;
    if (process->owner == &connection) {
      process->owner = nullptr;
      if (process->has(kExec) && process->state == State::ended) drop_process(*process);
    }
    process = next;
  }
}

}  // namespace fermata::monitor
