// System calls without libc: the kernel's own convention, a result or -errno. fermata-init is linked without
// libc (its start is part of every container's), and has no errno. syscall(2), "Architecture calling
// conventions".
#pragma once

#include <sys/syscall.h>

#include <cstddef>
#include <type_traits>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <unistd.h>

#include <cerrno>
#endif

namespace fermata::kernel::raw {

[[gnu::always_inline]] inline long call6(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
  const long result = ::syscall(number, a, b, c, d, e, f);
  return result == -1 ? -errno : result;
#endif
}

template <class T>
[[gnu::always_inline]] inline long word(T value) {
  if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else
    return static_cast<long>(value);
}

// call(SYS_fchdir, fd)
template <class... Arguments>
[[gnu::always_inline]] inline long call(long number, Arguments... arguments) {
  static_assert(sizeof...(Arguments) <= 6);
  const long words[7] = {word(arguments)...};
  return call6(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

}  // namespace fermata::kernel::raw
