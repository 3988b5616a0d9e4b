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
#include "bundle/runtime.h"
#include "oci/runtime_spec.h"

namespace fermata::bundle {

inline constexpr char kStreamsFile[] = "descriptors.json";
inline constexpr char kNullDevice[] = "/dev/null";

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
bool is_bind(const oci::Mount& mount);

// What both requests say. `log`: its file's name; an old one is removed.
struct CriuDirectories {
  UniqueFd images, work;
  std::string log;  // path
};
Result<CriuDirectories> open_directories(const CriuSettings& settings, const char* log, const Criu& criu);
Result<void> add_settings(const CriuSettings& settings, const CriuDirectories& directories,
                          CriuOptions* options);

}  // namespace fermata::bundle
