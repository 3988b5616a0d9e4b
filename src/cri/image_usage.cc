#include "cri/image_usage.h"

#include <dirent.h>

#include <cerrno>

#include "base/clock.h"
#include "base/unique_dir.h"

namespace fermata::cri {
namespace {

void add(pod::TreeUsage& sum, const pod::TreeUsage& one) {
  sum.bytes += one.bytes;
  sum.inodes += one.inodes;
}

}  // namespace

Result<pod::TreeUsage> ImageUsage::measure_layers() {
  const std::string directory = root_ + "/layers";
  const UniqueDir stream(::opendir(directory.c_str()));
  pod::TreeUsage sum;
  if (!stream) {
    if (errno == ENOENT) return sum;  // no image was ever here
    return fail(errno, "open '{}'", directory);
  }
  std::map<std::string, pod::TreeUsage> present;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const auto known = layers_.find(name);
    const auto usage = known != layers_.end() ? known->second : pod::tree_usage(directory + "/" + name);
    add(sum, usage);
    present.emplace(name, usage);
  }
  layers_ = std::move(present);
  return sum;
}

Result<ImageUsage::Usage> ImageUsage::measure() {
  const std::scoped_lock lock(mutex_);
  Usage usage;
  TRY(usage.images, measure_layers());
  if (const auto now = std::chrono::steady_clock::now(); now >= containers_until_) {
    containers_ = pod::tree_usage(root_ + "/containers");
    containers_until_ = now + period_;
  }
  usage.containers = containers_;
  usage.time = now_ns();
  return usage;
}

}  // namespace fermata::cri
