// The `process` object: config.md, "Process".
#include "oci/runtime_document_parts.h"

namespace fermata::oci {
namespace {

Result<void> read_console_size(const Fields& fields, Process& out) {
  TRY(fields.require("height"));
  TRY(fields.require("width"));
  // The kernel's struct winsize has 16 bits for each.
  TRY(fields.read_between("height", 0, 0xffff, out.console_rows));
  return fields.read_between("width", 0, 0xffff, out.console_columns);
}

Result<void> read_user(const Fields& fields, User& out) {
  // The highest number means "as it is" to setresuid(2), which would be root.
  constexpr std::int64_t kHighestId = 0xfffffffe;
  TRY(fields.read_between("uid", 0, kHighestId, out.uid));
  TRY(fields.read_between("gid", 0, kHighestId, out.gid));
  TRY(fields.read_between("umask", 0, 0777, out.umask));
  return fields.read("additionalGids", out.additional_gids);
}

Result<void> read_capabilities(const Fields& fields, Capabilities& out) {
  TRY(fields.read("bounding", out.bounding));
  TRY(fields.read("effective", out.effective));
  TRY(fields.read("inheritable", out.inheritable));
  TRY(fields.read("permitted", out.permitted));
  return fields.read("ambient", out.ambient);
}

Result<void> read_rlimit(const Fields& fields, Rlimit& out) {
  for (const char* key : {"type", "soft", "hard"}) TRY(fields.require(key));
  TRY(fields.read_word(
      "type",
      {"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
       "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING",
       "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME"},
      out.type));
  TRY(fields.read("soft", out.soft));
  TRY(fields.read("hard", out.hard));
  if (out.soft > out.hard) return fields.wrong("soft", "{} is above the hard limit {}", out.soft, out.hard);
  return {};
}

Result<void> read_rlimits(const Fields& fields, std::vector<Rlimit>& out) {
  TRY(fields.read_objects("rlimits", out, read_rlimit));
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t before = 0; before < i; ++before)
      if (out[before].type == out[i].type)
        return fields.wrong(fmt::format("rlimits[{}].type", i), "'{}', the same as of [{}]", out[i].type,
                            before);
  return {};
}

Result<void> read_scheduler(const Fields& fields, Scheduler& out) {
  TRY(fields.require("policy"));
  TRY(fields.read_word(
      "policy",
      {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"},
      out.policy));
  TRY(fields.read_between("nice", -20, 19, out.nice));
  TRY(fields.read_between("priority", 0, 99, out.priority));
  TRY(fields.read_words(
      "flags",
      {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY",
       "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX"},
      out.flags));
  TRY(fields.read("runtime", out.runtime));
  TRY(fields.read("deadline", out.deadline));
  return fields.read("period", out.period);
}

Result<void> read_io_priority(const Fields& fields, IoPriority& out) {
  TRY(fields.require("class"));
  TRY(fields.read_word("class", {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"}, out.io_class));
  return fields.read_between("priority", 0, 7, out.priority);
}

Result<void> read_affinity(const Fields& fields, CpuAffinity& out) {
  TRY(fields.read("initial", out.initial));
  TRY(fields.read("final", out.final));
  constexpr std::string_view kListed = "0123456789, -";
  if (out.initial.find_first_not_of(kListed) != std::string::npos)
    return fields.wrong("initial", "'{}' is not a list of CPUs", out.initial);
  if (out.final.find_first_not_of(kListed) != std::string::npos)
    return fields.wrong("final", "'{}' is not a list of CPUs", out.final);
  return {};
}

Result<void> read_program(const Fields& fields, Process& out) {
  TRY(fields.read("args", out.args));
  if (out.args.empty()) return fields.wrong("args", "no command");
  TRY(fields.read("env", out.env));
  TRY(fields.require("cwd"));
  return fields.read_absolute("cwd", out.cwd);
}

}  // namespace

Result<void> read_process(const Fields& fields, Process& out) {
  TRY(read_program(fields, out));
  TRY(fields.read("terminal", out.terminal));
  TRY(fields.read_object("consoleSize", out, read_console_size));
  TRY(fields.read_object("user", out.user, read_user));
  TRY(fields.read_object("capabilities", out.capabilities, read_capabilities));
  TRY(read_rlimits(fields, out.rlimits));
  TRY(fields.read("noNewPrivileges", out.no_new_privileges));
  TRY(fields.read_between("oomScoreAdj", -1000, 1000, out.oom_score_adj));
  TRY(fields.read("apparmorProfile", out.apparmor_profile));
  TRY(fields.read("selinuxLabel", out.selinux_label));
  TRY(fields.read_object("scheduler", out.scheduler, read_scheduler));
  TRY(fields.read_object("ioPriority", out.io_priority, read_io_priority));
  return fields.read_object("execCPUAffinity", out.exec_cpu_affinity, read_affinity);
}

}  // namespace fermata::oci
