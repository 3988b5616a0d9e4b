// The entry of fermata-transfer.so (image/transfer.h).
#include "image/transfer/transfer_impl.h"

extern "C" __attribute__((visibility("default"))) fermata::image::Transfer* fermata_transfer_create() {
  return fermata::image::make_transfer().release();
}
