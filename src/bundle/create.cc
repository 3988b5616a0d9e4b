// From a bundle to a process that waits for its start.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/files.h"
#include "base/process.h"
#include "bundle/claim.h"
#include "bundle/descriptors.h"
#include "bundle/entry.h"
#include "bundle/home.h"
#include "bundle/launch.h"
#include "bundle/network_devices.h"
#include "bundle/resctrl.h"
#include "bundle/runtime.h"
#include "bundle/spec_parts.h"
#include "oci/runtime_document.h"
#include "runtime/launch_plan.h"

namespace fermata::bundle {
namespace {

// The socket on which init waits. Bound by way of the directory's descriptor: a path may be longer than
// sun_path.
Result<UniqueFd> listen_for_start(const std::string& directory) {
  TRY(const UniqueFd place, open_file(directory, O_PATH | O_DIRECTORY));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "make a socket");
  const sockaddr_un address = start_address(place.get());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 1) != 0)
    return fail(errno, "listen in '{}'", directory);
  return socket;
}

class Creation {
 public:
  Creation(const Options& engine, const CreateOptions& options, std::string id, std::string directory)
      : engine_(engine), options_(options), directory_(std::move(directory)) {
    container_.status = Status::created;
    container_.record.id = std::move(id);
    container_.record.bundle = options.bundle;
  }

  // Makes nothing yet.
  Result<void> prepare() {
    TRY(read_spec());
    TRY(check_console());
    return joins_pid_namespace() ? engine_.before_joining() : Result<void>();
  }

  Result<Started> run() {
    TRY(NewGroup made, claim_group(engine_, spec_, directory_, &container_.record));
    auto started = launch_in(made.cgroup);
    if (!started) give_back(std::move(made), container_.record);
    return started;
  }

 private:
  Result<void> read_spec() {
    TRY(config_, read_file(options_.bundle + "/config.json", 16u << 20));
    TRY(spec_, oci::parse_runtime_spec(config_));
    if (spec_.process.args.empty())
      return fail(ErrorKind::invalid_argument, "config.json: process.args must have the program to run");
    TRY(preserved_, handed_down(options_.preserve_fds, &spec_.process));
    return {};
  }

  bool joins_pid_namespace() const {
    return std::any_of(spec_.namespaces.begin(), spec_.namespaces.end(), [](const oci::Namespace& one) {
      return one.type == oci::Namespace::Type::pid && !one.path.empty();
    });
  }

  // A terminal without a console socket is kept by the caller, who is asked by Started::console.
  Result<void> check_console() const {
    if (!options_.console_socket.empty() && !spec_.process.terminal)
      return fail(ErrorKind::invalid_argument,
                  "cannot use a console socket: process.terminal is false in config.json");
    return {};
  }

  Result<Started> launch_in(const kernel::Cgroup& group) {
    Record& record = container_.record;
    TRY(parts_, open_spec(&spec_, options_.bundle, record.cgroup, engine_.root));
    for (const std::string& skipped : parts_.skipped) engine_.warn(skipped);
    // Where hooks look for it. In a user namespace its root must be able to walk there.
    spec_.mount_point = spec_.root_path;
    add_home(spec_, &spec_.process);
    TRY(const UniqueFd socket, listen_for_start(directory_));
    const runtime::StartOptions start{
        .follow_parent = false,
        .new_keyring = options_.new_keyring,
        .pivot = options_.pivot,
        .start_socket = socket.get(),
        .synchronize = has_creation_hooks(spec_) || !spec_.network_devices.empty(),
        .seccomp_flags = parts_.seccomp_flags,
        .grantable_capabilities = grantable_capabilities(spec_),
        .preserved = preserved_};
    TRY(const runtime::LaunchPlan plan, runtime::plan_container(spec_, start));
    for (const std::string& skipped : plan.skipped) engine_.warn(skipped);
    give_streams(spec_, spec_.process);
    remember_steps(plan);
    record.root = spec_.root_path;
    record.program = spec_.process.args[0];
    record.start_hooks = !spec_.hooks.start_container.empty() || !spec_.hooks.poststart.empty();
    record.stop_hooks = !spec_.hooks.poststop.empty();
    record.created = now_ns();
    record.owner = ::geteuid() == 0 ? "root" : std::to_string(::geteuid());

    Started started;
    Reactions reactions;
    reactions.console = [&](UniqueFd master) { return take_console(std::move(master), &started); };
    reactions.waiting = [&](int pid) -> Result<void> {
      record.pid = pid;
      TRY(devices_, MovedDevices::move(spec_, pid));
      return run_creation_hooks(engine_, spec_, container_);
    };
    TRY(const auto handles, group.open_handles());
    auto launched = launch(plan, spec_.process.args,
                           {.init_path = engine_.programs + kInitProgram, .group = &handles}, reactions);
    if (!launched) return tl::unexpected(explain(std::move(launched.error()), group));
    Child child = std::move(*launched);
    record.pid = child.pid;
    record.pid_start = process_start(child.pid);
    if (auto finished = finish(); !finished) {
      end_child(child);
      // The first failure is the one to tell.
      static_cast<void>(kernel::remove_resctrl_group(record.resctrl).has_value());
      return tl::unexpected(std::move(finished.error()));
    }
    devices_.keep();
    started.pid = child.pid;
    started.pidfd = std::move(child.pidfd);
    return started;
  }

  // Our own first steps count against the limit too.
  Error explain(Error error, const kernel::Cgroup& group) const {
    const auto limit = spec_.resources.memory_limit;
    if (!limit || *limit <= 0 || (error.error_number() != ENOMEM && group.oom_kills() == 0)) return error;
    return std::move(error).with_context(
        fmt::format("linux.resources.memory.limit: {} bytes are not enough", *limit));
  }

  Result<void> take_console(UniqueFd master, Started* started) {
    if (options_.console_socket.empty()) {
      started->console = std::move(master);
      return {};
    }
    return send_console(options_.console_socket, master.get());
  }

  // Init waits at await_start: what follows is explained when it is started.
  void remember_steps(const runtime::LaunchPlan& plan) {
    const auto waiting = std::find(plan.ops.begin(), plan.ops.end(), init::Op::await_start);
    const auto first = static_cast<std::size_t>(waiting - plan.ops.begin()) + 1;
    container_.record.first_step = static_cast<std::uint32_t>(first);
    for (std::size_t i = first; i < plan.ops.size(); ++i)
      container_.record.steps.emplace_back(static_cast<std::uint16_t>(plan.ops[i]), plan.descriptions[i]);
  }

  // Init waits for its start: what it does from now on counts.
  Result<void> finish() {
    Record& record = container_.record;
    TRY(record.resctrl, enter_resctrl(spec_, record.id, record.pid));
    TRY(write_file(directory_ + "/" + kConfigFile, config_, 0600));
    TRY(write_file(directory_ + "/" + kStateFile, format_record(record), 0600));
    return write_pid_file(options_.pid_file, record.pid);
  }

  const Options& engine_;
  const CreateOptions& options_;
  std::string directory_;
  std::string config_;
  oci::RuntimeSpec spec_;
  SpecParts parts_;
  std::vector<int> preserved_;
  MovedDevices devices_;
  Container container_;
};

}  // namespace

Result<Started> Runtime::create(const std::string& id, const CreateOptions& options) const {
  TRY(check_id(id));
  Creation creation(options_, options, id, directory_of(id));
  TRY(creation.prepare());
  TRY(Claim claim, Claim::make(options_.root, directory_of(id)));
  TRY(Started started, creation.run());
  claim.keep();
  return started;
}

}  // namespace fermata::bundle
