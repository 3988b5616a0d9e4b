// One engine of a test's own: its directories, and the command line on them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "e2e/support/process.h"
#include "e2e/support/snapshot.h"

namespace fermata::e2e {

// Where the programs are: beside the tests, or in FERMATA_TEST_PROGRAMS, such as an installation's.
std::string programs_directory();
inline const std::string kFermata = programs_directory() + "/fermata";
inline const std::string kFermataOci = programs_directory() + "/fermata-oci";
inline const std::string kProbe = programs_directory() + "/e2e_probe";

// Images that image() makes.
inline const std::string kBase = "e2e/base:1";         // busybox, the probe, a few users; no command
inline const std::string kProbeImage = "e2e/probe:1";  // the same with ENTRYPOINT ["/bin/probe"]
inline const std::string kPause = "registry.k8s.io/pause:3.9";

class Host {
 public:
  // Fresh directories below a short one in /tmp (a socket's path has 108 bytes at most).
  Host();
  // `root` elsewhere: it must exist.
  explicit Host(const std::string& root);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  // Removes every container and the directories.
  ~Host();

  const std::string& directory() const { return directory_; }
  SnapshotScope scope() const { return {root_, run_root_, tag_}; }
  // fermata --root ... --run-root ... arguments...
  Arguments command(const Arguments& arguments) const;
  // Also fails the test if something that outlives the command holds its output open: $(fermata run -d ...)
  // would hang.
  Outcome run(const Arguments& arguments, const RunOptions& options = {}) const;
  std::unique_ptr<Background> start(const Arguments& arguments,
                                    Background::Streams streams = Background::Streams::pipes) const;

  // Imports the base images on first use; the path of their tar.
  const std::string& base_tar();
  void import_base_images();
  void import(const std::string& name, const Arguments& changes);
  // Starts and removes one container, so that what an engine makes once (database, cached filters) is there;
  // learns tag().
  void warm_up();

  // `inspect --format`, without the newline.
  std::string inspect(const std::string& name, const std::string& format) const;
  pid_t pid_of(const std::string& name) const;
  bool is_running(const std::string& name) const;
  // Namespaces of its first process, by name; from outside.
  std::map<std::string, std::string> namespaces_of(const std::string& name) const;
  // Containers that are left are removed by force; false when that failed.
  bool remove_all() const;

 private:
  std::string directory_, root_, run_root_, tag_ = "fermata-";
  std::string base_tar_;
  bool imported_ = false;
};

// A root file system as a tar: busybox with its links, the probe, passwd, group; `extra` is called with the
// directory before it is packed.
void pack_base(const std::string& directory, const std::string& tar);

// TCP and UDP from the test's host, by the probe.
Outcome tcp(const std::string& address, int port, const std::string& text = "hello");
Outcome udp(const std::string& address, int port, const std::string& text = "hello");
// The body; "" when nothing answers.
std::string http(const std::string& address, int port);
// The same, tried until it answers.
std::string http_soon(const std::string& address, int port);
// A TCP port that is free now on every address.
int free_port();

}  // namespace fermata::e2e
