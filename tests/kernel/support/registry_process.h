// Debian's docker-registry on a free port of 127.0.0.1. Ended with the object.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "base/core/unique_fd.h"

namespace fermata::test {

class RegistryProcess {
 public:
  struct Options {
    std::string htpasswd;          // a line of such a file
    std::string certificate, key;  // paths
  };
  // A CA (ca.crt) and a certificate of its for `names`, in the directory, with which the registry speaks TLS.
  static Options make_certificate(const std::string& directory, const std::string& names) {
    const std::string at = directory + "/";
    const std::string key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + at;
    const auto run = [](const std::string& command) {
      EXPECT_EQ(0, std::system((command + " > /dev/null 2>&1").c_str())) << command;
    };
    run("openssl req -x509 -days 2 -subj /CN=test-ca " + key + "ca.key -out " + at + "ca.crt");
    run("openssl req -subj /CN=test -addext subjectAltName=" + names + " " + key + "server.key -out " + at +
        "server.csr");
    run("openssl x509 -req -days 2 -copy_extensions copy -CAcreateserial -in " + at + "server.csr -CA " + at +
        "ca.crt -CAkey " + at + "ca.key -out " + at + "server.crt");
    return {.certificate = at + "server.crt", .key = at + "server.key"};
  }
  RegistryProcess(const std::string& directory, const Options& options) {
    for (int tries = 0; tries < 5 && !start(directory, options); ++tries) stop();
  }
  ~RegistryProcess() { stop(); }
  RegistryProcess(const RegistryProcess&) = delete;
  RegistryProcess& operator=(const RegistryProcess&) = delete;

  bool runs() const { return pid_ > 0; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  // Somebody else may take the port meanwhile: then it ends, and is started again.
  static std::uint16_t free_port() {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void write_configuration(const std::string& directory, const Options& options) const {
    std::ofstream file(directory + "/registry.yml");
    file << "version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: " << directory
         << "/storage}\nhttp:\n  addr: " << host() << "\n  secret: x\n";
    if (!options.certificate.empty())
      file << "  tls: {certificate: " << options.certificate << ", key: " << options.key << "}\n";
    if (options.htpasswd.empty()) return;
    std::ofstream(directory + "/htpasswd") << options.htpasswd << "\n";
    file << "auth:\n  htpasswd: {realm: test, path: " << directory << "/htpasswd}\n";
  }
  bool start(const std::string& directory, const Options& options) {
    port_ = free_port();
    write_configuration(directory, options);
    const std::string configuration = directory + "/registry.yml", log = directory + "/registry.log";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::freopen(log.c_str(), "a", stderr) == nullptr || ::dup2(2, 1) < 0) ::_exit(126);
      ::execlp("docker-registry", "docker-registry", "serve", configuration.c_str(), nullptr);
      ::_exit(127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = loopback(port_);
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace fermata::test
