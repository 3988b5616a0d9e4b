// The part of libc that fermata-monitor uses, for the architectures that have an entry here. It runs once per
// pod for as long as the pod lives: linked with glibc it would hold some 500 kB of it, its start included.
// Same names and same behaviour as libc's (errno included), so that the layer's sources also link with the
// real one in tests.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include "kernel/core/raw.h"

namespace {

int error_number;

template <class... Arguments>
long sys(long number, Arguments... arguments) {
  const long result = fermata::kernel::raw::call(number, arguments...);
  if (result >= 0 || result < -4095) return result;
  error_number = static_cast<int>(-result);
  return -1;
}

template <class... Arguments>
int sys_int(long number, Arguments... arguments) {
  return static_cast<int>(sys(number, arguments...));
}

constexpr long kSignalSetSize = 8;  // of the kernel's; libc's sigset_t is larger

}  // namespace

extern "C" {

int main(int, char**, char**);
char** environ;

int* __errno_location() noexcept { return &error_number; }

// Memory. Byte loops, so that the compiler may not turn them into calls of themselves.
void* memset(void* to, int value, std::size_t size) noexcept {
#if defined(__x86_64__)
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
#else
  auto* bytes = static_cast<volatile unsigned char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
#endif
  return to;
}

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) noexcept {
#if defined(__x86_64__)
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
#else
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
#endif
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) noexcept {
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const volatile unsigned char*>(from);
  if (reinterpret_cast<std::uintptr_t>(to) < reinterpret_cast<std::uintptr_t>(from))
    for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  else
    for (std::size_t i = size; i > 0; --i) out[i - 1] = in[i - 1];
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) noexcept {
  const auto* a = static_cast<const volatile unsigned char*>(left);
  const auto* b = static_cast<const volatile unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    const int difference = a[i] - b[i];
    if (difference != 0) return difference;
  }
  return 0;
}

// clang asks for it where only equality matters.
int bcmp(const void* left, const void* right, std::size_t size) noexcept { return memcmp(left, right, size); }

