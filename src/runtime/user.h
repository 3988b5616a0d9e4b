// `--user name[:group]` against the container's /etc/passwd and /etc/group. Foreign files: malformed lines
// are skipped.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "oci/runtime_spec.h"

namespace fermata::runtime {

struct ResolvedUser {
  oci::User user;
  std::string name;  // "" if it has no entry
  std::string home;  // "/" if it has no entry
};

// `passwd` and `group` are the files' contents ("" when absent). `spec`: "", "name", "uid", "name:group",
// "uid:gid". Docker's rules: a numeric id needs no entry; additional groups come from the group file only
// when no group was given. "unable to find user foo: no matching entries in passwd file" otherwise.
// `extra_groups`: --group-add.
Result<ResolvedUser> resolve_user(std::string_view spec, std::string_view passwd, std::string_view group,
                                  const std::vector<std::string>& extra_groups);

}  // namespace fermata::runtime
