#pragma once

namespace fermata::pause {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r1 asm("1") = number;
  register long r2 asm("2") = a;
  register long r3 asm("3") = b;
  register long r4 asm("4") = c;
  register long r5 asm("5") = d;
  asm volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4), "d"(r5) : "memory");
  return r2;
}

}  // namespace fermata::pause

// Each caller leaves 160 bytes at the bottom of its frame, where the called one saves registers.
asm(R"(
.globl _start
_start:
  lgr %r2, %r15
  lghi %r0, -16
  ngr %r15, %r0
  aghi %r15, -160
  xc 0(8, %r15), 0(%r15)
  brasl %r14, pause_main
)");
