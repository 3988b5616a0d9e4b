#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "probe.h"

namespace fermata::e2e::probe {
namespace {

constexpr key_t kSysvKey = 0x66726d74;

int report(long result) {
  if (result < 0) {
    const int error = errno;
    printf("%s\n", strerrorname_np(error));
    return 1;
  }
  printf("ok\n");
  return 0;
}

void print_size(int fd) {
  winsize size{};
  ioctl(fd, TIOCGWINSZ, &size);
  printf("size %d %d\n", size.ws_row, size.ws_col);
}

}  // namespace

int print_namespaces(const Arguments&) {
  for (const char* name : {"net", "ipc", "uts", "pid", "mnt", "user", "cgroup"}) {
    struct stat status {};
    const std::string path = std::string("/proc/self/ns/") + name;
    if (stat(path.c_str(), &status) != 0) return 1;
    printf("%s %lu\n", name, static_cast<unsigned long>(status.st_ino));
  }
  return 0;
}

int print_status(const Arguments&) {
  FILE* file = fopen("/proc/self/status", "re");
  if (file == nullptr) return 1;
  char line[512];
  while (fgets(line, sizeof line, file) != nullptr)
    for (const char* field : {"Cap", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Groups", "Sig"})
      if (strncmp(line, field, strlen(field)) == 0) fputs(line, stdout);
  fclose(file);
  return 0;
}

int print_descriptors(const Arguments&) {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 1;
  while (const dirent* entry = readdir(directory)) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(directory)) continue;
    char target[4096];
    const ssize_t size = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
    printf("%d -> %.*s\n", fd, static_cast<int>(size < 0 ? 0 : size), target);
  }
  closedir(directory);
  return 0;
}

int print_limit(const Arguments& arguments) {
  const std::string name = arguments.at(0);
  const int resource = name == "nofile"  ? RLIMIT_NOFILE
                       : name == "core"  ? RLIMIT_CORE
                       : name == "nproc" ? RLIMIT_NPROC
                                         : -1;
  rlimit limit{};
  if (resource < 0 || getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return 1;
  printf("%lld %lld\n", static_cast<long long>(limit.rlim_cur), static_cast<long long>(limit.rlim_max));
  return 0;
}

int print_zombies(const Arguments&) {
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return 1;
  int count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    FILE* file = fopen((std::string("/proc/") + entry->d_name + "/stat").c_str(), "re");
    if (file == nullptr) continue;
    char line[512] = "";
    if (fgets(line, sizeof line, file) != nullptr) {
      const char* end = strrchr(line, ')');
      if (end != nullptr && end[2] == 'Z') ++count;
    }
    fclose(file);
  }
  closedir(directory);
  printf("%d\n", count);
  return 0;
}

int print_terminal(const Arguments&) {
  printf("tty %d %d %d\n", isatty(0), isatty(1), isatty(2));
  print_size(1);
  return 0;
}

int watch_terminal(const Arguments&) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  print_size(0);
  printf("ready\n");
  for (int number = 0; sigwait(&set, &number) == 0 && number == SIGWINCH;) print_size(0);
  return 0;
}

int open_executable(const Arguments& arguments) {
  // O_PATH and then reopening is how CVE-2019-5736 got past ETXTBSY.
  const int handle = open(arguments.at(0).c_str(), O_PATH | O_CLOEXEC);
  if (handle < 0) return report(handle);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
  return report(open(path, O_WRONLY | O_CLOEXEC));
}

int try_call(const Arguments& arguments) {
  const std::string name = arguments.at(0);
  if (name == "unshare-user") return report(unshare(CLONE_NEWUSER));
  if (name == "unshare-mount") return report(unshare(CLONE_NEWNS));
  if (name == "mount") return report(mount("none", "/tmp", "tmpfs", 0, nullptr));
  if (name == "keyctl")
    return report(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
  if (name == "bpf") return report(syscall(SYS_bpf, 0, nullptr, 0));
  if (name == "reboot") return report(syscall(SYS_reboot, 0, 0, 0, nullptr));  // wrong magic: harmless
  if (name == "kexec") return report(syscall(SYS_kexec_load, 0, 0, nullptr, 0));
  if (name == "open-by-handle") return report(syscall(SYS_open_by_handle_at, -1, nullptr, 0));
  if (name == "mknod-block") return report(mknod("/tmp/block", S_IFBLK | 0600, 0x100));
  if (name == "chown") {
    const int fd = open("/tmp/owned", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return report(fd < 0 ? -1 : fchown(fd, 12, 34));
  }
  if (name == "settime") {
    // Its own present time: harmless when it is allowed.
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return report(clock_settime(CLOCK_REALTIME, &now));
  }
  if (name == "sethostname") {
    char host[256] = "";
    gethostname(host, sizeof host);
    return report(sethostname(host, strlen(host)));
  }
  return 99;
}

int run_without(const Arguments& arguments) {
  const auto number = static_cast<unsigned>(atoi(arguments.at(0).c_str()));
  const auto error = static_cast<unsigned>(atoi(arguments.at(1).c_str()));
  const int third = atoi(arguments.at(2).c_str());
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, third < 0 ? 0U : static_cast<unsigned>(third), 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, third < 0 ? ~0U : static_cast<unsigned>(third), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    return report(-1);
  std::vector<char*> argv;
  for (std::size_t i = 3; i < arguments.size(); ++i) argv.push_back(const_cast<char*>(arguments[i].c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return report(-1);
}

int shared_memory(const Arguments& arguments) {
  const bool create = arguments.at(0) == "create";
  const int id = shmget(kSysvKey, 4096, create ? IPC_CREAT | 0600 : 0);
  if (id < 0) return report(id);
  auto* text = static_cast<char*>(shmat(id, nullptr, 0));
  if (text == reinterpret_cast<char*>(-1)) return report(-1);
  if (create) strcpy(text, "from another container");
  printf("%s\n", text);
  return 0;
}

}  // namespace fermata::e2e::probe
