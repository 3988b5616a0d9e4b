#include "cri/container_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "cri/keepsake.h"
#include "cri/pod_names.h"
#include "cri/sandbox_config.h"

namespace fermata::cri {
namespace {

bool is_all(const std::string& capability) { return to_lower(capability) == "all"; }

void plan_capabilities(const v1::Capability& asked, pod::ContainerConfig& config) {
  config.cap_add.assign(asked.add_capabilities().begin(), asked.add_capabilities().end());
  config.cap_drop.assign(asked.drop_capabilities().begin(), asked.drop_capabilities().end());
  config.cap_ambient.assign(asked.add_ambient_capabilities().begin(), asked.add_ambient_capabilities().end());
  // Dropping all comes after adding all, and before what is named.
  if (std::any_of(config.cap_drop.begin(), config.cap_drop.end(), is_all))
    std::erase_if(config.cap_add, is_all);
}

// The pod's, one of its own, another container's, or the host's if the pod has that.
Result<void> plan_pid_namespace(const v1::NamespaceOption& options, const ContainerPlace& place,
                                pod::ContainerConfig& config) {
  const auto pods = place.sandbox.config().linux().security_context().namespace_options().pid();
  switch (options.pid()) {
    case v1::POD:
      config.pid.kind = pods == v1::NODE ? "host" : "pod";
      return {};
    case v1::CONTAINER:
      return {};
    case v1::NODE:
      if (pods != v1::NODE)
        return fail(ErrorKind::invalid_argument,
                    "the container asks for the host's PID namespace, and its pod was run without it");
      config.pid.kind = "host";
      return {};
    case v1::TARGET:
      if (options.target_id().empty())
        return fail(ErrorKind::invalid_argument, "the PID namespace is TARGET, and target_id is empty");
      config.pid = {.kind = "container", .target = options.target_id()};
      return {};
    default:
      return fail(ErrorKind::invalid_argument, "the PID namespace is of the unknown mode {}",
                  static_cast<int>(options.pid()));
  }
}

Result<std::string> plan_user(const v1::LinuxContainerSecurityContext& context) {
  if (context.run_as_username().empty()) return numeric_user(context);
  if (context.has_run_as_user())
    return fail(ErrorKind::invalid_argument, "both run_as_user {} and run_as_username '{}' are given",
                context.run_as_user().value(), context.run_as_username());
  std::string user = context.run_as_username();
  if (context.has_run_as_group()) user += ":" + std::to_string(context.run_as_group().value());
  return user;
}

Result<void> plan_security(const v1::LinuxContainerSecurityContext& context, const ContainerPlace& place,
                           const ReadProfile& read, pod::ContainerConfig& config) {
  config.privileged = context.privileged();
  if (config.privileged && !place.sandbox.config().linux().security_context().privileged())
    return fail(ErrorKind::invalid_argument,
                "the container is privileged, and its pod was run without privileged containers");
  plan_capabilities(context.capabilities(), config);
  TRY(config.user, plan_user(context));
  for (const std::int64_t group : context.supplemental_groups())
    config.groups.push_back(std::to_string(group));
  config.strict_groups = context.supplemental_groups_policy() == v1::Strict;
  config.readonly_root = context.readonly_rootfs();
  config.selinux_label = selinux_label(context.selinux_options());
  // As they are: an empty list is what procMount Unmasked becomes.
  config.masked_paths.emplace(context.masked_paths().begin(), context.masked_paths().end());
  config.readonly_paths.emplace(context.readonly_paths().begin(), context.readonly_paths().end());
  if (config.privileged) {
    config.security_opt = {"seccomp=unconfined", "apparmor=unconfined"};
  } else {
    TRY(config.security_opt, security_options(SecurityProfiles(context), read));
  }
  if (context.no_new_privs()) config.security_opt.emplace_back("no-new-privileges");
  return plan_pid_namespace(context.namespace_options(), place, config);
}

// "/a//b/../c/" -> "/a/c". Of the container, where no link of the host's counts.
std::string normal(const std::string& path) {
  std::string result = std::filesystem::path(path).lexically_normal().string();
  while (result.size() > 1 && result.ends_with('/')) result.pop_back();
  return result;
}

Result<std::string> propagation_of(const v1::Mount& mount) {
  switch (mount.propagation()) {
    case v1::PROPAGATION_PRIVATE:
      return std::string("rprivate");
    case v1::PROPAGATION_HOST_TO_CONTAINER:
      return std::string("rslave");
    case v1::PROPAGATION_BIDIRECTIONAL:
      return std::string("rshared");
    default:
      return fail(ErrorKind::invalid_argument, "mount '{}': an unknown propagation", mount.container_path());
  }
}

std::vector<oci::IdMapping> ids_of(const google::protobuf::RepeatedPtrField<v1::IDMapping>& mappings) {
  std::vector<oci::IdMapping> ids;
  for (const v1::IDMapping& mapping : mappings)
    ids.push_back(
        {.container_id = mapping.container_id(), .host_id = mapping.host_id(), .size = mapping.length()});
  return ids;
}

Result<pod::VolumeMount> plan_image_mount(const v1::Mount& asked) {
  const std::string& path = asked.container_path();
  if (!asked.host_path().empty())
    return fail(ErrorKind::invalid_argument, "mount '{}': both an image and the path '{}' are given", path,
                asked.host_path());
  if (!asked.readonly())
    return fail(ErrorKind::invalid_argument, "mount '{}': an image can be mounted read-only alone", path);
  return pod::VolumeMount{.kind = pod::VolumeMount::Kind::image,
                          .source = asked.image().image(),
                          .destination = normal(path),
                          .readonly = true,
                          .sub_path = asked.image_sub_path()};
}

Result<pod::VolumeMount> plan_mount(const v1::Mount& asked) {
  if (!asked.image().image().empty()) return plan_image_mount(asked);
  if (asked.recursive_read_only() && (!asked.readonly() || asked.propagation() != v1::PROPAGATION_PRIVATE))
    return fail(ErrorKind::invalid_argument,
                "mount '{}': recursively read-only, it must be read-only and without propagation",
                asked.container_path());
  TRY(auto propagation, propagation_of(asked));
  return pod::VolumeMount{
      .kind = pod::VolumeMount::Kind::bind,
      .source = asked.host_path(),
      .destination = normal(asked.container_path()),
      .readonly = asked.readonly(),
      // What a pod's hostPath without a type relies on, although the CRI's text would have it refused.
      .create_source = true,
      .propagation = std::move(propagation),
      .recursive_readonly = asked.recursive_read_only(),
      .uid_mappings = ids_of(asked.uidmappings()),
      .gid_mappings = ids_of(asked.gidmappings()),
      // The level is the pod's, and its containers share it.
      .relabel =
          asked.selinux_relabel() ? pod::VolumeMount::Relabel::exclusive : pod::VolumeMount::Relabel::none};
}

Result<std::string> plan_device(const v1::Device& asked) {
  const std::string& access = asked.permissions();
  for (const std::string& path : {asked.host_path(), asked.container_path()})
    if (path.find(':') != std::string::npos)
      return fail(ErrorKind::unsupported, "device '{}': a ':' in a device's path is not supported", path);
  return fmt::format("{}:{}:{}", asked.host_path(),
                     asked.container_path().empty() ? asked.host_path() : asked.container_path(),
                     access.empty() ? "rwm" : access);
}

Result<void> plan_process(const v1::ContainerConfig& asked, pod::ContainerConfig& config) {
  if (asked.command_size() > 0) config.entrypoint.emplace(asked.command().begin(), asked.command().end());
  config.command.assign(asked.args().begin(), asked.args().end());
  config.working_dir = asked.working_dir();
  for (const v1::KeyValue& variable : asked.envs()) {
    if (variable.key().find('=') != std::string::npos)
      return fail(ErrorKind::invalid_argument, "environment variable '{}': there is a '=' in its name",
                  variable.key());
    config.env.push_back(variable.key() + "=" + variable.value());
  }
  config.terminal = asked.tty();
  config.stdin_open = asked.stdin();
  config.attach_stdin = asked.stdin_once();
  config.stop_signal = signal_name(asked.stop_signal());
  return {};
}

std::string log_path(const v1::PodSandboxConfig& sandbox, const v1::ContainerConfig& asked) {
  if (sandbox.log_directory().empty() || asked.log_path().empty()) return {};
  return normal(sandbox.log_directory() + "/" + asked.log_path());
}

// Of the request, what is not the pod's.
std::string keepsake_without_pod(const v1::CreateContainerRequest& request) {
  v1::CreateContainerRequest own;
  own.set_pod_sandbox_id(request.pod_sandbox_id());
  *own.mutable_config() = request.config();
  return keepsake_of(own);
}

}  // namespace

Result<pod::ContainerConfig> plan_container(const v1::CreateContainerRequest& request,
                                            const ContainerPlace& place, const LimitSupport& limits,
                                            const ReadProfile& read) {
  const v1::ContainerConfig& asked = request.config();
  const v1::PodSandboxConfig& sandbox = place.sandbox.config();
  pod::ContainerConfig config;
  config.pod = place.pod;
  TRY(config.name, container_name(asked.metadata(), sandbox.metadata()));
  config.image = asked.image().image();
  if (config.image.empty())
    return fail(ErrorKind::invalid_argument, "container '{}' names no image", asked.metadata().name());
  TRY(plan_process(asked, config));
  TRY(plan_security(asked.linux().security_context(), place, read, config));
  for (const v1::Mount& mount : asked.mounts()) {
    TRY(auto planned, plan_mount(mount));
    config.mounts.push_back(std::move(planned));
  }
  for (const v1::Device& device : asked.devices()) {
    TRY(auto planned, plan_device(device));
    config.devices.push_back(std::move(planned));
  }
  TRY(config.resources, new_limits(asked.linux().resources(), limits));
  config.oom_score_adj = static_cast<int>(asked.linux().resources().oom_score_adj());
  config.labels.insert(asked.labels().begin(), asked.labels().end());
  config.annotations.insert(asked.annotations().begin(), asked.annotations().end());
  config.log_path = log_path(sandbox, asked);
  config.attachment = keepsake_without_pod(request);
  return config;
}

}  // namespace fermata::cri
