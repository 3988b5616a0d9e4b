#include "e2e/support/oci.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

namespace fermata::e2e {
namespace {


// The containers' own directories come and go with them; the test's bundles are no leak.
Snapshot without_files(Snapshot snapshot) {
  snapshot.things.erase("file");
  return snapshot;
}

bool readable(int fd) {
  pollfd ready = {fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(scaled(10).count() * 1000)) > 0;
}

}  // namespace

void OciTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::string name = "/tmp/focXXXXXX";
  ASSERT_NE(nullptr, ::mkdtemp(name.data()));
  // The root is walked to by users of user namespaces too.
  std::filesystem::permissions(name, std::filesystem::perms(0755));
  directory_ = name;
  tag_ = "fermata-oci-" + name.substr(name.size() - 6);
  pack_base(path("rootfs"), path("base.tar"));
  before_ = without_files(take_snapshot({directory_, directory_, tag_}));
}

void OciTest::TearDown() {
  if (directory_.empty()) return;
  for (const auto& left : lines_of(oci({"list", "-q"}).out)) oci({"delete", "--force", left});
  std::vector<std::string> left;
  const auto clean = [&] {
    left = leaks(before_, without_files(take_snapshot({directory_, directory_, tag_})));
    return left.empty();
  };
  if (!eventually(clean)) ADD_FAILURE() << "left behind: " << testing::PrintToString(left);
  EXPECT_EQ("", run_program({"ls", "-A", path("state")}).out);
  run_program({"rm", "-rf", "--one-file-system", directory_});
}

json OciTest::config(const Arguments& command) const {
  const std::string example = path("example");
  std::filesystem::create_directories(example);
  std::filesystem::remove(example + "/config.json");
  must({"spec", "--bundle", example});
  json result = json::parse(slurp(example + "/config.json"));
  result["process"]["terminal"] = false;
  result["process"]["args"] = command;
  result["root"] = {{"path", path("rootfs")}};
  return result;
}

std::string OciTest::bundle(const std::string& name, const json& config) const {
  const std::string directory = path("bundle-" + name);
  std::filesystem::create_directories(directory);
  spill(directory + "/config.json", config.dump());
  return directory;
}

Arguments OciTest::command(const Arguments& arguments) const {
  Arguments result{kFermataOci, "--root", path("state")};
  result.insert(result.end(), arguments.begin(), arguments.end());
  return result;
}

Outcome OciTest::oci(const Arguments& arguments, const RunOptions& options) const {
  return run_program(command(arguments), options);
}

std::string OciTest::must(const Arguments& arguments) const {
  const Outcome outcome = oci(arguments);
  EXPECT_TRUE(outcome.ok()) << testing::PrintToString(arguments) << ": " << outcome;
  return outcome.line();
}

Outcome OciTest::detached(const Arguments& arguments) const {
  Arguments shell{"sh", "-c", "out=$0; exec \"$@\" </dev/null >>\"$out\" 2>&1", path("output")};
  const Arguments all = command(arguments);
  shell.insert(shell.end(), all.begin(), all.end());
  Outcome outcome = run_program(shell);
  outcome.err += output();
  return outcome;
}

void OciTest::create(const std::string& name, const json& config) const {
  const Outcome outcome = detached({"create", "--bundle", bundle(name, config), id(name)});
  EXPECT_TRUE(outcome.ok()) << "create " << name << ": " << outcome;
}

void OciTest::start(const std::string& name, const json& config) const {
  create(name, config);
  must({"start", id(name)});
}

Outcome OciTest::run(const std::string& name, const json& config, const Arguments& flags) const {
  Arguments arguments{"run", "--bundle", bundle(name, config)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(id(name));
  return oci(arguments);
}

json OciTest::state(const std::string& name) const {
  const Outcome outcome = oci({"state", id(name)});
  return outcome.ok() ? json::parse(outcome.out, nullptr, false) : json::object();
}

bool OciTest::becomes(const std::string& name, const std::string& status) const {
  return eventually([&] { return this->status(name) == status; });
}

ConsoleSocket::ConsoleSocket(std::string path) : path_(std::move(path)) {
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(0, ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)) << path_;
  EXPECT_EQ(0, ::listen(socket_.get(), 1));
}

UniqueFd ConsoleSocket::receive() const {
  if (!readable(socket_.get())) return {};
  const UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer || !readable(peer.get())) return {};
  std::array<char, 256> bytes;
  iovec part = {bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return UniqueFd(fd);
}

std::string read_terminal(int master, const std::string& text) {
  std::string seen;
  std::array<char, 4096> bytes;
  while (!contains(seen, text) && readable(master)) {
    const ssize_t got = ::read(master, bytes.data(), bytes.size());
    if (got <= 0) break;
    seen.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return seen;
}

}  // namespace fermata::e2e
