#include "bundle/claim.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/files.h"

namespace fermata::bundle {

Result<Claim> Claim::make(const std::string& root, const std::string& directory) {
  TRY(make_directories(root, 0700));
  if (::mkdir(directory.c_str(), 0700) != 0) {
    if (errno == EEXIST)
      return fail(ErrorKind::conflict, "container with given ID already exists: '{}'", directory);
    return fail(errno, "make '{}'", directory);
  }
  return Claim(directory);
}

Claim::~Claim() {
  // What cannot be removed shows up as a container that `delete --force` takes.
  if (!directory_.empty()) static_cast<void>(remove_tree(directory_).has_value());
}

Result<NewGroup> claim_group(const Options& engine, const oci::RuntimeSpec& spec,
                             const std::string& directory, Record* record) {
  TRY(const GroupPlace place, group_place(spec, record->id, engine.systemd_cgroup));
  record->cgroup = place.path;
  record->scope = place.unit;
  TRY(const auto mounts, kernel::CgroupMounts::detect());
  TRY(vacate_group(mounts, place.path));
  // From here on `delete --force` finds what we have made, should we be killed.
  TRY(write_file(directory + "/" + kGroupFile, place.path + "\n" + place.unit, 0600));
  return make_group(mounts, spec, record->id, place);
}

void give_back(NewGroup group, const Record& record) {
  group.keeper.reset();
  static_cast<void>(remove_group(group.cgroup, record.scope).has_value());
}

}  // namespace fermata::bundle
