#include "pod/engine.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/absolute_path.h"
#include "base/files.h"
#include "base/text.h"
#include "pod/engine_impl.h"

namespace fermata::pod {
namespace {

constexpr const char* kDefaultRunRoot = "/run/fermata";

// FNV-1a: stable over releases, which std::hash is not; names of cgroups and bridges come from it.
std::string short_hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{:06x}", hash & 0xffffff);
}

// A pod's lock is one byte of a common file, at the number that its id begins with: no file of its own that
// would have to be removed without a race. Should two pods share a byte, they wait for each other.
std::int64_t lock_byte(const std::string& pod) {
  constexpr std::size_t kDigits = 15;  // 60 bits: off_t has 63
  return static_cast<std::int64_t>(parse_unsigned(std::string_view(pod).substr(0, kDigits), 16).value_or(0));
}

// Relative ones would mean another directory to the monitor's event command.
Result<std::string> absolute(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return absolute_path(path);
}

}  // namespace

const char* to_string(ContainerState state) {
  switch (state) {
    case ContainerState::created:
      return "created";
    case ContainerState::running:
      return "running";
    case ContainerState::exited:
      return "exited";
    case ContainerState::removing:
      return "removing";
  }
  return "unknown";
}

const char* state_text(const ContainerInfo& container) {
  return container.paused ? "paused" : to_string(container.state);
}

Result<std::unique_ptr<Engine::Impl>> Engine::Impl::open(EngineOptions options) {
  if (::geteuid() != 0)
    return fail(ErrorKind::permission,
                "permission denied: containers need root's namespaces, mounts and cgroups; run it as root, "
                "such as with sudo");
  auto impl = std::make_unique<Impl>();
  TRY(options.root, absolute(options.root));
  TRY(options.run_root, absolute(options.run_root));
  if (options.programs.empty()) {
    TRY(options.programs, program_directory());
  }
  TRY(make_directories(options.root, 0711));
  TRY(make_directories(options.run_root + "/pods", 0711));
  const bool default_run_root = options.run_root == kDefaultRunRoot;
  const std::string suffix = default_run_root ? "" : "-" + short_hash(options.run_root);
  impl->cgroup_parent_ = "fermata" + suffix;
  impl->bridge_ = default_run_root ? "fermata0" : "fermata" + suffix;
  TRY(auto database, state::Database::open(options.root + "/state.db"));
  impl->database_ = std::make_unique<state::Database>(std::move(database));
  impl->store_.emplace(*impl->database_);
  TRY(auto images, image::Images::open(options.root, *impl->database_, options.owner));
  impl->images_.emplace(std::move(images));
  impl->options_ = std::move(options);
  TRY(impl->reconcile());
  return impl;
}

Result<ContainerRow> Engine::Impl::find(const std::string& reference) {
  return store().find(reference, options_.see_all_owners ? "" : options_.owner);
}

Result<PodRow> Engine::Impl::find_pod(const std::string& reference) {
  return store().find_pod(reference, options_.see_all_owners ? "" : options_.owner);
}

Result<network::Network*> Engine::Impl::network() {
  if (!network_) {
    TRY(auto opened,
        network::Network::open(*database_, {.run_directory = options_.run_root, .bridge = bridge_}));
    network_.emplace(std::move(opened));
  }
  return &*network_;
}

Result<const kernel::CgroupMounts*> Engine::Impl::cgroup_mounts() {
  if (!cgroup_mounts_) {
    TRY(cgroup_mounts_, kernel::CgroupMounts::detect());
  }
  return &*cgroup_mounts_;
}

Result<FileLock> Engine::Impl::lock_pod(const std::string& pod) {
  return FileLock::acquire(options_.run_root + "/pods.lock", FileLock::Mode::exclusive, lock_byte(pod));
}

Result<std::optional<FileLock>> Engine::Impl::try_lock_pod(const std::string& pod) {
  return FileLock::try_acquire(options_.run_root + "/pods.lock", FileLock::Mode::exclusive, lock_byte(pod));
}

std::string Engine::Impl::pod_cgroup(const PodRow& pod) const {
  return pod.runtime.cgroup.empty() ? cgroup_parent_ + "/" + pod.id : pod.runtime.cgroup;
}

std::string Engine::Impl::container_cgroup(const PodRow& pod, const std::string& container) const {
  // The pause process stays outside of the group that limits and kills.
  if (pod.config.infra == container) return pod_cgroup(pod) + "/infra";
  return fmt::format("{}/ctrs/{}", pod_cgroup(pod), container);
}

Result<void> Engine::Impl::kill_group(const std::string& path) {
  TRY(const auto* mounts, cgroup_mounts());
  const auto group = kernel::Cgroup::open(*mounts, path);
  if (!group.exists()) return {};
  return group.kill_all();
}

