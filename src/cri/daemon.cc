#include "cri/daemon.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "cri/calls.h"
#include "cri/container_events.h"
#include "cri/containers.h"
#include "cri/execution.h"
#include "cri/idle_host.h"
#include "cri/image_calls.h"
#include "cri/image_service.h"
#include "cri/metrics_server.h"
#include "cri/networks.h"
#include "cri/rpc_server.h"
#include "cri/runtime_service.h"
#include "cri/runtime_status.h"
#include "cri/sandboxes.h"
#include "cri/signal_queue.h"
#include "cri/statistics.h"
#include "cri/store_claim.h"
#include "cri/streaming_backend.h"
#include "streaming/server.h"

namespace fermata::cri {
namespace {

constexpr std::chrono::seconds kPatience{10};
// Each arena of malloc(3) keeps memory of its own; calls come on any thread.
constexpr int kMaxArenas = 2;
// How often what the calls have left free is given back to the kernel; malloc(3) itself keeps it.
constexpr std::chrono::milliseconds kTrimPeriod{60'000};

pod::EngineOptions engine_options(const Settings& settings) {
  pod::EngineOptions options;
  options.root = settings.root;
  options.run_root = settings.run_root;
  options.owner = "cri";
  options.cgroup_manager = settings.cgroup_manager;
  options.resident = true;
  return options;
}

streaming::ServerOptions streaming_options(const StreamingSettings& settings) {
  streaming::ServerOptions options;
  options.address = settings.address;
  options.port = settings.port;
  options.certificate = settings.certificate;
  options.key = settings.key;
  options.idle_timeout = settings.idle_timeout;
  return options;
}

// All that serves. Members are destroyed from the last to the first: what calls, before what is called.
class Daemon {
 public:
  Daemon(const DaemonOptions& options, Settings settings)
      : options_(options),
        settings_(std::move(settings)),
        log_(STDERR_FILENO, settings_.log_level, settings_.log_format),
        calls_(log_, metrics_),
        engines_(engine_options(settings_)),
        inventory_(engines_),
        networks_(engines_, log_, settings_.cni),
        events_(engines_, log_),
        idle_host_(engines_, log_),
        streaming_backend_(engines_),
        status_(engines_, settings_, networks_, options_.version),
        sandboxes_(engines_, inventory_, events_, idle_host_, networks_, settings_),
        containers_(engines_, inventory_, events_, settings_.cdi_dirs),
        statistics_(engines_, inventory_, settings_.stats_period),
        images_(engines_, settings_, metrics_) {}

  Result<void> start();
  void reload();
  void shut_down();
  // To be called now and then, at least once in kTrimPeriod.
  void trim_memory();
  Log& log() { return log_; }

 private:
  Result<void> serve_metrics();
  Population population();

  const DaemonOptions& options_;
  const Settings settings_;  // as at the start
  Log log_;
  Metrics metrics_;
  Calls calls_;
  Engines engines_;
  Inventory inventory_;
  Networks networks_;
  Events events_;
  IdleHost idle_host_;
  StreamingBackend streaming_backend_;
  RuntimeStatus status_;
  Sandboxes sandboxes_;
  Containers containers_;
  Statistics statistics_;
  ImageCalls images_;
  std::unique_ptr<streaming::Server> streaming_;
  std::optional<Execution> execution_;
  std::unique_ptr<grpc::Service> runtime_service_, image_service_;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::optional<RpcServer> server_;
  std::uint64_t calls_at_trim_ = 0;
  std::chrono::steady_clock::time_point next_trim_;
};

Population Daemon::population() {
  Population now;
  const auto pods = inventory_.pods();
  if (!pods) return now;
  now.pods = pods->size();
  for (const auto& pod : *pods) {
    now.ready_pods += is_ready(*pod) ? 1 : 0;
    now.containers += pod->containers.size();
    for (const KnownContainer& container : pod->containers) now.running_containers += runs(container) ? 1 : 0;
  }
  return now;
}

Result<void> Daemon::serve_metrics() {
  if (settings_.metrics_address.empty()) return {};
  TRY(const HostPort address, parse_host_port(settings_.metrics_address));
  TRY(metrics_server_, MetricsServer::start(address, [this] { return metrics_.text(population()); }));
  return {};
}

Result<void> Daemon::start() {
  // What an earlier engine left half done is mended here, before anybody asks.
  TRY(engines_.lease());
  TRY(streaming_, streaming::Server::start(streaming_options(settings_.streaming), streaming_backend_));
  execution_.emplace(engines_, *streaming_);
  TRY(events_.start());
  TRY(idle_host_.start());
  TRY(networks_.start());
  runtime_service_ = make_runtime_service({.status = status_,
                                           .sandboxes = sandboxes_,
                                           .containers = containers_,
                                           .execution = *execution_,
                                           .statistics = statistics_,
                                           .events = events_},
                                          calls_);
  image_service_ = make_image_service(images_, calls_);
  TRY(serve_metrics());
  TRY(auto server, RpcServer::start(settings_, {runtime_service_.get(), image_service_.get()}));
  server_.emplace(std::move(server));
  log_.info("serving", {{"version", options_.version},
                        {"socket", settings_.listen},
                        {"root", settings_.root},
                        {"cgroup_manager", pod::to_string(settings_.cgroup_manager)},
                        {"streaming", streaming_->base_url()}});
  return {};
}

void Daemon::reload() {
  const auto fresh = options_.load();
  if (!fresh) {
    log_.error("the settings cannot be taken; those before stay", {{"error", fresh.error().message()}});
    return;
  }
  log_.set(fresh->log_level, fresh->log_format);
  networks_.set(fresh->cni);
  images_.set(fresh->registries);
  Settings rest = *fresh;
  rest.log_level = settings_.log_level;
  rest.log_format = settings_.log_format;
  rest.cni = settings_.cni;
  rest.registries = settings_.registries;
  if (rest == settings_)
    log_.info("settings reloaded");
  else
    log_.warning("settings reloaded; some that have changed need a restart");
}

void Daemon::shut_down() {
  // A kubelet's stream of events has no end of its own.
  events_.shut_down();
  server_->shut_down(kPatience);
}

void Daemon::trim_memory() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_trim_) return;
  next_trim_ = now + kTrimPeriod;
  const std::uint64_t served = calls_.served();
  if (std::exchange(calls_at_trim_, served) != served) ::malloc_trim(0);
}

Result<void> watch_signals(Daemon& daemon, const SignalQueue& signals, const ServiceManager& manager) {
  auto period = kTrimPeriod;
  // Half of it, as sd_watchdog_enabled(3) wants it.
  if (const auto watchdog = manager.watchdog())
    period = std::min(period, std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog) / 2);
  while (true) {
    TRY(const auto signal, signals.next(period));
    manager.alive();
    daemon.trim_memory();
    if (signal == SIGHUP) {
      manager.reloading();
      daemon.reload();
      manager.ready("serving");
    } else if (signal) {
      daemon.log().info("shutting down", {{"signal", std::to_string(*signal)}});
      return {};
    }
  }
}

}  // namespace

Result<void> run_daemon(const DaemonOptions& options) {
  ::mallopt(M_ARENA_MAX, kMaxArenas);
  TRY(const SignalQueue signals, SignalQueue::open({SIGTERM, SIGINT, SIGHUP}));
  TRY(auto settings, options.load());
  TRY(const StoreClaim claim, StoreClaim::take(settings.root));
  Daemon daemon(options, std::move(settings));
  TRY(daemon.start());
  // What the start took and gives back.
  ::malloc_trim(0);
  options.manager.ready("serving");
  TRY(watch_signals(daemon, signals, options.manager));
  options.manager.stopping();
  daemon.shut_down();
  return {};
}

}  // namespace fermata::cri
