// fermata-init: from the monitor's child to the container's process. init/plan.h is its contract.
//
// Linked without libc where we have an entry of our own: a static glibc's start costs more than the program
// does.
#include <sys/syscall.h>

#include "init/perform.h"
#include "kernel/core/raw.h"

namespace {

// Seen by nobody but the monitor, which has had a report by then.
constexpr int kFailed = 125;

[[noreturn]] void run() {
  fermata::init::perform_plan();
  for (;;) fermata::kernel::raw::call(SYS_exit_group, kFailed);
}

}  // namespace

#ifdef FERMATA_FREESTANDING

// What the compiler and UniqueFd ask of a C library.
extern "C" {

int close(int fd) { return static_cast<int>(fermata::kernel::raw::call(SYS_close, fd)); }

void* memset(void* to, int value, std::size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
  return to;
}

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<const unsigned char*>(from)[i];
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const volatile unsigned char*>(left);
  const auto* b = static_cast<const volatile unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

// clang asks for it where only equality matters.
int bcmp(const void* left, const void* right, std::size_t size) { return memcmp(left, right, size); }

std::size_t strlen(const char* text) {
  const volatile char* at = text;
  std::size_t size = 0;
  while (at[size] != 0) ++size;
  return size;
}

[[noreturn]] void fermata_init_run() { run(); }
}

asm(R"(
.globl _start
.type _start, %function
_start:
)"
#if defined(__x86_64__)
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call fermata_init_run\n"
#elif defined(__aarch64__)
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  bl fermata_init_run\n"
#endif
);

#else

int main() { run(); }

#endif
