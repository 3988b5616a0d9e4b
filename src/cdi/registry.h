// The devices that the specifications of some directories offer.
//
// Files are looked at anew with each question and read anew when they have changed. Safe for use by several
// threads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "cdi/specification.h"

namespace fermata::cdi {

// What administrators write, and what vendors' programs find at boot.
inline const std::vector<std::string> kDefaultDirectories = {"/etc/cdi", "/var/run/cdi"};

class Registry {
 public:
  // A device of a later directory takes the place of one of an earlier. Two of one directory make it
  // unusable, unless a later directory has it.
  explicit Registry(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  // What the devices ask for together: of each specification among theirs first what it asks for all its
  // devices, then what the device does; a device that is named twice counts once. "unresolvable CDI devices
  // vendor.com/class=name", which goes on with what is wrong in the directories, because a device may be
  // missing for it.
  Result<Edits> resolve(const std::vector<std::string>& names);
  // Fully qualified, sorted.
  std::vector<std::string> devices();
  // Of directories and files that cannot be taken, and of devices with two owners.
  std::vector<std::string> problems();

 private:
  struct File;
  using Files = std::map<std::string, std::shared_ptr<const File>>;  // by path
  struct Device {
    std::string path;  // of its file
    const Specification* specification;
    const Edits* edits;
  };
  struct View {
    std::vector<std::shared_ptr<const File>> files;  // which own what the devices point to
    std::map<std::string, Device> devices;
    std::vector<std::string> problems;
  };

  View view();
  void add_directory(const std::string& directory, const Files& known, Files& present, View& view);
  std::shared_ptr<const File> load(const std::string& path, const Files& known);

  const std::vector<std::string> directories_;
  std::mutex mutex_;
  Files files_;
};

}  // namespace fermata::cdi
