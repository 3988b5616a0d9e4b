#include "base/error.h"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstring>

namespace fermata {

Error&& Error::with_context(std::string_view context) && {
  message_.insert(0, ": ");
  message_.insert(0, context);
  return std::move(*this);
}

ErrorKind kind_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO:
      return ErrorKind::not_found;
    case EEXIST:
    case EADDRINUSE:
    case EBUSY:
      return ErrorKind::conflict;
    case EPERM:
    case EACCES:
      return ErrorKind::permission;
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::no_space;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorKind::unsupported;
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::failed;
  }
}

std::string errno_text(int error_number) {
  if (error_number == ENOSYS) return "this kernel lacks the system call (Linux 5.15 or later is needed)";
  // strerrordesc_np (glibc 2.32) is thread-safe and untranslated.
  const char* text = ::strerrordesc_np(error_number);
  if (text == nullptr) return fmt::format("error {}", error_number);
  std::string result = text;
  // "No such file" reads better in lower case after a colon; an acronym ("RFS ...") stays.
  if (result.size() > 1 && std::islower(static_cast<unsigned char>(result[1])) != 0)
    result[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(result[0])));
  return result;
}

namespace detail {

tl::unexpected<Error> fail_errno(int error_number, fmt::string_view format, fmt::format_args args) {
  return tl::unexpected<Error>(Error(kind_of(error_number), error_number,
                                     fmt::vformat(format, args) + ": " + errno_text(error_number)));
}

tl::unexpected<Error> fail_kind(ErrorKind kind, fmt::string_view format, fmt::format_args args) {
  return tl::unexpected<Error>(Error(kind, 0, fmt::vformat(format, args)));
}

}  // namespace detail
}  // namespace fermata
