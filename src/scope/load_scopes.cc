#include <dlfcn.h>
#include <sys/stat.h>

#include "base/files.h"
#include "scope/scopes.h"

namespace fermata::scope {

bool has_systemd() {
  struct stat info = {};
  return ::lstat("/run/systemd/system/", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<Scopes*> load_scopes() {
  static Scopes* loaded = nullptr;  // with its connection, until the program ends
  if (loaded != nullptr) return loaded;
  if (!has_systemd())
    return fail(ErrorKind::unsupported,
                "the systemd cgroup driver needs systemd as the first process of this machine; use cgroupfs");
  TRY(const std::string directory, program_directory());
  const std::string path = directory + "/" + kScopesModule;
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    return fail(
        ErrorKind::unsupported,
        "systemd cannot be asked for control groups: {} (install {} beside the program, and libsystemd)",
        ::dlerror(), kScopesModule);
  auto* factory = reinterpret_cast<ScopesFactory*>(::dlsym(module, kScopesFactory));
  if (factory == nullptr) return fail(ErrorKind::unsupported, "'{}' is of another version of fermata", path);
  loaded = factory();
  return loaded;
}

}  // namespace fermata::scope
