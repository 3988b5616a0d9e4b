#include "cri/networks.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/start_thread.h"
#include "cni/attachments.h"
#include "cni/capabilities.h"
#include "cni/configuration_directory.h"
#include "cni/configuration_watcher.h"
#include "state/database.h"

namespace fermata::cri {
namespace {

// A kubelet asks every five seconds, and plugins are programs that would be executed for it.
constexpr std::chrono::seconds kConditionAge{10};
// What a kubelet knows as the reason.
constexpr const char* kNotReady = "NetworkPluginNotReady";

Result<state::Database> open_store(const Engines& engines) {
  return state::Database::open(engines.options().root + "/state.db");
}

}  // namespace

Networks::Networks(Engines& engines, Log& log, CniSettings settings)
    : engines_(engines), log_(log), settings_(std::move(settings)) {}

Networks::~Networks() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

Result<void> Networks::start() {
  TRY(const auto engine, engines_.lease());
  TRY(ranges_, engine->pod_ranges());
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return fail(errno, "eventfd");
  TRY(thread_, start_thread([this] { serve(); }));
  return {};
}

void Networks::wake() {
  // It only fails when the counter is full, and then the thread wakes anyway.
  if (wake_) ::eventfd_write(wake_.get(), 1);
}

CniSettings Networks::settings() const {
  const std::scoped_lock lock(mutex_);
  return settings_;
}

void Networks::set(CniSettings settings) {
  {
    const std::scoped_lock lock(mutex_);
    settings_ = std::move(settings);
    condition_.reset();
  }
  wake();
}

Result<void> Networks::check_ranges(const cni::NetworkConfiguration& network) const {
  const std::scoped_lock lock(mutex_);
  if (!ranges_.empty() || !cni::needs_ip_ranges(network)) return {};
  return fail(
      ErrorKind::unavailable,
      "network '{}' ({}) takes the node's pod CIDR for its addresses, and no kubelet has told that yet",
      network.name, network.file);
}

Result<std::optional<pod::CniRequest>> Networks::choose() const {
  const CniSettings settings = this->settings();
  TRY(const auto configuration, cni::load_configuration(settings.conf_dir));
  if (configuration.networks.empty()) return std::optional<pod::CniRequest>();
  TRY(check_ranges(configuration.networks.front()));
  pod::CniRequest request;
  request.configuration_directory = settings.conf_dir;
  request.plugin_directories = settings.bin_dirs;
  const std::scoped_lock lock(mutex_);
  for (const kernel::IpNetwork& range : ranges_) request.ip_ranges.push_back(kernel::format_network(range));
  return std::optional(std::move(request));
}

std::string Networks::pod_cidr() const {
  const std::scoped_lock lock(mutex_);
  return network::format_pod_ranges(ranges_);
}

Result<void> Networks::set_pod_cidr(std::string_view cidr) {
  auto ranges = network::parse_pod_ranges(cidr);
  if (!ranges) return fail_with(std::move(ranges.error()), "pod_cidr");
  const std::scoped_lock one_at_a_time(telling_);
  const std::string told = network::format_pod_ranges(*ranges);
  if (told == pod_cidr()) return {};
  TRY(const auto engine, engines_.lease());
  TRY(const auto kept, engine->set_pod_ranges(*ranges));
  {
    const std::scoped_lock lock(mutex_);
    ranges_ = std::move(*ranges);
    condition_.reset();
  }
  log_.info("the node has been given networks for its pods", {{"pod_cidr", told}});
  // Plugins have addresses of their own, or take what they are told.
  if (const auto chosen = choose(); chosen && !*chosen)
    for (const std::string& what : kept)
      log_.warning("the built-in network cannot take it", {{"reason", what}});
  return {};
}

NetworkCondition Networks::ask() const {
  const CniSettings settings = this->settings();
  const auto configuration = cni::load_configuration(settings.conf_dir);
  if (!configuration) return {false, kNotReady, configuration.error().message()};
  if (configuration->networks.empty()) return {};
  if (const auto ranges = check_ranges(configuration->networks.front()); !ranges)
    return {false, kNotReady, ranges.error().message()};
  auto store = open_store(engines_);
  if (!store) return {false, kNotReady, store.error().message()};
  cni::Plugins plugins(settings.bin_dirs);
  const auto status =
      cni::Attachments(*store, plugins, engines_.options().run_root).status(configuration->networks.front());
  if (status.ready) return {};
  return {false, kNotReady, status.reason};
}

NetworkCondition Networks::condition() {
  {
    const std::scoped_lock lock(mutex_);
    if (condition_ && std::chrono::steady_clock::now() < condition_until_) return *condition_;
  }
  NetworkCondition condition = ask();
  const std::scoped_lock lock(mutex_);
  condition_ = condition;
  condition_until_ = std::chrono::steady_clock::now() + kConditionAge;
  return condition;
}

Result<void> Networks::collect_garbage() const {
  const CniSettings settings = this->settings();
  TRY(const auto configuration, cni::load_configuration(settings.conf_dir));
  if (configuration.networks.empty()) return {};
  TRY(auto store, open_store(engines_));
  TRY(const auto engine, engines_.lease());
  cni::Plugins plugins(settings.bin_dirs);
  return cni::Attachments(store, plugins, engines_.options().run_root)
      .gc(configuration.networks.front(), [&](const std::string& pod) -> Result<bool> {
        const auto found = engine->inspect_pod(pod);
        if (!found && found.error().kind() != ErrorKind::not_found)
          return tl::unexpected<Error>(found.error());
        return found.has_value();
      });
}

void Networks::tell() const {
  const auto chosen = choose();
  if (!chosen) {
    log_.error("the CNI configuration cannot be taken", {{"error", chosen.error().message()}});
  } else if (*chosen) {
    log_.info("pods get networks of the CNI configuration",
              {{"directory", (*chosen)->configuration_directory}});
  } else {
    log_.info("pods get the built-in network: there is no CNI configuration",
              {{"directory", settings().conf_dir}});
  }
}

void Networks::wait_for_change() {
  const std::string directory = settings().conf_dir;
  auto watcher = cni::ConfigurationWatcher::open(directory);
  if (!watcher)
    log_.error("the CNI configuration is not watched: changes need a reload",
               {{"directory", directory}, {"error", watcher.error().message()}});
  tell();
  // A descriptor below zero is left out; poll(2).
  pollfd waiting[2] = {{wake_.get(), POLLIN, 0}, {watcher ? watcher->descriptor() : -1, POLLIN, 0}};
  while (true) {
    if (::poll(waiting, 2, -1) < 0) continue;
    eventfd_t woken = 0;
    if (::eventfd_read(wake_.get(), &woken) == 0) return;
    if (!watcher || waiting[1].revents == 0) continue;
    const auto changed = watcher->changed();
    if (changed && !*changed) continue;
    const std::scoped_lock lock(mutex_);
    condition_.reset();
    return;
  }
}

void Networks::serve() {
  if (const auto collected = collect_garbage(); !collected)
    log_.warning("CNI plugins could not drop what belongs to no pod",
                 {{"error", collected.error().message()}});
  while (true) {
    {
      const std::scoped_lock lock(mutex_);
      if (ending_) return;
    }
    wait_for_change();
  }
}

}  // namespace fermata::cri
