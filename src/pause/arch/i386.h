#pragma once

namespace fermata::pause {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result = number;
  asm volatile("int $0x80" : "+a"(result) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}

}  // namespace fermata::pause

asm(R"(
.globl _start
_start:
  xorl %ebp, %ebp
  movl %esp, %eax
  andl $-16, %esp
  subl $12, %esp
  pushl %eax
  call pause_main
)");
