#include <dlfcn.h>

#include "base/files.h"
#include "image/transfer.h"

namespace fermata::image {

Result<Transfer*> load_transfer() {
  static Transfer* loaded = nullptr;  // never unloaded: curl and OpenSSL leave handlers behind
  if (loaded != nullptr) return loaded;
  TRY(const std::string directory, program_directory());
  const std::string path = directory + "/" + kTransferModule;
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
