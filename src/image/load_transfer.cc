#include <dlfcn.h>
#include <unistd.h>

#include <climits>

#include "image/images_impl.h"

namespace fermata::image {

Result<Transfer*> load_transfer() {
  static Transfer* loaded = nullptr;  // never unloaded: curl and OpenSSL leave handlers behind
  if (loaded != nullptr) return loaded;
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length < 0) return fail(errno, "readlink '/proc/self/exe'");
  std::string path(self, static_cast<std::size_t>(length));
  path.resize(path.rfind('/') + 1);
  path += kTransferModule;
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    return fail(ErrorKind::unsupported,
                "images cannot be pulled or loaded: {} (install {} beside the program)", ::dlerror(),
                kTransferModule);
  auto* factory = reinterpret_cast<TransferFactory*>(::dlsym(module, kTransferFactory));
  if (factory == nullptr) return fail(ErrorKind::unsupported, "'{}' is of another version of fermata", path);
  loaded = factory();
  return loaded;
}

}  // namespace fermata::image
