// The pods and containers that lists, statuses and statistics are about, kept from one call to the next: a
// kubelet lists all of them each second, and next to nothing has changed.
//
// What is told is never older than the call: a pod is looked at again when its rows have another revision,
// and when a process of it has ended, of which its descriptor tells (pidfd_open(2)).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cri/end_watch.h"
#include "cri/engines.h"
#include "cri/protocol.h"
#include "pod/model.h"

namespace fermata::cri {

struct KnownContainer {
  v1::Container entry;
  v1::ContainerStatus rest;  // of its status: without_entry(), and without the names of its image
  std::string image;         // what its user calls it
  std::string cgroup;        // a path below the hierarchies
  std::string upper_path;
  pod::Resources limits;
  std::int64_t started = 0;  // ns
};

struct KnownPod {
  v1::PodSandbox entry;
  v1::PodSandboxStatus rest;               // of its status: without_entry()
  std::string cgroup;                      // "" unless it is ready
  int network_pid = 0;                     // a process in its network; 0: it has none of its own
  std::int64_t started = 0;                // ns
  std::vector<KnownContainer> containers;  // newest first
};

bool runs(const KnownContainer& container);
bool is_ready(const KnownPod& pod);

// Thread-safe. The engines are borrowed.
class Inventory {
 public:
  explicit Inventory(Engines& engines);

  using Pods = std::vector<std::shared_ptr<const KnownPod>>;
  // Newest first. What somebody made by hand under Kubernetes' name is not in it.
  Result<Pods> pods();

  struct Place {
    std::shared_ptr<const KnownPod> pod;
    const KnownContainer* container = nullptr;  // of `pod`
  };
  // By id, or the beginning of one, for which all pods are looked at.
  Result<Place> container(const std::string& id);
  Result<std::shared_ptr<const KnownPod>> pod(const std::string& id);

 private:
  struct Entry {
    std::int64_t revision = 0;
    std::shared_ptr<const KnownPod> pod;  // nullptr: it is not Kubernetes'
  };
  // Of one that is gone, ErrorKind::not_found. The caller holds the mutex.
  Result<Entry> look_at(pod::Engine& engine, const std::string& id);
  // The same, but if nothing has changed since the last look.
  Result<std::shared_ptr<const KnownPod>> current(pod::Engine& engine, const std::string& id);
  Result<std::string> pod_of(pod::Engine& engine, const std::string& container);

  Engines& engines_;
  std::mutex mutex_;
  EndWatch ends_;  // of the pods in entries_
  std::map<std::string, Entry> entries_;
};

}  // namespace fermata::cri
