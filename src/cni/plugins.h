// The plugins on this host: programs in directories, executed one command at a time; CNI specification 1.1,
// section 2.
//
// Runs them in the calling thread's namespaces with the environment that the process had when the object was
// made, its CNI_* variables replaced. Thread-safe: one object serves all threads, and plugins run in
// parallel.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cni/plugin_error.h"
#include "cni/request.h"

namespace fermata::cni {

struct Reply {
  std::string output;                // of a plugin that has succeeded
  std::optional<PluginError> error;  // of one that has not
};

class Plugins {
 public:
  static std::vector<std::string> default_directories() { return {"/opt/cni/bin", "/usr/lib/cni"}; }
  // As long as a kubelet waits for an answer.
  static constexpr std::chrono::milliseconds kDefaultTimeout = std::chrono::minutes(2);

  // `timeout`: of each plugin; those that it starts itself are in it.
  explicit Plugins(std::vector<std::string> directories = default_directories(),
                   std::chrono::milliseconds timeout = kDefaultTimeout);
  Plugins(const Plugins&) = delete;
  Plugins& operator=(const Plugins&) = delete;

  // Its path, in the first directory that has it. ErrorKind::not_found names the directories.
  Result<std::string> find(const std::string& type) const;
  // An error: it could not be executed, or its time was over.
  Result<Reply> run(const std::string& type, const Request& request) const;
  // VERSION, remembered until the program is replaced.
  Result<std::vector<Version>> versions(const std::string& type);

 private:
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0, changed = 0;
    bool operator==(const Identity&) const = default;
  };
  struct Known {
    Identity identity;
    std::vector<Version> versions;
  };
  static Result<Identity> identify(const std::string& path);

  const std::vector<std::string> directories_;
  const std::chrono::milliseconds timeout_;
  std::vector<std::string> environment_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by path
};

}  // namespace fermata::cni
