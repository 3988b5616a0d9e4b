// Pods on CNI networks: the specification's runtime, section 3, over plugins, records and locks.
//
// An attachment is recorded before its ADD and forgotten after its DEL, with the configuration and all
// arguments that were used. So DEL needs nothing but the pod's id and can be repeated until it succeeds, by
// any later process, whatever has become of the configuration, the network namespace or the process that
// called ADD.
//
// One operation at a time for each pod, those of different pods in parallel, and GC alone: that is kept by
// byte locks in one file, <run directory>/cni.lock, so between all threads and processes that share it. An
// object, like its database, serves one thread at a time; each thread has its own, over one Plugins. Calls
// take as long as plugins do.
//
// What else a pod's network takes is the caller's: the namespace and its pin (namespace_pin.h), which should
// stay until after del(), and lo (network::Network::prepare_isolated).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_lock.h"
#include "cni/configuration_directory.h"
#include "cni/plugins.h"
#include "cni/records.h"
#include "cni/request.h"
#include "cni/result.h"
#include "state/database.h"

namespace fermata::cni {

// What STATUS says of a network: whether it serves new pods, and those that it has.
struct Status {
  bool ready = true;
  bool connected = true;  // false only if `ready` is, too
  std::string reason;     // "" when ready
};

class Attachments {
 public:
  // `run_directory` must exist. All three are borrowed or copied for the object's life.
  Attachments(state::Database& database, Plugins& plugins, const std::string& run_directory);

  // Attaches the pod. Whatever an earlier attempt, or one before the last boot, has left of this interface is
  // removed first. When a plugin fails, DEL follows at once; if that fails too, the record stays for del().
  Result<AddResult> add(const NetworkConfiguration& network, const Attachment& attachment);
  // Detaches the pod from all its networks, the last one first. An error leaves what could not be detached
  // recorded; call it again. Nothing recorded is success.
  Result<void> del(const std::string& pod);
  // Whether all plugins still find what ADD has made. Success without asking where the configuration or its
  // version rules that out. ErrorKind::conflict: an ADD has not been completed.
  Result<void> check(const std::string& pod);
  // Detaches those pods for which `is_valid` is false, from every network, and lets the plugins of this one
  // drop whatever belongs to no valid pod. `is_valid` is asked under the lock, and must not come back here: a
  // pod must be valid from before its add() on. All failures together are the error.
  Result<void> gc(const NetworkConfiguration& network,
                  const std::function<Result<bool>(const std::string& pod)>& is_valid);
  // Every plugin must be there; before 1.1 that is all that can be known. Takes no lock.
  Status status(const NetworkConfiguration& network);

  // As recorded, in the order of their add().
  Result<std::vector<Record>> attached(const std::string& pod);
  // All pods with a record, whole or not, each once.
  Result<std::vector<std::string>> pods();

 private:
  Result<FileLock> lock_pod(const std::string& pod) const;
  Result<FileLock> lock_all() const;
  // The newest that the configuration and all plugins have.
  Result<Version> choose_version(const NetworkConfiguration& network);
  Result<AddResult> run_add(const Record& record);
  Result<void> run_check(const Record& record);
  // DEL, and the record's end.
  Result<void> remove(const Record& record);
  Result<void> remove_earlier(const Attachment& attachment);
  Result<void> detach(const std::string& pod);
  Result<void> run_gc(const NetworkConfiguration& network,
                      const std::function<Result<bool>(const std::string& pod)>& is_valid);

  state::Database& database_;
  Plugins& plugins_;
  const std::string lock_path_;
};

}  // namespace fermata::cni
