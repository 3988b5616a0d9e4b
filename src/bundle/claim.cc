#include "bundle/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace fermata::bundle {

namespace {

// While it is open no container's directory comes or goes. Nobody waits for a container meanwhile.
Result<UniqueFd> hold_names(const std::string& root) {
  TRY(UniqueFd directory, open_file(root, O_RDONLY | O_DIRECTORY));
  while (::flock(directory.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(errno, "lock '{}'", root);
  return directory;
}

Result<void> make_name(const std::string& root, const std::string& directory) {
  TRY(make_directories(root, 0700));
  TRY(const UniqueFd names, hold_names(root));
  if (::mkdir(directory.c_str(), 0700) == 0) return {};
  if (errno == EEXIST)
    return fail(ErrorKind::conflict, "container with given ID already exists: '{}'", directory);
  return fail(errno, "make '{}'", directory);
}

}  // namespace

Result<FileLock> lock_container(const std::string& directory, const std::string& id,
                                const std::function<Result<void>()>& before_waiting) {
  const std::string path = directory + "/" + kLockFile;
  for (bool waits = false;;) {
    auto lock =
        waits ? FileLock::acquire(path).map([](FileLock held) { return std::optional(std::move(held)); })
              : FileLock::try_acquire(path);
    if (!lock && lock.error().error_number() == ENOENT)
      return fail(ErrorKind::not_found, "container \"{}\" does not exist", id);
    if (!lock) return tl::unexpected(std::move(lock.error()));
    if (*lock && (*lock)->is_of(path)) return std::move(**lock);
    if (*lock) continue;
    TRY(before_waiting());
    waits = true;
  }
}

Result<void> remove_directory(const std::string& directory, const FileLock& lock) {
  TRY(const UniqueFd names, hold_names(directory.substr(0, directory.rfind('/'))));
  // Whoever waited for the lock may have made its file anew while the one before was removing everything.
  constexpr int kTries = 100;
  for (int tries = 1; lock.is_of(directory + "/" + kLockFile) || tries > 1; ++tries) {
    auto removed = remove_tree(directory);
    if (removed || removed.error().error_number() != ENOTEMPTY || tries == kTries) return removed;
  }
  return {};
}

Result<Claim> Claim::make(const std::string& root, const std::string& directory) {
  TRY(make_name(root, directory));
  // `delete --force` may come between, and after it another creation, whose directory is not ours.
  const std::string path = directory + "/" + kLockFile;
  auto lock = FileLock::acquire(path);
  if (!lock && lock.error().error_number() != ENOENT) {
    ::rmdir(directory.c_str());  // empty, or not ours
    return tl::unexpected(std::move(lock.error()));
  }
  if (!lock || !lock->is_of(path) || ::access((directory + "/" + kGroupFile).c_str(), F_OK) == 0)
    return fail(ErrorKind::conflict, "'{}' was deleted while it was being created", directory);
  return Claim(directory, std::move(*lock));
}

Claim::~Claim() {
  // What cannot be removed shows up as a container that `delete --force` takes.
  if (!directory_.empty()) static_cast<void>(remove_directory(directory_, lock_).has_value());
}

Result<NewGroup> claim_group(const Options& engine, const oci::RuntimeSpec& spec,
                             const std::string& directory, Record* record) {
  TRY(const GroupPlace place, group_place(spec, record->id, engine.systemd_cgroup));
  record->cgroup = place.path;
  record->scope = place.unit;
  TRY(const auto mounts, kernel::CgroupMounts::of_host());
  TRY(vacate_group(mounts, place.path));
  // From here on `delete --force` finds what we have made, should we be killed.
  TRY(write_file(directory + "/" + kGroupFile, place.path + "\n" + place.unit, 0600));
  return make_group(mounts, spec, record->id, place, engine.warn);
}

void give_back(NewGroup group, const Record& record) {
  group.keeper.reset();
  static_cast<void>(remove_group(group.cgroup, record.scope).has_value());
}

}  // namespace fermata::bundle
