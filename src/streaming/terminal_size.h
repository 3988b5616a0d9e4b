// The resize stream: {"Width":80,"Height":24}, one document after the other, cut anywhere. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::streaming {

struct TerminalSize {
  std::uint16_t columns = 0, rows = 0;
  bool operator==(const TerminalSize&) const = default;
};

class TerminalSizeReader {
 public:
  // The last size that these bytes complete; earlier ones have no meaning any more. After an error nothing
  // more can be read from this stream.
  Result<std::optional<TerminalSize>> feed(std::string_view bytes);

 private:
  std::string document_;
};

}  // namespace fermata::streaming