void* memchr(const void* in, int value, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(in);
  for (std::size_t i = 0; i < size; ++i)
    if (bytes[i] == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(bytes + i);
  return nullptr;
}

std::size_t strlen(const char* text) noexcept {
  const volatile char* end = text;
  while (*end != '\0') ++end;
  return static_cast<std::size_t>(end - text);
}

int strcmp(const char* left, const char* right) noexcept {
  while (*left != '\0' && *left == *right) {
    ++left;
    ++right;
  }
  return static_cast<unsigned char>(*left) - static_cast<unsigned char>(*right);
}

char* strstr(const char* text, const char* part) noexcept {
  const std::size_t length = strlen(part);
  for (; *text != '\0'; ++text) {
    std::size_t i = 0;
    while (i < length && text[i] == part[i]) ++i;
    if (i == length) return const_cast<char*>(text);
  }
  return nullptr;
}

// The heap: sizes of powers of two. Small blocks come from pages of their size and are kept for the next one;
// from half a page on each block is a mapping of its own, which goes back at once (output that a slow client
// left lying).
namespace {

struct alignas(16) Block {
  std::size_t size;  // of the block, this header included
  Block* next;       // while it is free
};
constexpr std::size_t kPage = 4096;
Block* free_blocks[12];

Block* map_block(std::size_t size) {
  const long at = sys(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == -1 ? nullptr : reinterpret_cast<Block*>(at);
}

// One page of each small size at a time.
bool refill(int shift) {
  const std::size_t size = std::size_t{1} << shift;
  auto* page = reinterpret_cast<unsigned char*>(map_block(kPage));
  if (page == nullptr) return false;
  for (std::size_t at = 0; at + size <= kPage; at += size) {
    auto* block = reinterpret_cast<Block*>(page + at);
    block->next = free_blocks[shift];
    free_blocks[shift] = block;
  }
  return true;
}

}  // namespace

void* malloc(std::size_t size) noexcept {
  if (size > (std::size_t{1} << 40)) {
    error_number = ENOMEM;
    return nullptr;
  }
  const std::size_t whole = size + sizeof(Block);
  int shift = 6;
  while ((std::size_t{1} << shift) < whole && shift < 12) ++shift;
  Block* block = nullptr;
  if (shift < 12) {
    if (free_blocks[shift] == nullptr && !refill(shift)) return nullptr;
    block = free_blocks[shift];
    free_blocks[shift] = block->next;
    block->size = std::size_t{1} << shift;
  } else {
    const std::size_t pages = (whole + kPage - 1) & ~(kPage - 1);
    block = map_block(pages);
    if (block == nullptr) return nullptr;
    block->size = pages;
  }
  return block + 1;
}

void free(void* memory) noexcept {
  if (memory == nullptr) return;
  Block* block = static_cast<Block*>(memory) - 1;
  if (block->size >= kPage) {
    sys(SYS_munmap, block, block->size);
    return;
  }
  const int shift = __builtin_ctzl(block->size);
  block->next = free_blocks[shift];
  free_blocks[shift] = block;
}

void* realloc(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return malloc(size);
  const std::size_t have = (static_cast<Block*>(memory) - 1)->size - sizeof(Block);
  if (size <= have) return memory;
  void* grown = malloc(size);
  if (grown == nullptr) return nullptr;
  memcpy(grown, memory, have);
  free(memory);
  return grown;
}

// Files
int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return sys_int(SYS_openat, AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return sys_int(SYS_openat, directory, path, flags, mode);
}
int close(int fd) { return sys_int(SYS_close, fd); }
ssize_t read(int fd, void* to, std::size_t size) { return sys(SYS_read, fd, to, size); }
ssize_t write(int fd, const void* from, std::size_t size) { return sys(SYS_write, fd, from, size); }
ssize_t pread(int fd, void* to, std::size_t size, off_t at) { return sys(SYS_pread64, fd, to, size, at); }
int fstat(int fd, struct stat* info) noexcept { return sys_int(SYS_fstat, fd, info); }
int ftruncate(int fd, off_t size) noexcept { return sys_int(SYS_ftruncate, fd, size); }
int renameat(int from_dir, const char* from, int to_dir, const char* to) noexcept {
  return sys_int(SYS_renameat2, from_dir, from, to_dir, to, 0);
}
int unlinkat(int directory, const char* path, int flags) noexcept {
  return sys_int(SYS_unlinkat, directory, path, flags);
}
int mkdir(const char* path, mode_t mode) noexcept { return sys_int(SYS_mkdirat, AT_FDCWD, path, mode); }
int chdir(const char* path) noexcept { return sys_int(SYS_chdir, path); }
int chroot(const char* path) noexcept { return sys_int(SYS_chroot, path); }
mode_t umask(mode_t mask) noexcept { return static_cast<mode_t>(sys(SYS_umask, mask)); }
int dup2(int from, int to) noexcept {
  // dup3 refuses what dup2 leaves as it is.
  return from == to ? to : sys_int(SYS_dup3, from, to, 0);
}
int pipe2(int* ends, int flags) noexcept { return sys_int(SYS_pipe2, ends, flags); }
int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  const long argument = va_arg(rest, long);
  va_end(rest);
  return sys_int(SYS_fcntl, fd, command, argument);
}
int ioctl(int fd, unsigned long command, ...) noexcept {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return sys_int(SYS_ioctl, fd, command, argument);
}
int mount(const char* source, const char* target, const char* type, unsigned long flags,
          const void* data) noexcept {
  return sys_int(SYS_mount, source, target, type, flags, data);
}
int umount2(const char* target, int flags) noexcept { return sys_int(SYS_umount2, target, flags); }
int madvise(void* at, std::size_t size, int advice) noexcept {
  return sys_int(SYS_madvise, at, size, advice);
}

// Waiting
int epoll_create1(int flags) noexcept { return sys_int(SYS_epoll_create1, flags); }
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return sys_int(SYS_epoll_ctl, epoll, operation, fd, event);
}
int epoll_wait(int epoll, epoll_event* events, int count, int timeout) {
  return sys_int(SYS_epoll_pwait, epoll, events, count, timeout, nullptr, kSignalSetSize);
}
int poll(pollfd* fds, nfds_t count, int timeout) {
  const timespec wait = {timeout / 1000, timeout % 1000 * 1'000'000L};
  return sys_int(SYS_ppoll, fds, count, timeout < 0 ? nullptr : &wait, nullptr, kSignalSetSize);
}
int clock_gettime(clockid_t clock, timespec* now) noexcept { return sys_int(SYS_clock_gettime, clock, now); }

