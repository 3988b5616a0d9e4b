// The daemon under test: fermatad, or Debian's containerd, which is held to the same expectations. Each on
// directories of the test's own.
#pragma once

#include <memory>
#include <string>

#include "cri/client.h"
#include "e2e/support/process.h"

namespace fermata::cri_test {

enum class Kind { fermatad, containerd };

struct DaemonOptions {
  Kind kind = Kind::fermatad;
  std::string directory;    // must exist; short, for the sockets in it
  std::string pause_image;  // for those that hold pods with an image
};

class Daemon {
 public:
  // Writes the configuration; starts nothing.
  explicit Daemon(DaemonOptions options);

  // Until it answers; a test failure tells its log when it does not.
  void start();
  // SIGTERM, and its exit code.
  int stop();
  // SIGKILL.
  void kill();
  bool runs() const { return process_ != nullptr; }

  Kind kind() const { return options_.kind; }
  // Of the running daemon.
  const Client& client() const { return *client_; }
  std::string socket() const { return options_.directory + "/cri.sock"; }
  std::string log() const { return e2e::slurp(options_.directory + "/log"); }

 private:
  e2e::Arguments command() const;
  void write_containerd_configuration() const;
  void write_fermatad_configuration() const;

  const DaemonOptions options_;
  std::unique_ptr<e2e::Background> process_;
  std::unique_ptr<Client> client_;
};

}  // namespace fermata::cri_test
