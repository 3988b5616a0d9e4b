// An extended attribute for a whole tree of files, such as the label of SELinux; xattr(7).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::kernel {

// "" when it has none, or the file system knows of none. `fd`: a file or directory, O_PATH will do.
Result<std::string> read_attribute(int fd, const std::string& attribute);

// Gives it to a file, or to a directory and everything below it; that itself comes last, so that it tells
// whether all of it has been done. Symlinks get it themselves, and nothing is reached through them. What has
// the value is not written, what vanishes meanwhile is passed over, and file systems without such attributes
// are left alone, those mounted below, too. `tree` as above, not a symlink.
Result<void> set_tree_attribute(int tree, const std::string& attribute, std::string_view value);

}  // namespace fermata::kernel