Result<void> Session::kill() const {
  if (!killer_) return fail(ErrorKind::unsupported, "this command has no control group of its own");
  return killer_();
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options) {
  TRY(auto impl, Impl::open(std::move(options)));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

image::Images& Engine::images() { return impl_->images(); }
Result<std::string> Engine::create(ContainerConfig config) { return impl_->create(std::move(config)); }
StartResult Engine::start(const std::string& container, const StreamSelection& streams) {
  return impl_->start(container, streams);
}
Result<std::unique_ptr<Session>> Engine::attach(const std::string& container,
                                                const StreamSelection& streams) {
  return impl_->attach(container, streams);
}
SessionResult Engine::exec(const std::string& container, const ExecConfig& config,
                           const StreamSelection& streams) {
  return impl_->exec(container, config, streams);
}
Result<void> Engine::stop(const std::string& container, std::optional<int> timeout,
                          const std::string& signal) {
  return impl_->stop(container, timeout, signal);
}
Result<void> Engine::restart(const std::string& container, std::optional<int> timeout,
                             const std::string& signal) {
  return impl_->restart(container, timeout, signal);
}
Result<void> Engine::kill(const std::string& container, const std::string& signal) {
  return impl_->kill(container, signal);
}
Result<void> Engine::pause(const std::string& container) { return impl_->set_paused(container, true); }
Result<void> Engine::unpause(const std::string& container) { return impl_->set_paused(container, false); }
Result<std::string> Engine::update(const std::string& container, const Resources& changes) {
  return impl_->update(container, changes);
}
Result<ContainerStats> Engine::stats(const std::string& container) { return impl_->stats(container); }
Result<void> Engine::checkpoint(const std::string& container, const CheckpointRequest& request) {
  return impl_->checkpoint(container, request);
}
Result<int> Engine::wait(const std::string& container) { return impl_->wait(container); }
Result<void> Engine::remove(const std::string& container, const RemoveOptions& options) {
  return impl_->remove(container, options);
}
Result<void> Engine::resize(const std::string& container, std::uint32_t rows, std::uint32_t columns) {
  return impl_->resize(container, rows, columns);
}
Result<ContainerInfo> Engine::inspect(const std::string& container) { return impl_->inspect(container); }
Result<std::vector<ContainerInfo>> Engine::list(const ContainerFilter& filter) { return impl_->list(filter); }
Result<void> Engine::logs(const std::string& container, const LogOptions& options,
                          const std::function<bool(int stream, std::string_view bytes)>& line) {
  return impl_->logs(container, options, line);
}
Result<EngineInfo> Engine::info() { return impl_->info(); }
Result<std::vector<std::pair<std::string, std::string>>> Engine::images_in_use() {
  TRY(auto used, impl_->store().images_in_use());
  TRY(const auto containers, impl_->store().containers(""));
  for (const ContainerRow& container : containers)
    for (const VolumeMount& mount : container.config.mounts)
      if (mount.kind == VolumeMount::Kind::image) used.emplace_back(mount.source, container.id);
  for (auto& [image, container] : used) container = container.substr(0, 12);
  return used;
}
Result<std::string> Engine::run_pod(ContainerConfig infra) { return impl_->run_pod(std::move(infra)); }
Result<void> Engine::stop_pod(const std::string& pod) { return impl_->stop_pod(pod); }
Result<void> Engine::remove_pod(const std::string& pod) { return impl_->remove_pod(pod); }
Result<PodInfo> Engine::inspect_pod(const std::string& pod) { return impl_->inspect_pod(pod); }
Result<std::vector<ContainerInfo>> Engine::members(const std::string& pod) { return impl_->members(pod); }
Result<std::vector<PodRevision>> Engine::pod_revisions() { return impl_->pod_revisions(); }
Result<std::int64_t> Engine::pod_revision(const std::string& id) { return impl_->store().pod_revision(id); }
Result<std::string> Engine::pod_of(const std::string& container) {
  TRY(ContainerRow row, impl_->find(container));
  return std::move(row.pod);
}
Result<PodObservation> Engine::observe_pod(const std::string& pod) { return impl_->observe_pod(pod); }
Result<void> Engine::attach_data(const std::string& container, const std::string& attachment) {
  return impl_->attach_data(container, attachment);
}
Result<ContainerStats> Engine::group_stats(const std::string& cgroup, int network_pid,
                                           kernel::StatsDepth depth) {
  return impl_->group_stats(cgroup, network_pid, depth);
}
Result<std::vector<std::string>> Engine::set_pod_ranges(const network::PodRanges& ranges) {
  TRY(auto* network, impl_->network());
  return network->set_pod_ranges(ranges);
}
Result<network::PodRanges> Engine::pod_ranges() {
  TRY(auto* network, impl_->network());
  return network->pod_ranges();
}
Result<void> Engine::reopen_log(const std::string& container) { return impl_->reopen_log(container); }
Result<void> Engine::wind_down(std::chrono::nanoseconds linger) { return impl_->wind_down(linger); }
Result<void> Engine::handle_event(const std::string& pod) { return impl_->handle_event(pod); }

}  // namespace fermata::pod
