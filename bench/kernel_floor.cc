// What the kernel alone takes for the steps of a pod's and a container's start: medians, in milliseconds. No
// engine code is in the timed parts, only the calls that any engine must make. Needs root; works in network
// and mount namespaces of its own.
//
//     kernel_floor [RUNS]      (default 101)
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "kernel/cgroup.h"
#include "kernel/network_namespace.h"
#include "kernel/nftables.h"
#include "kernel/route.h"
#include "pod/sandbox.h"
#include "runtime/defaults.h"

namespace fermata {
namespace {

constexpr int kPodNamespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS;

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) {
    fmt::print(stderr, "kernel_floor: {}: {}\n", what, result.error().message());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void must(bool good, const char* what) {
  if (good) return;
  fmt::print(stderr, "kernel_floor: {}: {}\n", what, errno_text(errno));
  std::exit(1);
}

using Clock = std::chrono::steady_clock;

class Timer {
 public:
  explicit Timer(int runs) : runs_(runs) {}
  // `prepare` and `finish` are outside of the time.
  void measure(const char* name, const std::function<void(int)>& prepare,
               const std::function<void(int)>& step, const std::function<void(int)>& finish) const {
    std::vector<double> times;
    for (int run = -3; run < runs_; ++run) {  // three to warm up
      prepare(run);
      const auto start = Clock::now();
      step(run);
      const std::chrono::duration<double, std::milli> took = Clock::now() - start;
      if (run >= 0) times.push_back(took.count());
      finish(run);
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    fmt::print("| {} | {:.3f} |\n", name, times[times.size() / 2]);
  }

 private:
  int runs_;
};

// clone(2) as vfork does it: back when the child has executed `program`. `before_exec` runs in the child, on
// our memory.
pid_t spawn(
    const std::string& program, int namespaces,
    const std::function<bool()>& before_exec = [] { return true; }) {
  const pid_t child = static_cast<pid_t>(
      ::syscall(SYS_clone, namespaces | CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child == 0) {
    // Ends with us whatever happens, keeps nobody's pipe open, and keeps its warning (it is no PID 1) to
    // itself.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
    char* const arguments[] = {const_cast<char*>(program.c_str()), nullptr};
    if (!before_exec()) ::_exit(126);
    ::execve(program.c_str(), arguments, nullptr);
    ::_exit(127);
  }
  must(child > 0, "clone");
  return child;
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// What our engine gives pause: a user, no capabilities, no new privileges, a filter, and a root with nothing
// but itself.
void measure_hardened(const Timer& timer, const std::string& pause) {
  const UniqueFd file = must(runtime::pause_seccomp("/dev/null/no-cache"), "filter");
  std::vector<sock_filter> filter(4096);
  const ssize_t size = ::pread(file.get(), filter.data(), filter.size() * sizeof(sock_filter), 0);
  must(size > 0, "filter");
  const sock_fprog program = {
      static_cast<unsigned short>(static_cast<std::size_t>(size) / sizeof(sock_filter)), filter.data()};
  int root = -1;
  const auto harden = [&] {
    for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;) ++capability;
    return ::syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
           ::fchdir(root) == 0 && ::chroot(".") == 0 && ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
           ::syscall(SYS_setresgid, 65535, 65535, 65535) == 0 &&
           ::syscall(SYS_setresuid, 65535, 65535, 65535) == 0 &&
           ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  };
  pid_t child = 0;
  timer.measure(
      "the same, hardened as our engine does it", [](int) {},
      [&](int) {
        const UniqueFd tree = must(pod::make_pause_root(pause, {}), "root of pause");
        root = tree.get();
        child = spawn("/pause", kPodNamespaces, harden);
        int status = 0;
        must(::waitpid(child, &status, WNOHANG) == 0, "hardened pause");
      },
      [&](int) { end(child); });
}

UniqueFd namespace_of(pid_t process) {
  return must(open_file(fmt::format("/proc/{}/ns/net", process), O_RDONLY), "network namespace");
}

void measure_network(const Timer& timer, const std::string& pause) {
  auto route = must(kernel::NetlinkSocket::open(NETLINK_ROUTE), "rtnetlink");
  kernel::NetlinkBatch bridge;
  kernel::add_bridge(bridge, "floor0", {2, 0, 0, 0, 0, 1}, 1500);
  must(route.execute(bridge), "bridge");
  const int master = static_cast<int>(::if_nametoindex("floor0"));
  pid_t child = 0;
  UniqueFd inside;
  int pairs = 0;  // a pair outlives its namespace for a while: each gets a name of its own
  auto add_pair = [&](int run) {
    kernel::NetlinkBatch batch;
    kernel::VethSpec spec;
    spec.host_name = fmt::format("fl{}", pairs++);
    spec.master = master;
    spec.peer_name = "eth0";
    spec.peer_namespace = inside.get();
    spec.peer_mac = {2, 0, 0, 0, 1, static_cast<std::uint8_t>(run)};
    kernel::add_veth(batch, spec);
    must(route.execute(batch), "veth");
  };
  auto start_child = [&](int) {
    child = spawn(pause, CLONE_NEWNET);
    inside = namespace_of(child);
  };
  auto end_child = [&](int) {
    inside.reset();
    end(child);
  };
  timer.measure("veth pair, one end in the pod", start_child, add_pair, end_child);

  std::optional<kernel::NetlinkSocket> socket;
  int link = 0;
  timer.measure(
      "address and default route",
      [&](int run) {
        start_child(run);
        add_pair(run);
        const auto visit = must(kernel::NetworkNamespaceVisit::enter(inside.get()), "enter");
        socket.emplace(must(kernel::NetlinkSocket::open(NETLINK_ROUTE), "rtnetlink"));
        link = static_cast<int>(::if_nametoindex("eth0"));
      },
      [&](int) {
        kernel::NetlinkBatch batch;
        kernel::set_link_up(batch, link);
        kernel::add_address(batch, link, *kernel::parse_ip("10.1.0.2"), 16);
        kernel::add_default_route(batch, link, *kernel::parse_ip("10.1.0.1"));
        must(socket->execute(batch), "address");
      },
      end_child);
}

void measure_rules(const Timer& timer) {
  auto netfilter = must(kernel::NetlinkSocket::open(NETLINK_NETFILTER), "nfnetlink");
  kernel::NftTransaction table;
  table.add_table(NFPROTO_INET, "floor", "");
  table.add_map(NFPROTO_INET, "floor", {"ports", kernel::kNftService, 2, kernel::kNftIpv4, 4});
  must(table.commit(netfilter), "nftables");
  timer.measure(
      "one element of an nftables map", [](int) {},
      [&](int run) {
        const auto port = static_cast<std::uint16_t>(run + 10);
        const std::string key{static_cast<char>(port >> 8), static_cast<char>(port & 255)};
        kernel::NftTransaction element;
        element.add_elements(NFPROTO_INET, "floor", "ports", {{key, std::string("\x0a\x01\x00\x02", 4)}});
        must(element.commit(netfilter), "element");
      },
      [](int) {});
}

void measure_mount(const Timer& timer) {
  char scratch[] = "/tmp/floorXXXXXX";
  must(::mkdtemp(scratch) != nullptr, "mkdtemp");
  const std::string base = scratch;
  must(::mount("tmpfs", scratch, "tmpfs", 0, nullptr) == 0, "tmpfs");
  for (const char* name : {"/l", "/u", "/w", "/m"}) must(make_directories(base + name), "directory");
  const std::string options = fmt::format("lowerdir={0}/l,upperdir={0}/u,workdir={0}/w", base);
  timer.measure(
      "overlay mount", [](int) {},
      [&](int) {
        must(::mount("overlay", (base + "/m").c_str(), "overlay", 0, options.c_str()) == 0, "overlay");
      },
      [&](int) { ::umount2((base + "/m").c_str(), MNT_DETACH); });
  ::umount2(scratch, MNT_DETACH);
  ::rmdir(scratch);
}

void measure_cgroup(const Timer& timer) {
  const auto mounts = must(kernel::CgroupMounts::detect(), "cgroups");
  const std::string name = fmt::format("floor-{}", ::getpid());
  timer.measure(
      "cgroup, every hierarchy", [](int) {},
      [&](int) { must(kernel::Cgroup::create(mounts, name), "cgroup"); },
      [&](int) { must(kernel::Cgroup::open(mounts, name).remove(), "remove"); });
}

int run(int runs) {
  const std::string pause = must(program_directory(), "programs") + "/pause";
  must(::access(pause.c_str(), X_OK) == 0, "pause beside this program");

  must(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare (root is needed)");
  must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  const Timer timer(runs);
  fmt::print("| kernel floor, median of {} | ms |\n|---|---|\n", runs);
  pid_t child = 0;
  timer.measure(
      "clone and exec pause", [](int) {}, [&](int) { child = spawn(pause, 0); }, [&](int) { end(child); });
  timer.measure(
      "clone with all namespaces and exec pause", [](int) {},
      [&](int) { child = spawn(pause, kPodNamespaces); }, [&](int) { end(child); });
  measure_hardened(timer, pause);
  measure_network(timer, pause);
  measure_rules(timer);
  measure_mount(timer);
  measure_cgroup(timer);
  return 0;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) { return fermata::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 101); }
