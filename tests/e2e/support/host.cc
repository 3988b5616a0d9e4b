#include "e2e/support/host.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "e2e/support/cgroup_manager.h"

namespace fermata::e2e {
namespace {

namespace fs = std::filesystem;

std::string fresh_directory() {
  char path[] = "/tmp/fe2e.XXXXXX";
  if (::mkdtemp(path) == nullptr) std::abort();
  ::chmod(path, 0755);
  return path;
}

std::string busybox() {
  for (const char* path : {"/bin/busybox", "/usr/bin/busybox"})
    if (::access(path, X_OK) == 0) return path;
  return "";
}

}  // namespace

std::string programs_directory() {
  const char* text = std::getenv("FERMATA_TEST_PROGRAMS");
  return text != nullptr ? text : FERMATA_PROGRAMS;
}

Host::Host() : directory_(fresh_directory()), root_(directory_ + "/root"), run_root_(directory_ + "/run") {}

Host::Host(const std::string& root)
    : directory_(fresh_directory()), root_(root), run_root_(directory_ + "/run") {}

Host::~Host() {
  remove_all();
  run_program({"rm", "-rf", "--one-file-system", directory_});
}

Arguments Host::command(const Arguments& arguments) const {
  Arguments result{kFermata, "--root", root_, "--run-root", run_root_};
  if (const std::string manager = cgroup_manager(); !manager.empty())
    result.insert(result.end(), {"--cgroup-manager", manager});
  result.insert(result.end(), arguments.begin(), arguments.end());
  return result;
}

Outcome Host::run(const Arguments& arguments, const RunOptions& options) const {
  Outcome outcome = run_program(command(arguments), options);
  std::ostringstream words;
  for (const auto& argument : arguments) words << ' ' << argument;
  EXPECT_FALSE(outcome.kept_open) << "what outlives 'fermata" << words.str() << "' holds its output open";
  EXPECT_FALSE(outcome.timed_out) << "fermata" << words.str() << "\n" << outcome;
  return outcome;
}

std::unique_ptr<Background> Host::start(const Arguments& arguments, Background::Streams streams) const {
  return std::make_unique<Background>(command(arguments), streams);
}

const std::string& Host::base_tar() {
  if (base_tar_.empty()) {
    base_tar_ = directory_ + "/base.tar";
    pack_base(directory_ + "/base", base_tar_);
  }
  return base_tar_;
}

void Host::import(const std::string& name, const Arguments& changes) {
  Arguments arguments{"import"};
  for (const auto& change : changes) {
    arguments.push_back("--change");
    arguments.push_back(change);
  }
  arguments.push_back(base_tar());
  arguments.push_back(name);
  const Outcome outcome = run(arguments, {.seconds = 60});
  ASSERT_TRUE(outcome.ok()) << outcome;
}

void Host::import_base_images() {
  if (imported_) return;
  imported_ = true;
  import(kBase, {"ENV PATH=/bin:/usr/bin"});
  import(kProbeImage, {"ENV PATH=/bin:/usr/bin", "ENTRYPOINT [\"/bin/probe\"]"});
}

void Host::warm_up() {
  import_base_images();
  const auto before = host_links();
  const Outcome outcome = run({"run", "-d", "--name", "warm-up", kProbeImage, "wait"});
  EXPECT_TRUE(outcome.ok()) << outcome;
  for (const auto& link : host_links())
    if (!before.contains(link) && link.starts_with("fermata-")) tag_ = link;
  EXPECT_TRUE(run({"rm", "-f", "-v", "warm-up"}).ok());
}

std::string Host::inspect(const std::string& name, const std::string& format) const {
  const Outcome outcome = run({"inspect", "--format", format, name});
  EXPECT_TRUE(outcome.ok()) << "inspect --format '" << format << "' " << name << ": " << outcome;
  return outcome.line();
}

pid_t Host::pid_of(const std::string& name) const {
  return std::atoi(inspect(name, "{{.State.Pid}}").c_str());
}

bool Host::is_running(const std::string& name) const { return inspect(name, "{{.State.Running}}") == "true"; }

std::map<std::string, std::string> Host::namespaces_of(const std::string& name) const {
  std::map<std::string, std::string> result;
  const std::string base = "/proc/" + std::to_string(pid_of(name)) + "/ns/";
  for (const char* kind : {"net", "ipc", "uts", "pid", "mnt", "user", "cgroup"}) {
    std::error_code error;
    result[kind] = fs::read_symlink(base + kind, error).string();
    EXPECT_FALSE(error) << base << kind << ": " << error.message();
  }
  return result;
}

bool Host::remove_all() const {
  const Outcome list = run_program(command({"ps", "-aq", "--no-trunc", "--infra"}));
  const Outcome names = list.ok() ? list : run_program(command({"ps", "-aq", "--no-trunc"}));
  Arguments arguments{"rm", "-f", "-v"};
  for (const auto& line : lines_of(names.out)) arguments.push_back(line);
  if (arguments.size() == 3) return names.ok();
  return run_program(command(arguments), {.seconds = 60}).ok();
}

void pack_base(const std::string& directory, const std::string& tar) {
  const std::string program = busybox();
  ASSERT_FALSE(program.empty()) << "busybox is missing: apt-get install busybox-static";
  for (const char* name :
       {"bin", "etc", "tmp", "root", "usr/bin", "proc", "sys", "dev", "var/data", "home/user"})
    fs::create_directories(directory + "/" + name);
  fs::permissions(directory + "/tmp", fs::perms::all | fs::perms::sticky_bit);
  fs::copy_file(program, directory + "/bin/busybox", fs::copy_options::overwrite_existing);
  fs::copy_file(kProbe, directory + "/bin/probe", fs::copy_options::overwrite_existing);
  for (const auto& applet : lines_of(run_program({program, "--list"}).out)) {
    if (applet == "busybox") continue;
    std::error_code ignored;  // a second packing into the same directory
    fs::create_symlink("busybox", directory + "/bin/" + applet, ignored);
  }
  spill(directory + "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/home/user:/bin/sh\nnobody:x:65534:65534::/:/bin/"
        "false\n");
  spill(directory + "/etc/group",
        "root:x:0:\nweb:x:1001:\naudio:x:29:web\nvideo:x:44:web,root\nnobody:x:65534:\n");
  // What a volume over it is filled with.
  spill(directory + "/var/data/seed", "from the image\n");
  ASSERT_EQ(0, ::chown((directory + "/var/data").c_str(), 1000, 1001));
  ASSERT_EQ(0, ::chmod((directory + "/var/data").c_str(), 0750));
  ASSERT_EQ(0, ::chown((directory + "/var/data/seed").c_str(), 1000, 1001));
  const Outcome outcome = run_program({"tar", "--numeric-owner", "-C", directory, "-cf", tar, "."});
  ASSERT_TRUE(outcome.ok()) << outcome;
}

Outcome tcp(const std::string& address, int port, const std::string& text) {
  return run_program({kProbe, "connect", address, std::to_string(port), text});
}

Outcome udp(const std::string& address, int port, const std::string& text) {
  return run_program({kProbe, "send", address, std::to_string(port), text});
}

std::string http(const std::string& address, int port) {
  return run_program({kProbe, "get", address, std::to_string(port)}).line();
}

std::string http_soon(const std::string& address, int port) {
  std::string answer;
  eventually([&] { return !(answer = http(address, port)).empty(); }, 10);
  return answer;
}

int free_port() {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return 0;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin6_port);
}

}  // namespace fermata::e2e
