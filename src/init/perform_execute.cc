// The last steps: the parent's death, and execve.
#include <fcntl.h>
#include <linux/prctl.h>

#include <cerrno>

#include "init/candidates.h"
#include "init/perform.h"
#include "init/reporter.h"
#include "kernel/core/raw.h"

namespace fermata::init {
namespace {

using kernel::raw::call;

// Pointers to `count` strings that lie one after the other from `strings` on, and a null pointer. Returns
// what follows.
const char* point_at(const char* strings, std::uint64_t count, const char** pointers) {
  for (std::uint64_t i = 0; i < count; ++i) {
    pointers[i] = strings;
    while (*strings != 0) ++strings;
    ++strings;
  }
  pointers[count] = nullptr;
  return strings;
}

// Fails like execvp(3), except that a file whose interpreter is missing is told from a missing file.
int try_candidates(const char* candidate, std::uint64_t count, const char** argv, const char** envp) {
  return try_each(candidate, count, [&](const char* path) {
    const int error = static_cast<int>(-call(SYS_execve, path, argv, envp));
    return error == ENOENT && call(SYS_faccessat, AT_FDCWD, path, 0) == 0 ? ELIBACC : error;
  });
}

}  // namespace

int perform_set_parent_death_signal(const OpView& op) {
  if (const long error = call(SYS_prctl, PR_SET_PDEATHSIG, op.a(), 0, 0, 0); error < 0)
    return static_cast<int>(-error);
  // A parent that died before this line sends no signal any more; but then its socket is closed too.
  return send_report({ReportKind::ready, 0, 0});
}

// Behind the container's filter when it is loaded last: nothing but execve may be called that a strict one
// would forbid.
int perform_execute(const OpView& op) {
  const std::uint64_t candidates = op.a();
  const std::uint64_t arguments = op.b();
  if (candidates == 0 || arguments == 0 || candidates > op.string_count() ||
      arguments > op.string_count() - candidates)
    return EINVAL;
  const std::uint64_t variables = op.string_count() - candidates - arguments;
  if (op.data_size() != (arguments + variables + 2) * sizeof(char*)) return EINVAL;
  // Room of our own: the plan is mapped privately and writable.
  const auto argv = reinterpret_cast<const char**>(const_cast<unsigned char*>(op.data()));
  const char** envp = argv + arguments + 1;
  const char* strings = op.strings();
  for (std::uint64_t i = 0; i < candidates; ++i) {
    while (*strings != 0) ++strings;
    ++strings;
  }
  strings = point_at(strings, arguments, argv);
  point_at(strings, variables, envp);
  return try_candidates(op.strings(), candidates, argv, envp);
}

}  // namespace fermata::init
