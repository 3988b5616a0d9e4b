// The module's one implementation of Transfer.
#pragma once

#include <memory>

#include "image/transfer.h"

namespace fermata::image {

std::unique_ptr<Transfer> make_transfer();

}  // namespace fermata::image
