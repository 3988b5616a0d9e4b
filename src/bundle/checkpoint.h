// Containers into files and back, by CRIU. What a checkpoint's directory has beside CRIU's own images is
// `descriptors.json`: what the standard streams were, for the restore to put others in their place.
//
// What is not the container's own is named to CRIU as external, by the same keys on both sides: bind mounts
// by their destination, masked files by "/dev/null", namespaces that were joined by kExternal*.
#pragma once

#include <array>
#include <string>

#include "base/error.h"
#include "bundle/criu.h"
#include "bundle/external_mounts.h"
#include "bundle/runtime.h"
#include "kernel/cgroup.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

inline constexpr char kStreamsFile[] = "descriptors.json";
inline constexpr char kDumpLog[] = "dump.log", kPreDumpLog[] = "pre-dump.log";

// A namespace that CRIU can leave to others.
struct ExternalNamespace {
  oci::Namespace::Type type;
  const char* file;  // below /proc/<pid>/ns
  const char* key;
};
inline constexpr std::array<ExternalNamespace, 2> kExternalNamespaces = {
    {{oci::Namespace::Type::network, "net", "extRootNetNS"},
     {oci::Namespace::Type::pid, "pid", "extRootPidNS"}}};

// Refuses one whose namespaces CRIU cannot put back.
Result<void> check_restorable(const oci::RuntimeSpec& spec);

// A container that runs, and whose processes are to be written to files.
struct CheckpointSubject {
  const oci::RuntimeSpec& spec;  // a joined namespace has a path
  int pid = 0;                   // of its first process
  std::string root;              // of its file system, as the caller sees it; "": it has no path
  const kernel::Cgroup& group;
};
// `notice` hears of CRIU's steps: at "post-dump" all is written, and its processes still stand. An Error of
// it or of `patience` ends the work, and the processes go on as if there had been none. CRIU's log is
// kDumpLog among its working files; an error does not name it.
Result<void> dump(const CheckpointSubject& subject, const CheckpointOptions& options,
                  const CriuNotice& notice = nullptr, const CriuPatience& patience = nullptr);

// What both requests say. `log`: its file's name; an old one is removed.
struct CriuDirectories {
  UniqueFd images, work;
  std::string log;  // path
};
Result<CriuDirectories> open_directories(const CriuSettings& settings, const char* log, const Criu& criu);
Result<void> add_settings(const CriuSettings& settings, const CriuDirectories& directories,
                          CriuOptions* options);

}  // namespace fermata::bundle
