// Creating a container: everything that can be refused is refused first, then one transaction writes its
// rows. Its directories are made when it starts, so that a killed create leaves nothing half done.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/id.h"
#include "base/text.h"
#include "kernel/security_modules.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "pod/config_check.h"
#include "pod/container_spec.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"
#include "pod/limits.h"
#include "pod/names.h"
#include "pod/sharing.h"
#include "pod/user_ids.h"
#include "pod/volumes.h"
#include "runtime/sysctls.h"

namespace fermata::pod {
namespace {

constexpr int kNameAttempts = 20;

Result<void> check_machine(const ContainerConfig& config) {
  TRY(check_machine_resources(config.resources));
  if (!config.runtime.empty()) TRY(check_runtime(config.runtime));
  TRY(const Security security, parse_security(config.security_opt));
  if (!security.apparmor_profile.empty() && !kernel::apparmor_enabled())
    return fail(ErrorKind::unsupported,
                "AppArmor profile '{}': AppArmor is not enabled on this host: leave the profile out, or say "
                "unconfined",
                security.apparmor_profile);
  return check_bind_sources(config.mounts);
}

// Whoever asked for a platform knows that it is not this one.
std::string platform_warning(const std::string& requested, const oci::ImageConfig& image) {
  const std::string host = oci::host_architecture();
  if (!requested.empty() || image.architecture.empty() || image.architecture == host) return {};
  const std::string os = image.os.empty() ? "linux" : image.os;
  return fmt::format(
      "The requested image's platform ({}/{}) does not match the detected host platform (linux/{}) and no "
      "specific "
      "platform was requested",
      os, image.architecture + (image.variant.empty() ? "" : "/" + image.variant), host);
}

std::string host_name() {
  utsname name = {};
  ::uname(&name);
  return name.nodename;
}

// "/kubepods/besteffort/" is a path below the hierarchies.
std::string trim_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

// The pod of a container that joins nobody's network.
PodRow found_pod(const ContainerRow& container, bool infra) {
  const ContainerConfig& config = container.config;
  PodRow pod{
      .id = random_id(), .name = container.name, .owner = container.owner, .created = container.created};
  PodConfig& made = pod.config;
  made.net = config.net.kind;
  const bool joins_ipc = config.ipc.kind == "container" || config.ipc.kind == "none";
  made.ipc = config.ipc.kind == "host" ? "host" : joins_ipc ? "none" : "pod";
  made.uts = config.uts.kind == "host" ? "host" : "pod";
  const bool host_names = made.uts == "host" || (made.net == "host" && config.hostname.empty());
  made.hostname = host_names                ? host_name()
                  : config.hostname.empty() ? short_id(container.id)
                                            : config.hostname;
  made.domainname = config.domainname;
  made.user_namespace = config.user_namespace;
  if (made.net == "bridge" || made.net == "cni") made.ports = config.ports;
  made.cni = config.cni;
  if (made.net == "bridge" && config.publish_all) {
    for (const std::string& exposed : container.runtime.resolved.exposed_ports) {
      auto port = network::parse_publish(exposed);
      if (!port) continue;  // an image's malformed EXPOSE publishes nothing
      for (const auto& mapping : *port) made.ports.push_back(mapping);
    }
  }
  made.extra_hosts = config.extra_hosts;
  made.dns = config.dns;
  made.dns_search = config.dns_search;
  made.dns_options = config.dns_options;
  if (config.shm_size) made.shm_size = *config.shm_size;
  for (const auto& [name, value] : config.sysctls)
    if (name.starts_with("net.")) made.net_sysctls[name] = value;
  // The built-in pause has no /proc to set them by, and the namespace is the pod's.
  if (container.runtime.resolved.pause && made.ipc == "pod")
    for (const auto& [name, value] : config.sysctls)
      if (runtime::namespace_of_sysctl(name) == oci::Namespace::Type::ipc) made.ipc_sysctls[name] = value;
  made.cgroup_parent = trim_slashes(config.cgroup_parent);
  if (infra) made.infra = container.id;
  return pod;
}

// A member of a pod has what the pod's infra container has.
Result<std::optional<PodRow>> enter_pod(Store& store, ContainerConfig& config, const std::string& owner) {
  if (config.pod.empty()) return std::nullopt;
  TRY(PodRow pod, store.find_pod(config.pod, owner));
  config.pod = pod.id;
  if (!pod.ready || pod.config.infra.empty())
    return fail(ErrorKind::conflict, "pod '{}' is not ready: its infra container has ended", pod.name);
  const NamespaceMode infra = {.kind = "container", .target = pod.config.infra};
  config.net = infra;
  if (config.ipc.kind.empty()) config.ipc = pod.config.ipc == "pod" ? infra : NamespaceMode{.kind = "host"};
  if (config.pid.kind == "pod") config.pid = infra;
  if (config.runtime.empty()) {
    TRY(const auto founder, store.container(pod.config.infra));
    config.runtime = founder.config.runtime;
  }
  return pod;
}

bool is_infra_image(const ContainerConfig& config, const image::Image& image) {
  if (config.infra || image.builtin_pause) return true;
  const auto reference = oci::parse_reference(config.image);
  return reference && image::is_pause_reference(*reference);
}

Result<std::string> choose_name(Store& store, const ContainerRow& container) {
  if (!container.name.empty()) {
    TRY(const std::string holder, store.name_holder(container.owner, container.name));
    if (!holder.empty())
      return fail(ErrorKind::conflict,
                  "Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to "
                  "remove (or "
                  "rename) that container to be able to reuse that name.",
                  container.name, holder);
    return container.name;
  }
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    const std::string name = made_up_name(attempt);
    TRY(const std::string holder, store.name_holder(container.owner, name));
    if (holder.empty()) return name;
  }
  return fail(ErrorKind::conflict, "no free name was found: give one with --name");
}

// Rows of the volumes, and names for the anonymous ones.
Result<void> insert_volumes(Store& store, ContainerRow& container) {
  for (VolumeMount& mount : container.runtime.resolved.mounts) {
    if (mount.kind != VolumeMount::Kind::volume) continue;
    const bool anonymous = mount.source.empty();
    if (anonymous) mount.source = random_id();
    TRY(store.insert_volume(mount.source, container.owner, anonymous ? container.id : ""));
  }
  return {};
}

// Names become ids: a target may be renamed, and "--net=container:web" must not mean another 'web' later.
// `joined`: the pod that it is a member of, whose infra container needs no look.
Result<std::optional<PodRow>> resolve_targets(Engine::Impl& engine, ContainerConfig& config,
                                              std::optional<PodRow> joined) {
  Sharing sharing(engine);
  const std::string infra = joined ? joined->config.infra : "";
  const auto is_other = [&](const NamespaceMode& mode) {
    return mode.kind == "container" && (infra.empty() || mode.target != infra);
  };
  if (is_other(config.net)) {
    TRY(auto target, sharing.running_target(config.net.target, "network"));
    config.net.target = target.container.id;
    joined = std::move(target.pod);
  }
  if (is_other(config.pid)) {
    TRY(const auto target, sharing.running_target(config.pid.target, "PID"));
    config.pid.target = target.container.id;
  }
  if (is_other(config.ipc)) {
    // Opened to be refused now rather than at the start.
    TRY(sharing.open_ipc(config.ipc.target));
    TRY(const auto target, engine.find(config.ipc.target));
    config.ipc.target = target.id;
  }
  return joined;
}

// In the transaction that records the choice.
Result<void> choose_users(Store& store, ContainerConfig& config) {
  if (!config.own_users || config.user_namespace) return {};
  TRY(const auto pods, store.pods(false));
  std::vector<UserNamespace> others;
  for (const PodRow& pod : pods)
    if (pod.config.user_namespace) others.push_back(*pod.config.user_namespace);
  TRY(config.user_namespace, choose_user_namespace(others));
  return {};
}

void add_warnings(ContainerRow& container, const oci::ImageConfig& image) {
  auto& warnings = container.runtime.warnings;
  const auto& config = container.config;
  if (auto warning = platform_warning(config.architecture, image); !warning.empty())
    warnings.push_back(std::move(warning));
  if (config.net.kind == "host" && (!config.ports.empty() || config.publish_all))
    warnings.emplace_back("Published ports are discarded when using host network mode");
  if (config.net.kind == "none" && !config.ports.empty())
    warnings.emplace_back("Published ports are discarded when using network mode none");
}

}  // namespace

