#include "image/layer_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>


#include "base/files.h"
#include "base/id.h"
#include "base/unique_dir.h"

namespace fermata::image {
namespace {

Result<bool> lock_file(int fd, int operation) {
  while (::flock(fd, operation) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    return fail(errno, "flock in the image store");
  }
  return true;
}

}  // namespace

Result<UniqueFd> lock_layers(const std::string& root) {
  TRY(UniqueFd fd, open_file(root + "/layers.lock", O_RDWR | O_CREAT, 0600));
  TRY(lock_file(fd.get(), LOCK_EX));
  return fd;
}

Result<WorkDirectory> WorkDirectory::create(const std::string& root) {
  TRY(const UniqueFd guard, lock_layers(root));  // reconcile must not see it between mkdir and flock
  TRY(make_directories(root + "/tmp", 0700));
  const std::string path = root + "/tmp/" + random_hex(16);
  TRY(make_directories(path, 0700));
  TRY(UniqueFd lock, open_file(path, O_RDONLY | O_DIRECTORY));
  TRY(lock_file(lock.get(), LOCK_EX));
  return WorkDirectory(path, std::move(lock));
}

WorkDirectory::~WorkDirectory() {
  // What cannot be removed now goes at the next reconcile.
  if (lock_) static_cast<void>(remove_tree(path_));
}

std::string layer_name(const std::string& chain) { return chain.substr(chain.find(':') + 1, 16); }

Result<void> remove_dead_work(const std::string& root) {
  const UniqueDir dir(::opendir((root + "/tmp").c_str()));
  if (!dir) return {};
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = root + "/tmp/" + name;
    auto fd = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) continue;  // its owner removed it
    TRY(const bool dead, lock_file(fd->get(), LOCK_EX | LOCK_NB));
    if (dead) TRY(remove_tree(path));
  }
  return {};
}

}  // namespace fermata::image
