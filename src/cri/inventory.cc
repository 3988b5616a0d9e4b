#include "cri/inventory.h"

#include <sys/resource.h>

#include <set>

#include "base/id.h"
#include "cri/keepsake.h"
#include "cri/rpc_status.h"
#include "cri/statuses.h"

namespace fermata::cri {
namespace {

// Of those that this process may have; the rest is for calls.
std::size_t descriptors_to_keep() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<std::size_t>(limit.rlim_cur / 2);
}

KnownContainer known(const pod::ContainerInfo& container, const v1::CreateContainerRequest& request) {
  return {.entry = entry_of(container, request),
          .rest = without_entry(status_of(container, request)),
          .image = asked_name(request.config().image()),
          .cgroup = container.cgroup,
          .upper_path = container.upper_path,
          .limits = container.config.resources,
          .started = container.started};
}

KnownPod known(const pod::PodObservation& seen, const v1::RunPodSandboxRequest& request) {
  KnownPod pod{.entry = entry_of(seen.pod, request),
               .rest = without_entry(status_of(seen.pod, request)),
               .cgroup = seen.pod.cgroup,
               .network_pid = seen.pod.infra.config.net.kind == "host" ? 0 : seen.pod.infra.pid,
               .started = seen.pod.infra.started,
               .containers = {}};
  for (const pod::ContainerInfo& member : seen.members)
    if (const auto made_by = container_request(member)) pod.containers.push_back(known(member, *made_by));
  return pod;
}

bool is_whole(const std::string& id) { return id.size() == kIdLength; }

Inventory::Place place_in(const std::shared_ptr<const KnownPod>& pod, const std::string& container) {
  if (pod)
    for (const KnownContainer& each : pod->containers)
      if (each.entry.id() == container) return {.pod = pod, .container = &each};
  return {};
}

tl::unexpected<Error> ambiguous(const std::string& id) {
  return fail(ErrorKind::invalid_argument, "multiple IDs found with provided prefix: {}", id);
}

}  // namespace

bool runs(const KnownContainer& container) { return container.entry.state() == v1::CONTAINER_RUNNING; }

bool is_ready(const KnownPod& pod) { return pod.entry.state() == v1::SANDBOX_READY; }

Inventory::Inventory(Engines& engines) : engines_(engines), ends_(descriptors_to_keep()) {}

Result<Inventory::Entry> Inventory::look_at(pod::Engine& engine, const std::string& id) {
  TRY(auto seen, engine.observe_pod(id));
  Entry entry{.revision = seen.revision, .pod = nullptr};
  if (const auto request = sandbox_request(seen.pod.infra))
    entry.pod = std::make_shared<const KnownPod>(known(seen, *request));
  if (!seen.passing && ends_.add(id, std::move(seen.ends)))
    entries_.insert_or_assign(id, entry);
  else
    entries_.erase(id);
  return entry;
}

Result<Inventory::Pods> Inventory::pods() {
  TRY(auto engine, engines_.lease());
  const std::scoped_lock lock(mutex_);
  for (const std::string& id : ends_.take_ended()) entries_.erase(id);
  TRY(const auto revisions, engine->pod_revisions());
  Pods found;
  std::set<std::string> present;
  for (const auto& [id, number] : revisions) {
    present.insert(id);
    const auto kept = entries_.find(id);
    if (kept != entries_.end() && kept->second.revision == number) {
      if (kept->second.pod) found.push_back(kept->second.pod);
      continue;
    }
    const auto entry = look_at(*engine, id);
    if (!entry && is_gone(entry.error())) continue;
    if (!entry) return tl::unexpected(entry.error());
    if (entry->pod) found.push_back(entry->pod);
  }
  std::erase_if(entries_, [&](const auto& entry) {
    if (present.contains(entry.first)) return false;
    ends_.remove(entry.first);
    return true;
  });
  return found;
}

Result<std::shared_ptr<const KnownPod>> Inventory::current(pod::Engine& engine, const std::string& id) {
  for (const std::string& ended : ends_.take_ended()) entries_.erase(ended);
  const auto revision = engine.pod_revision(id);
  const auto kept = entries_.find(id);
  if (kept != entries_.end() && revision && kept->second.revision == *revision) return kept->second.pod;
  if (!revision) {
    if (kept != entries_.end()) entries_.erase(kept);
    ends_.remove(id);
    return tl::unexpected(revision.error());
  }
  TRY(auto entry, look_at(engine, id));
  return std::move(entry.pod);
}

Result<std::string> Inventory::pod_of(pod::Engine& engine, const std::string& container) {
  for (const auto& [id, entry] : entries_)
    if (place_in(entry.pod, container).pod) return id;
  return engine.pod_of(container);
}

Result<std::shared_ptr<const KnownPod>> Inventory::pod(const std::string& id) {
  if (is_whole(id)) {
    TRY(auto engine, engines_.lease());
    const std::scoped_lock lock(mutex_);
    TRY(auto found, current(*engine, id));
    if (!found) return fail(ErrorKind::not_found, "No such pod: {}", id);
    return found;
  }
  TRY(const auto all, pods());
  std::shared_ptr<const KnownPod> found;
  for (const auto& pod : all) {
    if (!pod->entry.id().starts_with(id)) continue;
    if (found) return ambiguous(id);
    found = pod;
  }
  if (!found) return fail(ErrorKind::not_found, "No such pod: {}", id);
  return found;
}

Result<Inventory::Place> Inventory::container(const std::string& id) {
  if (is_whole(id)) {
    TRY(auto engine, engines_.lease());
    const std::scoped_lock lock(mutex_);
    TRY(const std::string pod, pod_of(*engine, id));
    TRY(const auto found, current(*engine, pod));
    Place place = place_in(found, id);
    if (!place.pod) return fail(ErrorKind::not_found, "No such container: {}", id);
    return place;
  }
  TRY(const auto all, pods());
  Place found;
  for (const auto& pod : all)
    for (const KnownContainer& container : pod->containers) {
      if (!container.entry.id().starts_with(id)) continue;
      if (found.container != nullptr) return ambiguous(id);
      found = {.pod = pod, .container = &container};
    }
  if (found.container == nullptr) return fail(ErrorKind::not_found, "No such container: {}", id);
  return found;
}

}  // namespace fermata::cri
