#include "cri/pod_changes.h"

#include <algorithm>

namespace fermata::cri {
namespace {

// How far a container or a pod has come.
enum class Stage { absent, created, running, ended, gone };

Stage stage_of(const v1::PodSandboxStatus& pod) {
  return pod.state() == v1::SANDBOX_READY ? Stage::running : Stage::ended;
}

Stage stage_of(const v1::ContainerStatus& container) {
  switch (container.state()) {
    case v1::CONTAINER_CREATED:
      return Stage::created;
    case v1::CONTAINER_RUNNING:
      return Stage::running;
    default:
      return Stage::ended;
  }
}

class Teller {
 public:
  Teller(const PodSnapshot& snapshot, std::int64_t time) : snapshot_(snapshot), time_(time) {}

  // All that lies between two stages. `ran`: it has, if it has ended.
  void tell(const std::string& id, Stage from, Stage to, bool ran) {
    if (from < Stage::created && to >= Stage::created) add(id, v1::CONTAINER_CREATED_EVENT);
    if (from < Stage::running && to >= Stage::running && (ran || to == Stage::running))
      add(id, v1::CONTAINER_STARTED_EVENT);
    if (from < Stage::ended && to >= Stage::ended && (ran || to == Stage::ended))
      add(id, v1::CONTAINER_STOPPED_EVENT);
    if (to == Stage::gone) add(id, v1::CONTAINER_DELETED_EVENT);
  }

  std::vector<v1::ContainerEventResponse> take() { return std::move(events_); }

 private:
  void add(const std::string& id, v1::ContainerEventType type) {
    v1::ContainerEventResponse& event = events_.emplace_back();
    event.set_container_id(id);
    event.set_container_event_type(type);
    event.set_created_at(time_);
    *event.mutable_pod_sandbox_status() = snapshot_.pod;
    for (const v1::ContainerStatus& status : snapshot_.containers) *event.add_containers_statuses() = status;
  }

  const PodSnapshot& snapshot_;
  const std::int64_t time_;
  std::vector<v1::ContainerEventResponse> events_;
};

const v1::ContainerStatus* find(const std::optional<PodSnapshot>& snapshot, const std::string& id) {
  if (!snapshot) return nullptr;
  for (const v1::ContainerStatus& status : snapshot->containers)
    if (status.id() == id) return &status;
  return nullptr;
}

// What is told with the last events of a pod that is gone.
PodSnapshot remains_of(const PodSnapshot& before) {
  PodSnapshot remains{.pod = before.pod, .containers = {}};
  remains.pod.set_state(v1::SANDBOX_NOTREADY);
  return remains;
}

}  // namespace

std::vector<v1::ContainerEventResponse> changes(const std::optional<PodSnapshot>& before,
                                                const std::optional<PodSnapshot>& now, std::int64_t time) {
  if (!before && !now) return {};
  const PodSnapshot shown = now ? *now : remains_of(*before);
  Teller teller(shown, time);
  const Stage was = before ? stage_of(before->pod) : Stage::absent;
  const Stage is = now ? stage_of(now->pod) : Stage::gone;
  // It comes before its containers, and ends after them.
  if (is == Stage::running) teller.tell(shown.pod.id(), was, is, true);
  if (before)
    for (const v1::ContainerStatus& old : before->containers)
      if (find(now, old.id()) == nullptr)
        teller.tell(old.id(), stage_of(old), Stage::gone, stage_of(old) == Stage::running);
  for (const v1::ContainerStatus& status : shown.containers) {
    const v1::ContainerStatus* old = find(before, status.id());
    teller.tell(status.id(), old != nullptr ? stage_of(*old) : Stage::absent, stage_of(status),
                status.started_at() != 0);
  }
  if (is != Stage::running) teller.tell(shown.pod.id(), was, is, true);
  return teller.take();
}

}  // namespace fermata::cri
