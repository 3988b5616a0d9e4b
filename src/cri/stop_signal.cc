// The CRI's enumeration of signals against the names and numbers of images. signal(7).
#include <fmt/format.h>

#include "base/signals.h"
#include "cri/container_config.h"

namespace fermata::cri {
namespace {

// The generated names have a '_' that those of the protocol have not.
constexpr std::string_view kPrefix = "SIG_", kPlus = "PLUS", kMinus = "MINUS";

}  // namespace

std::string signal_name(v1::Signal signal) {
  if (signal == v1::RUNTIME_DEFAULT) return {};
  // "SIG_RTMINPLUS3" -> "SIGRTMIN+3"
  std::string name = v1::Signal_Name(signal);
  std::erase(name, '_');
  if (const auto at = name.find(kPlus); at != std::string::npos) name.replace(at, kPlus.size(), "+");
  if (const auto at = name.find(kMinus); at != std::string::npos) name.replace(at, kMinus.size(), "-");
  return name;
}

v1::Signal signal_of(const std::string& name) {
  const auto number = parse_signal(name);
  if (!number) return v1::SIG_TERM;
  // The first of those with the same number: SIGABRT and not SIGIOT.
  for (int value = v1::Signal_MIN + 1; value <= v1::Signal_MAX; ++value) {
    if (!v1::Signal_IsValid(value)) continue;
    const auto signal = static_cast<v1::Signal>(value);
    if (const auto own = parse_signal(signal_name(signal)); own && *own == *number) return signal;
  }
  return v1::SIG_TERM;
}

}  // namespace fermata::cri
