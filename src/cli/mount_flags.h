// -v, --mount and --tmpfs, in docker's syntaxes.
#pragma once

#include <string_view>

#include "base/error.h"
#include "pod/model.h"

namespace fermata::cli {

// [source:]destination[:options]; a source that begins with '.' is made absolute with `directory`.
Result<pod::VolumeMount> parse_volume(std::string_view text, std::string_view directory);
// type=bind,source=/a,target=/b,readonly
Result<pod::VolumeMount> parse_mount(std::string_view text, std::string_view directory);
// /run:size=64m,mode=1777
Result<pod::VolumeMount> parse_tmpfs(std::string_view text);

}  // namespace fermata::cli
