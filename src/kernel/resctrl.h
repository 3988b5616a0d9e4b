// The kernel's resource control file system: shares of caches and of memory bandwidth for groups of
// processes. Documentation/arch/x86/resctrl.rst; Linux 4.10.
//
// Everything happens through files below the mount, so that tests can pass an ordinary directory. Nothing
// here mounts it: that is the administrator's, with options of theirs. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::kernel {

// What is asked of a group of a container's.
struct ResctrlRequest {
  std::string group;                // a name; "/" is the group that everything is in which is in no other
  bool must_exist = false;          // somebody else has made and filled it
  std::vector<std::string> pinned;  // "L3:0=f": lines that a group which exists has to have already
  std::vector<std::string> lines;   // of its file `schemata`; written in order, after `pinned`
  std::string monitor;              // a group below it that counts for these processes alone; "": none
};

// Absolute paths of directories.
struct ResctrlGroup {
  std::string path;
  bool made = false;         // by us, just now
  std::string monitor_path;  // "": none
};

class Resctrl {
 public:
  explicit Resctrl(std::string mount) : mount_(std::move(mount)) {}
  // From /proc/self/mountinfo. ErrorKind::unsupported, with the way out, when it is not mounted.
  static Result<Resctrl> detect();

  // A failure leaves nothing.
  Result<ResctrlGroup> make(const ResctrlRequest& request) const;
  // With all its threads that are there: a process that has not started others yet.
  Result<void> add_process(const ResctrlGroup& group, int pid) const;

  const std::string& mount() const { return mount_; }

 private:
  Result<ResctrlGroup> open_or_make(const ResctrlRequest& request) const;
  Result<void> fill(const ResctrlRequest& request, ResctrlGroup* group) const;
  // The kernel says in a file of its own what it did not like.
  Error explain(Error error) const;
  std::string mount_;
};

// Where the text of a mountinfo file has it mounted; "": nowhere.
std::string resctrl_mount(std::string_view mountinfo);
// The directories of a group that are ours: the monitoring one, and the group itself if it was made. What is
// in them falls back to the group above. Absent is success.
Result<void> remove_resctrl_group(const ResctrlGroup& group);
// Whether a file `schemata` has what these lines say: the same share for every domain that they name.
bool has_schemata(std::string_view file, const std::vector<std::string>& lines);

}  // namespace fermata::kernel
