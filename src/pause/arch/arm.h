#pragma once

namespace fermata::pause {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r7 asm("r7") = number;
  register long r0 asm("r0") = a;
  register long r1 asm("r1") = b;
  register long r2 asm("r2") = c;
  register long r3 asm("r3") = d;
  asm volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3) : "memory");
  return r0;
}

}  // namespace fermata::pause

asm(R"(
.globl _start
.type _start, %function
_start:
  mov fp, #0
  mov lr, #0
  mov r0, sp
  bic sp, sp, #7
  bl pause_main
)");
