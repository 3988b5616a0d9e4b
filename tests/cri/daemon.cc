#include "cri/daemon.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "e2e/support/cgroup_manager.h"
#include "e2e/support/host.h"

namespace fermata::cri_test {

namespace fs = std::filesystem;
using e2e::Arguments;
using e2e::spill;

namespace {

constexpr double kStart = 60;  // seconds
// Other OCI runtimes, as Debian places them.
const std::string kRunc = "/usr/sbin/runc", kCrun = "/usr/bin/crun";

// The plugins of Debian's containernetworking-plugins, with addresses that no other network of a test has.
constexpr char kNetwork[] = R"({"cniVersion": "1.0.0", "name": "cri-test", "plugins": [
  {"type": "bridge", "bridge": "cri-test0", "isGateway": true,
   "ipam": {"type": "host-local", "dataDir": "DIRECTORY/addresses", "ranges": [[{"subnet": "10.214.0.0/16"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]})";

}  // namespace

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {
  fs::create_directories(options_.directory + "/cni");
  if (options_.kind == Kind::containerd)
    write_containerd_configuration();
  else
    write_fermatad_configuration();
}

void Daemon::write_containerd_configuration() const {
  const std::string& at = options_.directory;
  const std::string plugin = "[plugins.\"io.containerd.grpc.v1.cri\"";
  spill(at + "/config.toml",
        "version = 2\nroot = \"" + at + "/root\"\nstate = \"" + at + "/state\"\n[grpc]\n  address = \"" +
            socket() + "\"\n[ttrpc]\n  address = \"" + at + "/ttrpc.sock\"\n" + plugin +
            // This machine may lack CAP_SYS_RESOURCE.
            "]\n  restrict_oom_score_adj = true\n  stream_server_port = \"0\"\n"
            "  sandbox_image = \"" +
            options_.pause_image + "\"\n" + plugin + ".cni]\n  bin_dir = \"/usr/lib/cni\"\n  conf_dir = \"" +
            at + "/cni\"\n" + plugin +
            ".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n" + plugin +
            ".containerd.runtimes.crun]\n  runtime_type = \"io.containerd.runc.v2\"\n" + plugin +
            ".containerd.runtimes.crun.options]\n  BinaryName = \"" + kCrun + "\"\n");
  std::string network = kNetwork;
  const std::string place = "DIRECTORY";
  network.replace(network.find(place), place.size(), at);
  spill(at + "/cni/10-cri-test.conflist", network);
}

void Daemon::write_fermatad_configuration() const {
  // An empty directory: the built-in network.
  const std::string& at = options_.directory;
  std::string manager = e2e::cgroup_manager();
  if (!manager.empty()) manager = "cgroup_manager = \"" + manager + "\"\n";
  spill(at + "/config.toml", manager + "cdi_dirs = [\"" + at + "/cdi\"]\n[cni]\nconf_dir = \"" + at +
                                 "/cni\"\n[runtimes.runc]\npath = \"" + kRunc +
                                 "\"\n[runtimes.crun]\npath = \"" + kCrun + "\"\n");
}

Arguments Daemon::command() const {
  const std::string& at = options_.directory;
  Arguments command{"sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", at + "/log"};
  if (options_.kind == Kind::containerd)
    command.insert(command.end(), {"containerd", "-c", at + "/config.toml"});
  else
    command.insert(command.end(), {e2e::programs_directory() + "/fermatad", "--config", at + "/config.toml",
                                   "--root", at + "/root", "--run-root", at + "/run", "--listen", socket()});
  return command;
}

void Daemon::start() {
  process_ = std::make_unique<e2e::Background>(command(), e2e::Background::Streams::pipes);
  const bool answers = e2e::eventually(
      [&] {
        client_ = std::make_unique<Client>(socket());
        v1::StatusRequest request;
        const auto reply = client_->call(&Runtime::Status, request, 5);
        return reply.ok();
      },
      kStart);
  ASSERT_TRUE(answers) << log();
}

int Daemon::stop() {
  client_.reset();
  process_->signal(SIGTERM);
  const int code = process_->wait(kStart).code;
  process_.reset();
  return code;
}

void Daemon::kill() {
  client_.reset();
  process_->signal(SIGKILL);
  process_->wait(kStart);
  process_.reset();
}

}  // namespace fermata::cri_test
