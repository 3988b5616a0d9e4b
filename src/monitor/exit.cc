// The end of a process: reaped, its output read to the end, recorded, told.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "monitor/event_command.h"
#include "monitor/process.h"
#include "monitor/text.h"

namespace fermata::monitor {
namespace {

// How long an orphan that inherited the streams may still be heard after the first process is gone.
constexpr std::int64_t kDrainMs = 100;

std::uint64_t oom_counter(const PodProcess& process) {
  char text[512];
  const ssize_t got = ::pread(process.oom_events.get(), text, sizeof text, 0);
  return got > 0 ? find_counter(text, static_cast<std::size_t>(got), "oom_kill") : 0;
}

bool oom_happened(const PodProcess& process) {
  if (!process.oom_events.valid()) return false;
  if (process.oom_is_counter) return oom_counter(process) > process.oom_baseline;
  pollfd event = {process.oom_events.get(), POLLIN, 0};
  return ::poll(&event, 1, 0) == 1 && (event.revents & POLLIN) != 0;
}

// A supervisor ends by itself, and tells what ended its child.
bool was_killed(const PodProcess& process, const siginfo_t& how) {
  if (how.si_code == CLD_EXITED) return process.supervised() && how.si_status == 128 + SIGKILL;
  return how.si_status == SIGKILL;
}

// A reader sees the whole file or none. Failing leaves nothing: the engine then asks us, while we live.
void write_exit_file(const PodProcess& process) {
  constexpr char kTemporary[] = "exit.new";
  char text[96];
  char* end = append_number(text, process.info.exit_code);
  end = append_text(end, process.info.oom_killed != 0 ? " 1 " : " 0 ");
  end = append_number(end, process.info.started);
  *end++ = ' ';
  end = append_number(end, process.info.finished);
  *end++ = '\n';
  const int directory = process.directory.get();
  const UniqueFd file(
      ::openat(directory, kTemporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.valid()) return;
  if (::write(file.get(), text, static_cast<std::size_t>(end - text)) != end - text ||
      ::renameat(directory, kTemporary, directory, kExitFile) != 0)
    ::unlinkat(directory, kTemporary, 0);
}

void tell_client(PodProcess& process, Connection& client) {
  if (client.mode == Connection::Mode::waiting) {
    client.mode = Connection::Mode::requests;
    Reply reply = {};
    reply.process = process.info;
    send_reply(client, reply);
  } else {
    send_frame(client, Stream::ended, &process.info, sizeof process.info);
    client.sends_stdin = false;
  }
  update_connection(client);
}

void drain_expired(Timer* timer) {
  PodProcess& process = *reinterpret_cast<ProcessTimer*>(timer)->process;
  drain_streams(process);
  finish(process);
}

void ended(PodProcess& process, const siginfo_t& how) {
  loop::stop(process.supervision.timer.timer);
  process.info.pid = 0;
  process.info.exit_code = how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
  process.info.finished = loop::realtime_ns();
  process.info.oom_killed = was_killed(process, how) && oom_happened(process) ? 1 : 0;
  process.state = State::draining;
  if (drain_streams(process)) return finish(process);
  update_flow(process);
  process.drain.process = &process;
  process.drain.timer.expired = drain_expired;
  loop::start(process.drain.timer, kDrainMs);
}

PodProcess* find_pid(int pid) {
  for (PodProcess* process = first_process(); process != nullptr; process = process->next)
    if (process->host_pid == pid) return process;
  return nullptr;
}

}  // namespace

void arm_oom(PodProcess& process, int fd) {
  process.oom_events.reset(fd);
  struct stat info = {};
  process.oom_is_counter = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (process.oom_is_counter) process.oom_baseline = oom_counter(process);
}

void reap_children() {
  for (;;) {
    siginfo_t how = {};
    if (::waitid(P_ALL, 0, &how, WEXITED | WNOHANG) != 0 || how.si_pid == 0) return;
    if (event_command::reaped(how.si_pid)) continue;
    PodProcess* process = find_pid(how.si_pid);
    if (process == nullptr) continue;
    process->host_pid = 0;
    if (process->supervised() && how.si_code != CLD_EXITED) kill_exec_group(*process);
    if (process->info.id[0] == '\0')
      drop_process(*process);
    else if (process->state != State::starting ||
             read_report(*process))  // its last words: was it still init?
      ended(*process, how);
  }
}

void finish(PodProcess& process) {
  loop::stop(process.drain.timer);
  process.state = State::ended;
  close_streams(process);
  close_log(process.log, loop::realtime_ns());
  end_supervision(process);
  if (!process.has(kExec)) write_exit_file(process);
  process.pidfd.reset();
  process.oom_events.reset();
  process.directory.reset();
  while (process.clients != nullptr) {
    Connection& client = *process.clients;
    remove_client(client);
    tell_client(process, client);
    process.told = true;
  }
  const bool infra_or_asked = process.has(kInfra) || process.has(kNotifyExit);
  Connection* const claimant = process.claimant;
  if (process.has(kExec) && (process.told || process.owner == nullptr)) drop_process(process);
  if (!infra_or_asked && any_process_runs()) return;
  if (claimant != nullptr)
    claimant->owes = true;
  else
    event_command::notify();
}

}  // namespace fermata::monitor
