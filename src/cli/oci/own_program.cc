#include "cli/oci/own_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "kernel/program.h"

namespace fermata::cli::oci {
namespace {

bool is_at(const struct stat& file, const std::string& path) {
  struct stat other = {};
  return ::stat(path.c_str(), &other) == 0 && other.st_dev == file.st_dev && other.st_ino == file.st_ino;
}

}  // namespace

Result<OwnProgram> own_program(const std::string& called) {
  char link[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", link, sizeof link);
  if (size < 0) return fail(errno, "find this program through /proc/self/exe");
  OwnProgram program{.path = std::string(link, static_cast<std::size_t>(size))};
  TRY(const UniqueFd file, open_file("/proc/self/exe", O_PATH));
  struct stat info = {};
  struct statvfs mount = {};
  if (::fstat(file.get(), &info) != 0 || ::fstatvfs(file.get(), &mount) != 0)
    return fail(errno, "look at this program");
  program.read_only = (mount.f_flag & ST_RDONLY) != 0;
  // No path leads to a detached mount.
  if (program.read_only && !is_at(info, program.path) && is_at(info, called)) program.path = called;
  return program;
}

Result<void> protect(const OwnProgram& program) {
  if (program.read_only) return {};
  TRY(const UniqueFd file, kernel::open_program(program.path));
  TRY(const std::string line, read_file("/proc/self/cmdline", 16u << 20));
  std::vector<std::string> words;
  for (const std::string_view word : split(line, '\0')) words.emplace_back(word);
  if (words.size() > 1) words.pop_back();  // each word ends with a zero
  words[0] = program.path;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::syscall(SYS_execveat, file.get(), "", arguments.data(), environ, AT_EMPTY_PATH);
  return fail(errno, "execute '{}' through a read-only mount", program.path);
}

}  // namespace fermata::cli::oci
