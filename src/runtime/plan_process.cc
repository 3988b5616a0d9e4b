// What a process is given beside its file system: limits, a terminal, an identity, a filter.
#include "runtime/plan_process.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "kernel/capabilities.h"

namespace fermata::runtime {
namespace {

using init::Op;

// Where a command is looked for when its environment has no PATH; docker's default.
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::optional<unsigned> rlimit_number(std::string_view type) {
  constexpr auto kLimits = std::to_array<std::pair<std::string_view, unsigned>>({
      {"RLIMIT_CPU", RLIMIT_CPU},
      {"RLIMIT_FSIZE", RLIMIT_FSIZE},
      {"RLIMIT_DATA", RLIMIT_DATA},
      {"RLIMIT_STACK", RLIMIT_STACK},
      {"RLIMIT_CORE", RLIMIT_CORE},
      {"RLIMIT_RSS", RLIMIT_RSS},
      {"RLIMIT_NPROC", RLIMIT_NPROC},
      {"RLIMIT_NOFILE", RLIMIT_NOFILE},
      {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
      {"RLIMIT_AS", RLIMIT_AS},
      {"RLIMIT_LOCKS", RLIMIT_LOCKS},
      {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
      {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
      {"RLIMIT_NICE", RLIMIT_NICE},
      {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
      {"RLIMIT_RTTIME", RLIMIT_RTTIME},
  });
  for (const auto& [name, number] : kLimits)
    if (name == type) return number;
  return std::nullopt;
}

Result<init::ResourceLimit> limit_of(const oci::Rlimit& limit) {
  const auto number = rlimit_number(limit.type);
  if (!number) return fail(ErrorKind::invalid_argument, "unknown resource limit '{}'", limit.type);
  if (limit.soft > limit.hard)
    return fail(ErrorKind::invalid_argument, "{}: the soft limit {} is above the hard limit {}", limit.type,
                limit.soft, limit.hard);
  return init::ResourceLimit{*number, limit.soft, limit.hard};
}

// The bits of a set. What this kernel does not know, or this host cannot give, is left out, as the
// specification asks: a document is written for many hosts.
std::uint64_t grantable(const std::vector<std::string>& names, const StartOptions& options,
                        std::set<std::string>* left_out) {
  std::uint64_t mask = 0;
  for (const std::string& name : names) {
    const auto number = kernel::capability_number(name);
    const std::uint64_t bit = number ? std::uint64_t{1} << *number : 0;
    if ((bit & options.grantable_capabilities) == 0) left_out->insert(name);
    mask |= bit & options.grantable_capabilities;
  }
  return mask;
}

Result<void> plan_credentials(const oci::Process& process, const ProcessPlace& place,
                              const StartOptions& options, PlanBuilder* plan) {
  init::Credentials credentials = {};
  credentials.uid = process.user.uid;
  credentials.gid = process.user.gid;
  credentials.umask = process.user.umask.value_or(0xffffffff);
  credentials.group_count = static_cast<std::uint32_t>(process.user.additional_gids.size());
  const oci::Capabilities& sets = process.capabilities;
  std::set<std::string> left_out;
  credentials.bounding = grantable(sets.bounding, options, &left_out);
  credentials.effective = grantable(sets.effective, options, &left_out);
  credentials.permitted = grantable(sets.permitted, options, &left_out);
  credentials.inheritable = grantable(sets.inheritable, options, &left_out);
  credentials.ambient = grantable(sets.ambient, options, &left_out);
  for (const std::string& name : left_out)
    plan->skip(fmt::format("capability {}: this host does not have it to give", name));
  // capabilities(7): ambient is only what is permitted and inheritable.
  const std::uint64_t possible = credentials.permitted & credentials.inheritable;
  if (const std::uint64_t more = credentials.ambient & ~possible; more != 0)
    plan->skip(fmt::format("ambient capabilities {}: not both permitted and inheritable",
                           join(kernel::capability_list(more), ", ")));
  credentials.ambient &= possible;
  std::string data = bytes_of(credentials);
  for (const std::uint32_t gid : process.user.additional_gids) data += bytes_of(gid);
  plan->add(
      {.op = Op::set_credentials, .flags = place.mapped ? init::kKeepGroups : 0, .data = std::move(data)},
      fmt::format("become user {}:{} with its capabilities", process.user.uid, process.user.gid));
  return {};
}

// The one thing here that is not computed from the specification: its program lies in a file.
Result<std::string> read_program(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return fail(errno, "read the seccomp program");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0 || size % sizeof(sock_filter) != 0 || size / sizeof(sock_filter) > BPF_MAXINSNS)
    return fail(ErrorKind::failed, "the seccomp program is damaged ({} bytes)", size);
  std::string program(size, '\0');
  if (::pread(fd, program.data(), size, 0) != static_cast<ssize_t>(size))
    return fail(EIO, "read the seccomp program");
  return program;
}

Result<void> plan_seccomp(int program, std::uint32_t flags, PlanBuilder* plan) {
  if (program < 0) return {};
  TRY(std::string data, read_program(program));
  plan->add({.op = Op::load_seccomp, .flags = flags, .data = std::move(data)}, "load the seccomp filter");
  return {};
}

std::string_view search_path(const oci::Process& process) {
  for (const std::string& variable : process.env)
    if (variable.starts_with("PATH=")) return std::string_view(variable).substr(5);
  return kDefaultPath;
}

// The files that the command may stand for, in the order in which they are tried.
Result<std::vector<std::string>> candidates_of(const oci::Process& process, const std::string& chosen) {
  if (process.args.empty() || process.args[0].empty())
    return fail(ErrorKind::invalid_argument, "no command specified");
  if (!chosen.empty()) return std::vector<std::string>{chosen};
  const std::string& program = process.args[0];
  if (program.find('/') != std::string::npos) return std::vector<std::string>{program};
  std::vector<std::string> candidates;
  for (const std::string_view directory : split(search_path(process), ':'))
    candidates.push_back(fmt::format("{}/{}", directory.empty() ? "." : directory, program));
  return candidates;
}

void plan_terminal(const oci::Process& process, std::uint32_t flags, PlanBuilder* plan) {
  plan->add({.op = Op::new_session}, "start a session");
  if (!process.terminal) return;
  plan->add({.op = Op::open_console, .flags = flags, .a = process.console_rows, .b = process.console_columns},
            "open the container's terminal");
}

}  // namespace

void plan_execute(const oci::Process& process, std::vector<std::string> candidates, PlanBuilder* plan) {
  PlannedOp op = {.op = Op::execute};
  op.a = candidates.size();
  op.b = process.args.size();
  op.strings = std::move(candidates);
  op.strings.insert(op.strings.end(), process.args.begin(), process.args.end());
  op.strings.insert(op.strings.end(), process.env.begin(), process.env.end());
  op.data.resize((process.args.size() + process.env.size() + 2) * sizeof(char*));
  plan->add(op, fmt::format("execute '{}'", process.args[0]));
}

Result<void> plan_rlimits(const oci::Process& process, PlanBuilder* plan) {
  for (const oci::Rlimit& each : process.rlimits) {
    TRY(const init::ResourceLimit limit, limit_of(each));
    plan->add({.op = Op::set_rlimit,
               .flags = init::kOptional,
               .a = limit.resource,
               .data = bytes_of(std::array<std::uint64_t, 2>{limit.soft, limit.hard})},
              fmt::format("set {}", each.type));
  }
  return {};
}

Result<void> plan_host_limits(const oci::Process& process, PlanBuilder* plan) {
  for (const oci::Rlimit& each : process.rlimits) {
    TRY(const init::ResourceLimit limit, limit_of(each));
    plan->limit_early(limit);
  }
  if (process.oom_score_adj) plan->score_early(*process.oom_score_adj);
  return {};
}

void plan_oom_score(const oci::Process& process, PlanBuilder* plan) {
  if (!process.oom_score_adj) return;
  plan->add({.op = Op::set_oom_score_adj,
             .flags = *process.oom_score_adj < 0 ? init::kOptional : 0,
             .a = static_cast<std::uint64_t>(std::int64_t{*process.oom_score_adj})},
            fmt::format("set oom_score_adj to {}", *process.oom_score_adj));
}

// Loading a filter needs a privilege, or the promise of no new ones: with the promise it is loaded last, so
// that it need not allow what the steps before it do; without, it must allow what set_credentials and what
// follows it do.
Result<void> plan_process(const oci::Process& process, const ProcessPlace& place, const StartOptions& options,
                          PlanBuilder* plan) {
  TRY(auto candidates, candidates_of(process, options.program));
  if (options.new_keyring)
    plan->add({.op = Op::new_session_keyring, .flags = init::kOptional}, "make a session keyring");
  plan_terminal(process, place.console_flags, plan);
  TRY(plan_rlimits(process, plan));
  // While still privileged: the user need not be allowed into a directory that was chosen for them.
  const std::string cwd = process.cwd.empty() ? "/" : process.cwd;
  plan->add({.op = Op::set_current_directory, .a = place.make_cwd, .strings = {cwd}},
            fmt::format("chdir to cwd (\"{}\")", cwd));
  if (options.start_socket >= 0) {
    plan->add({.op = Op::check_program, .strings = candidates}, fmt::format("execute '{}'", process.args[0]));
    plan->add({.op = Op::await_start, .fd = options.start_socket}, "wait for the start");
  }
  if (options.synchronize_start)
    plan->add({.op = Op::synchronize, .fd = options.synchronize_socket, .a = kEverythingMade},
              "wait for the startContainer hooks");
  if (!options.preserved.empty()) plan->preserve(options.preserved);
  if (process.no_new_privileges)
    plan->add({.op = Op::set_no_new_privs}, "give up new privileges");
  else
    TRY(plan_seccomp(place.seccomp_program, options.seccomp_flags, plan));
  TRY(plan_credentials(process, place, options, plan));
  // After the credentials: a change of them clears the signal. prctl(2).
  if (options.follow_parent)
    plan->add({.op = Op::set_parent_death_signal, .a = SIGKILL}, "follow the monitor");
  if (process.no_new_privileges) TRY(plan_seccomp(place.seccomp_program, options.seccomp_flags, plan));
  plan_execute(process, std::move(candidates), plan);
  return {};
}

}  // namespace fermata::runtime
