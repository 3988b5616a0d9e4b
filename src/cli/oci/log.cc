#include "cli/oci/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/files.h"

namespace fermata::cli::oci {
namespace {

using nlohmann::json;

std::string quoted(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

// For people, and for engines that show it to them as it is.
std::string plain(std::string_view level, std::string_view message) {
  return level == "error" ? fmt::format("{}\n", message) : fmt::format("{}: {}\n", level, message);
}

}  // namespace

Result<Log> Log::open(std::string path, std::string_view format) {
  if (!format.empty() && format != "text" && format != "json")
    return fail(ErrorKind::invalid_argument, "invalid log-format: {} (text or json)", format);
  if (!path.empty()) TRY(open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644));
  return Log(std::move(path), format == "json");
}

void Log::write(std::string_view level, std::string_view message) const {
  const std::string time = rfc3339(now_ns());
  const std::string line =
      json_ ? fmt::format("{{\"level\":\"{}\",\"msg\":{},\"time\":\"{}\"}}\n", level, quoted(message), time)
            : fmt::format("time=\"{}\" level={} msg={}\n", time, level, quoted(message));
  // When neither can be written there is nobody left to tell.
  if (path_.empty()) {
    static_cast<void>(write_all(STDERR_FILENO, json_ ? line : plain(level, message)).has_value());
    return;
  }
  if (const auto file = open_file(path_, O_WRONLY | O_CREAT | O_APPEND, 0644))
    static_cast<void>(write_all(file->get(), line).has_value());
}

void Log::error(std::string_view message) const {
  write("error", message);
  if (!path_.empty()) static_cast<void>(write_all(STDERR_FILENO, plain("error", message)).has_value());
}

}  // namespace fermata::cli::oci
