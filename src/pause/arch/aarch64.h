#pragma once

namespace fermata::pause {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}

}  // namespace fermata::pause

// The kernel aligns the stack to 16 bytes here.
asm(R"(
.globl _start
_start:
  mov x29, #0
  mov x30, #0
  mov x0, sp
  bl pause_main
)");