Result<std::string> Engine::Impl::create(ContainerConfig config, bool unasked) {
  TRY(auto entered, enter_pod(store(), config, options_.see_all_owners ? "" : options_.owner));
  if (config.net.kind.empty() || config.net.kind == "default") config.net.kind = "bridge";
  TRY(check_config(config));
  TRY(check_machine(config));
  TRY(container_capabilities(config));
  TRY(resolve_image_mounts(config));
  TRY(const auto image, images_->find(config.image));
  if (!image) return fail(ErrorKind::not_found, "No such image: {}", config.image);
  ContainerRow container{
      .id = random_id(), .name = config.name, .owner = options_.owner, .created = now_ns()};
  TRY(container.runtime.resolved, resolve_image(config, image->config));
  Resolved& resolved = container.runtime.resolved;
  resolved.pause = image->builtin_pause;
  resolved.layers = image->layers;
  TRY(const auto joined, resolve_targets(*this, config, std::move(entered)));
  config.image_id = image->id;
  container.image = image->builtin_pause ? "" : image->id;
  const bool infra = !joined && is_infra_image(config, *image);
  container.config = std::move(config);
  if (infra && !container.config.runtime.empty()) container.config.infra = true;
  add_warnings(container, image->config);

  TRY(auto transaction, state::Transaction::begin(*database_));
  // From here on the container's row keeps it; it may have been removed since we looked.
  if (!container.image.empty()) TRY(images_->by_id(container.image));
  TRY(container.name, choose_name(store(), container));
  container.config.name = container.name;
  TRY(insert_volumes(store(), container));
  if (joined) {
    // It may have been removed since.
    TRY(store().pod(joined->id));
    container.pod = joined->id;
  } else {
    TRY(choose_users(store(), container.config));
    PodRow pod = found_pod(container, infra);
    pod.config.infra_made = unasked;
    TRY(store().insert(pod));
    container.pod = pod.id;
  }
  TRY(const bool inserted, store().insert(container));
  if (!inserted) return fail(ErrorKind::conflict, "the container name '{}' is in use", container.name);
  TRY(transaction.commit());
  return container.id;
}

}  // namespace fermata::pod
