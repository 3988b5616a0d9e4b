// An archive that is written member by member (base/tar.h), by a caller who may be told to stop.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tar.h"
#include "pod/model.h"

namespace fermata::pod {

// Asked now and then by long work; an Error ends it.
using Patience = std::function<Result<void>()>;

class TarWriter {
 public:
  // `out` is borrowed.
  TarWriter(int out, Patience patience) : out_(out), patience_(std::move(patience)) {}

  // All but files.
  Result<void> add(const TarMember& member);
  // Of `file` member.size bytes, from its beginning.
  Result<void> add_file(const TarMember& member, int file);
  // Once, at the end.
  Result<void> finish();

 private:
  int out_;
  Patience patience_;
};

// What is put into an archive of a tree, and what not.
struct TreeRequest {
  std::string directory;
  // Of a container's writable layer: the layers below, top first. Then whiteouts are told and not written.
  std::vector<std::string> lower;
  std::vector<std::string> skip;         // paths below the directory, such as "/etc/hosts"
  const UserNamespace* users = nullptr;  // whose owners are written; borrowed; nullptr: as they are
};
// Returns what the layer takes away from those below it, absolute paths in their order. Such a path need not
// be there below: a directory that was made anew hides what others have removed already. Sockets are left
// out, for which an archive has no form.
Result<std::vector<std::string>> write_tree(const TreeRequest& request, TarWriter& archive);

}  // namespace fermata::pod
