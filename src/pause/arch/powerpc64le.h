#pragma once

namespace fermata::pause {

// A failure is told by the summary overflow bit of cr0, with the positive error number in r3.
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r0 asm("r0") = number;
  register long r3 asm("r3") = a;
  register long r4 asm("r4") = b;
  register long r5 asm("r5") = c;
  register long r6 asm("r6") = d;
  asm volatile(
      "sc\n"
      "bns+ 1f\n"
      "neg %1, %1\n"
      "1:"
      : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6)
      :
      : "r7", "r8", "r9", "r10", "r11", "r12", "ctr", "cr0", "xer", "memory");
  return r3;
}

}  // namespace fermata::pause

// ELFv2: r2 is the base of the table of contents, and each caller leaves 32 bytes at the top of its frame.
asm(R"(
.globl _start
.type _start, @function
_start:
  lis 2, .TOC.@ha
  addi 2, 2, .TOC.@l
  mr 3, 1
  clrrdi 1, 1, 4
  li 0, 0
  stdu 0, -32(1)
  bl pause_main
)");
