// An owned directory stream, opendir(3).
#pragma once

#include <dirent.h>

#include <memory>

namespace fermata {

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

// Empty where opendir() or fdopendir() has failed, and errno says why.
using UniqueDir = std::unique_ptr<DIR, CloseDir>;

}  // namespace fermata