// Processes and signals
pid_t getpid() noexcept { return sys_int(SYS_getpid); }
pid_t setsid() noexcept { return sys_int(SYS_setsid); }
void _exit(int code) {
  for (;;) sys(SYS_exit_group, code);
}
int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
  return sys_int(SYS_execve, path, arguments, environment);
}
int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  return sys_int(SYS_waitid, kind, id, info, options, nullptr);
}
pid_t waitpid(pid_t pid, int* status, int options) {
  return sys_int(SYS_wait4, pid, status, options, nullptr);
}
int setns(int fd, int type) noexcept { return sys_int(SYS_setns, fd, type); }
int unshare(int flags) noexcept { return sys_int(SYS_unshare, flags); }
int fchown(int fd, uid_t owner, gid_t group) noexcept { return sys_int(SYS_fchown, fd, owner, group); }
int sethostname(const char* name, std::size_t size) noexcept { return sys_int(SYS_sethostname, name, size); }
int prctl(int option, ...) noexcept {
  va_list rest;
  va_start(rest, option);
  long values[4];
  for (long& value : values) value = va_arg(rest, long);
  va_end(rest);
  return sys_int(SYS_prctl, option, values[0], values[1], values[2], values[3]);
}
int getrlimit(__rlimit_resource_t what, rlimit* limit) noexcept {
  return sys_int(SYS_prlimit64, 0, what, nullptr, limit);
}
int setrlimit(__rlimit_resource_t what, const rlimit* limit) noexcept {
  return sys_int(SYS_prlimit64, 0, what, limit, nullptr);
}
int sigemptyset(sigset_t* set) noexcept {
  memset(set, 0, sizeof *set);
  return 0;
}
int sigfillset(sigset_t* set) noexcept {
  memset(set, 0xff, sizeof *set);
  return 0;
}
int sigaddset(sigset_t* set, int number) noexcept {
  set->__val[0] |= 1UL << (number - 1);
  return 0;
}
int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return sys_int(SYS_rt_sigprocmask, how, set, old, kSignalSetSize);
}
// Only the default action or ignoring: a handler would need a restorer, and there are none.
int sigaction(int number, const struct sigaction* action, struct sigaction*) noexcept {
  const unsigned long kernel_action[4] = {reinterpret_cast<unsigned long>(action->sa_handler), 0, 0, 0};
  return sys_int(SYS_rt_sigaction, number, kernel_action, nullptr, kSignalSetSize);
}
int signalfd(int fd, const sigset_t* set, int flags) noexcept {
  return sys_int(SYS_signalfd4, fd, set, kSignalSetSize, flags);
}

// Sockets
int socket(int family, int type, int protocol) noexcept {
  return sys_int(SYS_socket, family, type, protocol);
}
int socketpair(int family, int type, int protocol, int* pair) noexcept {
  return sys_int(SYS_socketpair, family, type, protocol, pair);
}
int connect(int fd, const sockaddr* address, socklen_t size) {
  return sys_int(SYS_connect, fd, address, size);
}
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  return sys_int(SYS_accept4, fd, address, size, flags);
}
int shutdown(int fd, int how) noexcept { return sys_int(SYS_shutdown, fd, how); }
int getsockopt(int fd, int level, int option, void* value, socklen_t* size) noexcept {
  return sys_int(SYS_getsockopt, fd, level, option, value, size);
}
int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  return sys_int(SYS_setsockopt, fd, level, option, value, size);
}
ssize_t sendto(int fd, const void* from, std::size_t size, int flags, const sockaddr* address,
               socklen_t address_size) {
  return sys(SYS_sendto, fd, from, size, flags, address, address_size);
}
ssize_t recvfrom(int fd, void* to, std::size_t size, int flags, sockaddr* address, socklen_t* address_size) {
  return sys(SYS_recvfrom, fd, to, size, flags, address, address_size);
}
ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  return sys(SYS_sendto, fd, from, size, flags, nullptr, 0);
}
ssize_t recv(int fd, void* to, std::size_t size, int flags) {
  return sys(SYS_recvfrom, fd, to, size, flags, nullptr, nullptr);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) { return sys(SYS_sendmsg, fd, message, flags); }
ssize_t recvmsg(int fd, msghdr* message, int flags) { return sys(SYS_recvmsg, fd, message, flags); }

cmsghdr* __cmsg_nxthdr(msghdr* message, cmsghdr* header) noexcept {
  if (header->cmsg_len < sizeof *header) return nullptr;
  auto* next = reinterpret_cast<unsigned char*>(header) + CMSG_ALIGN(header->cmsg_len);
  const auto* end = static_cast<unsigned char*>(message->msg_control) + message->msg_controllen;
  if (next + sizeof *header > end) return nullptr;
  auto* result = reinterpret_cast<cmsghdr*>(next);
  return next + CMSG_ALIGN(result->cmsg_len) > end ? nullptr : result;
}

// Any system call, as libc has it.
long syscall(long number, ...) noexcept {
  va_list rest;
  va_start(rest, number);
  long values[6];
  for (long& value : values) value = va_arg(rest, long);
  va_end(rest);
  const long result =
      fermata::kernel::raw::call6(number, values[0], values[1], values[2], values[3], values[4], values[5]);
  if (result >= 0 || result < -4095) return result;
  error_number = static_cast<int>(-result);
  return -1;
}

// The kernel's stack at the start: the number of arguments, the arguments, NULL, the environment, NULL.
[[noreturn]] void fermata_monitor_run(long* stack) {
  const int count = static_cast<int>(stack[0]);
  auto** arguments = reinterpret_cast<char**>(stack + 1);
  _exit(main(count, arguments, arguments + count + 1));
}
}

asm(R"(
.globl _start
.type _start, %function
_start:
)"
#if defined(__x86_64__)
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call fermata_monitor_run\n"
#elif defined(__aarch64__)
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  mov x0, sp\n"
    "  bl fermata_monitor_run\n"
#endif
);
