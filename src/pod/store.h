// Rows of pods, containers, volumes and intents as values. Every function is one or a few statements;
// transactions are the caller's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "pod/rows.h"
#include "state/database.h"

namespace fermata::pod {

// Work in progress that a killed process leaves to the next one.
struct Intent {
  std::int64_t id = 0;
  std::string kind;  // "start" (object: pod), "remove", "restart", "checkpoint", "run" (object: container; of
                     // an infra container: its pod); others belong to the image store
  std::string object;
  bool volumes = false;  // of "remove": with its anonymous volumes
  int pid = 0;
  std::int64_t pid_start = 0;  // clock ticks after boot, proc_pid_stat(5)
  bool at_work() const;        // its process lives
};

struct Volume {
  std::string name;
  bool anonymous = false;
};

class Store {
 public:
  explicit Store(state::Database& database) : database_(&database) {}

  Result<void> insert(const PodRow& pod);
  // False: the name is taken.
  Result<bool> insert(const ContainerRow& container);
  Result<PodRow> pod(const std::string& id);
  // By id, name or unique id prefix. `owner` "": anyone's.
  Result<PodRow> find_pod(std::string_view reference, const std::string& owner);
  // Another number after each change of the pod's row or of its containers' rows. Newest pod first; "": of
  // all.
  Result<std::vector<PodRevision>> pod_revisions(const std::string& owner);
  Result<std::int64_t> pod_revision(const std::string& id);
  Result<std::vector<PodRow>> pods(bool ready_only);
  Result<bool> any_ready_pod();
  Result<void> update(const PodRow& pod);
  Result<void> update_state(const ContainerRow& container);  // state and runtime
  Result<void> update_config(const ContainerRow& container);

  // By id, name or unique id prefix; docker's words for the rest. `owner` "": anyone's.
  Result<ContainerRow> find(std::string_view reference, const std::string& owner);
  Result<ContainerRow> container(const std::string& id);
  Result<std::vector<ContainerRow>> members(const std::string& pod);  // oldest first
  Result<std::vector<ContainerRow>> containers(const std::string& owner);
  // The id that holds this name, "" if it is free.
  Result<std::string> name_holder(const std::string& owner, const std::string& name);
  Result<void> remove_container(const std::string& id);
  // The pod's row, if no container is left in it. True if it was removed.
  Result<bool> remove_pod_if_empty(const std::string& id);
  // (image id, container id) of every container with an image of the store.
  Result<std::vector<std::pair<std::string, std::string>>> images_in_use();

  // Nothing happens if it exists.
  Result<void> insert_volume(const std::string& name, const std::string& owner,
                             const std::string& anonymous_of);
  Result<std::vector<std::string>> anonymous_volumes(const std::string& container);
  Result<void> remove_volume(const std::string& name);
  // They stay, as docker leaves them, and belong to no container.
  Result<void> orphan_volumes(const std::string& container);

  // Of this process.
  Result<std::int64_t> add_intent(const std::string& kind, const std::string& object, bool volumes);
  Result<void> remove_intent(std::int64_t id);
  Result<void> remove_intents(const std::string& kind, const std::string& object);
  Result<std::vector<Intent>> intents();

  state::Database& database() { return *database_; }

 private:
  state::Database* database_;
};

}  // namespace fermata::pod
