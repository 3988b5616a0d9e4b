// Error and Result<T>: how a failure travels up through the layers.
//
// An Error means "failed, pass it on". It carries a kind for the few decisions that callers take, the
// errno where there was one, and a sentence that grows a prefix at each module boundary:
// "pod 'web': publish 8080: address already in use". An outcome that the caller must decide on belongs in T.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace fermata {

enum class ErrorKind {
  failed,            // anything without a better kind
  invalid_argument,  // the user's input is at fault
  not_found,
  conflict,     // a name or a port in use, an object in the wrong state
  permission,   // EPERM, EACCES, 401, 403
  unavailable,  // a peer that does not answer; worth another try
  unsupported,  // the kernel or the build lacks a feature
  no_space,     // ENOSPC, EDQUOT
};

class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, int error_number, std::string message)
      : kind_(kind), errno_(error_number), message_(std::move(message)) {}

  ErrorKind kind() const noexcept { return kind_; }
  // 0 when no system call was at fault.
  int error_number() const noexcept { return errno_; }
  const std::string& message() const noexcept { return message_; }
  // Puts "<context>: " before the message. Once per module boundary.
  Error&& with_context(std::string_view context) &&;

 private:
  ErrorKind kind_;
  int errno_;
  std::string message_;
};

template <class T>
using Result = tl::expected<T, Error>;

// The kind that an errno stands for.
ErrorKind kind_of(int error_number) noexcept;
// strerror without its thread trouble: "no such file or directory", in lower case.
std::string errno_text(int error_number);

namespace detail {
tl::unexpected<Error> fail_errno(int error_number, fmt::string_view format, fmt::format_args args);
tl::unexpected<Error> fail_kind(ErrorKind kind, fmt::string_view format, fmt::format_args args);
}  // namespace detail

// return fail(errno, "open '{}'", path);  ->  "open '/x': no such file or directory"
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(int error_number, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return detail::fail_errno(error_number, format, fmt::make_format_args(args...));
}
// return fail(ErrorKind::not_found, "no such container: {}", name);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return detail::fail_kind(kind, format, fmt::make_format_args(args...));
}
// Passes an error on with context: return fail_with(std::move(result.error()), "pod 'web'");
[[nodiscard]] inline tl::unexpected<Error> fail_with(Error error, std::string_view context) {
  return tl::unexpected<Error>(std::move(error).with_context(context));
}

}  // namespace fermata

#define FERMATA_CONCAT2(a, b) a##b
#define FERMATA_CONCAT(a, b) FERMATA_CONCAT2(a, b)
// TRY(expression): returns its error, if it failed.
// TRY(auto x, expression): the same, and else binds the value.
#define TRY(...) FERMATA_TRY_PICK(__VA_ARGS__, FERMATA_TRY_BIND, FERMATA_TRY_VOID)(__VA_ARGS__)
#define FERMATA_TRY_PICK(a, b, name, ...) name
#define FERMATA_TRY_VOID(expression)                                          \
  do {                                                                        \
    if (auto try_result = (expression); !try_result)                          \
      return tl::unexpected<::fermata::Error>(std::move(try_result.error())); \
  } while (false)
#define FERMATA_TRY_BIND(declaration, expression) \
  FERMATA_TRY_BIND2(FERMATA_CONCAT(try_result_, __COUNTER__), declaration, expression)
#define FERMATA_TRY_BIND2(name, declaration, expression)                       \
  auto name = (expression);                                                    \
  if (!name) return tl::unexpected<::fermata::Error>(std::move(name.error())); \
  declaration = std::move(*name)
