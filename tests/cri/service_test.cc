// fermatad as an operator meets it: its settings, its socket, who else may run, and what systemd hears.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "base/core/unique_fd.h"
#include "cri/fixture.h"
#include "e2e/support/host.h"

namespace fermata::cri_test {
namespace {

namespace fs = std::filesystem;
using e2e::Background;
using e2e::Outcome;
using testing::HasSubstr;

// One of the test's own, beside the one that all tests share.
class Service : public CriTest {
 protected:
  void SetUp() override {
    CriTest::SetUp();
    if (is_containerd()) GTEST_SKIP() << "about fermatad alone";
    fs::create_directories(scratch("cni"));
    set("");
  }
  static std::string program() { return e2e::programs_directory() + "/fermatad"; }
  static Arguments command(const Arguments& more = {}) {
    Arguments all{program(),    "--config",   scratch("d.toml"), "--root",    scratch("r"),
                  "--run-root", scratch("u"), "--listen",        scratch("s")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static void set(const std::string& more) {
    e2e::spill(scratch("d.toml"), "[cni]\nconf_dir = \"" + scratch("cni") + "\"\n" + more);
  }
};

TEST_F(Service, PrintsSettingsThatItTakes) {
  const Outcome printed = e2e::run_program({program(), "config", "default"});
  EXPECT_EQ(0, printed.code);
  e2e::spill(scratch("default.toml"), printed.out);
  EXPECT_EQ(0, e2e::run_program({program(), "config", "check", scratch("default.toml")}).code);
  set("[log]\nlevel = \"loud\"\n");
  const Outcome wrong = e2e::run_program({program(), "config", "check", scratch("d.toml")});
  EXPECT_EQ(1, wrong.code);
  EXPECT_THAT(wrong.err, HasSubstr(scratch("d.toml") + ":4: log.level is none of"));
  EXPECT_EQ(2, e2e::run_program({program(), "--no-such-flag"}).code);
}

TEST_F(Service, IsOneForEachStoreAndEachSocket) {
  Background first(command(), Background::Streams::pipes);
  ASSERT_TRUE(first.read_until("msg=serving", e2e::scaled(20).count())) << first.err();
  const Outcome second = e2e::run_program(command());
  EXPECT_EQ(1, second.code);
  EXPECT_THAT(second.err,
              HasSubstr("another fermatad (pid " + std::to_string(first.pid()) + ") has the store"));
  const Outcome elsewhere = e2e::run_program(command({"--root", scratch("r2"), "--run-root", scratch("u2")}));
  EXPECT_EQ(1, elsewhere.code);
  EXPECT_THAT(elsewhere.err, HasSubstr("another process serves '" + scratch("s") + "'"));
  first.signal(SIGTERM);
  EXPECT_EQ(0, first.wait().code);
  EXPECT_FALSE(fs::exists(scratch("s")));
}

TEST_F(Service, ReplacesASocketThatAKilledOneHasLeft) {
  {
    Background killed(command(), Background::Streams::pipes);
    ASSERT_TRUE(killed.read_until("msg=serving", e2e::scaled(20).count())) << killed.err();
    killed.signal(SIGKILL);
    killed.wait();
  }
  ASSERT_TRUE(fs::exists(scratch("s")));
  set("");
  e2e::spill(scratch("d.toml"), "socket_mode = \"0600\"\n" + e2e::slurp(scratch("d.toml")));
  Background next(command(), Background::Streams::pipes);
  ASSERT_TRUE(next.read_until("msg=serving", e2e::scaled(20).count())) << next.err();
  struct stat info = {};
  ASSERT_EQ(0, ::stat(scratch("s").c_str(), &info));
  EXPECT_EQ(0600u, info.st_mode & 0777);
}

TEST_F(Service, TakesItsSettingsAnew) {
  Background daemon(command({"--log-format", "json"}), Background::Streams::pipes);
  ASSERT_TRUE(daemon.read_until("\"serving\"", e2e::scaled(20).count())) << daemon.err();
  set("[log]\nlevel = \"debug\"\n");
  daemon.signal(SIGHUP);
  ASSERT_TRUE(daemon.read_until("settings reloaded")) << daemon.err();
  const Client client(scratch("s"));
  ASSERT_OK(client.call(&Runtime::Version, v1::VersionRequest()));
  EXPECT_TRUE(daemon.read_until("\"method\":\"Version\"")) << "debug shows each call: " << daemon.err();
  set("nonsense = 1\n");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(daemon.read_until("unknown setting 'cni.nonsense'")) << daemon.err();
  EXPECT_OK(client.call(&Runtime::Version, v1::VersionRequest())) << "those before stay";
}

TEST_F(Service, TellsSystemdHowItIs) {
  const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = scratch("n");
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(0, ::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  Arguments arguments{"env", "NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"};
  for (const std::string& word : command()) arguments.push_back(word);
  Background daemon(arguments, Background::Streams::pipes);
  const auto heard = [&](const char* what) {
    return eventually([&] {
      char buffer[256];
      const ssize_t got = ::recv(manager.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      return got > 0 && std::string(buffer, static_cast<std::size_t>(got)).find(what) != std::string::npos;
    });
  };
  EXPECT_TRUE(heard("READY=1")) << daemon.err();
  EXPECT_TRUE(heard("WATCHDOG=1"));
  EXPECT_TRUE(heard("WATCHDOG=1"));
  daemon.signal(SIGHUP);
  EXPECT_TRUE(heard("RELOADING=1\nMONOTONIC_USEC="));
  daemon.signal(SIGTERM);
  EXPECT_TRUE(heard("STOPPING=1"));
  EXPECT_EQ(0, daemon.wait().code);
}

}  // namespace
}  // namespace fermata::cri_test
