// Containers whose processes another OCI runtime makes: a program such as runc or crun, by its path. The
// engine writes a bundle; the runtime is executed by fermata-init (runtime/foreign_plan.h) where it makes a
// process, and by the engine to signal one or to forget a container. Pods' infra containers are always ours.
//
// Below the run root: `runtimes/<id>` the bundle, `runtimes/state` what the runtimes keep.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "pod/rows.h"
#include "runtime/foreign_plan.h"

namespace fermata::pod {

// Whether it is one; the built-in pause never is.
bool is_foreign(const ContainerRow& container);
// A program that can be executed, by an absolute path.
Result<void> check_runtime(const std::string& program);

// What a runtime says of itself (`features`); nothing when it does not know that command.
struct RuntimeFeatures {
  bool recursive_read_only = false;
};
RuntimeFeatures read_runtime_features(const std::string& program);
RuntimeFeatures parse_runtime_features(std::string_view json);

// What a runtime has said last, of its log in JSON; "" if nothing.
std::string last_message(std::string_view log);

// A socket that gets a terminal's master. Its file goes with it.
class ConsoleSocket {
 public:
  ConsoleSocket() = default;
  static Result<ConsoleSocket> listen(const std::string& run_root);
  ConsoleSocket(ConsoleSocket&& other) noexcept { *this = std::move(other); }
  ConsoleSocket& operator=(ConsoleSocket&& other) noexcept;
  ~ConsoleSocket();
  int fd() const { return socket_.get(); }  // -1: there is none
  const std::string& path() const { return path_; }

 private:
  UniqueFd socket_;
  std::string path_;
};

class ForeignContainer {
 public:
  ForeignContainer(const std::string& run_root, const ContainerRow& container);

  const std::string& bundle() const { return bundle_; }
  // Of a file in the bundle.
  std::string path(std::string_view name) const { return bundle_ + "/" + std::string(name); }
  // An empty bundle; what is left of a former run is forgotten.
  Result<void> make_bundle() const;
  // `group` is for the caller to fill in.
  runtime::ForeignCommands create_commands(const ConsoleSocket& console) const;
  // `session`: of whose files in the bundle the names begin with it: .json (the process), .pid, .log.
  runtime::ForeignCommands exec_commands(const std::string& session, const ConsoleSocket& console) const;
  void remove_session(const std::string& session) const;
  // Why the creation (session "") or an exec has failed, in the runtime's words.
  std::string complaint(const std::string& session = "") const;

  Result<void> signal(int number) const;
  // It does not run any more. Repeatable. After an Error, too, nothing is left of it but what the runtime
  // keeps elsewhere.
  Result<void> forget() const;

 private:
  std::vector<std::string> command(const std::string& log, std::vector<std::string> rest) const;
  Result<void> run(std::vector<std::string> rest) const;

  std::string id_, program_, directory_of_all_, state_, bundle_;
};

}  // namespace fermata::pod
