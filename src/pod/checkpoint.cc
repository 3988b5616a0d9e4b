// A container's processes and changes in one archive, while it goes on: CRIU writes the processes, and at the
// moment when it has them all, before they go on, the changes of the root file system are written beside.
//
// Work goes on in a directory of its own below the root, which an intent announces: what a killed engine
// leaves is removed by the next one. The archive appears at its place whole, by one rename.
#include "bundle/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/text.h"
#include "kernel/mountinfo.h"
#include "kernel/pidfd.h"
#include "oci/runtime_document_writer.h"
#include "pod/checkpoint_records.h"
#include "pod/checkpoint_spec.h"
#include "pod/engine_impl.h"
#include "pod/foreign.h"
#include "pod/tar_writer.h"

namespace fermata::pod {
namespace {

constexpr char kIntent[] = "checkpoint";
constexpr char kLock[] = "/checkpoint.lock";    // in the container's directory
constexpr char kKeptLog[] = "/checkpoint.log";  // likewise: of the last one that failed
constexpr std::size_t kMaxMountTable = 16u << 20;

std::string scratch_directory(const std::string& root, std::int64_t intent) {
  return fmt::format("{}/checkpoint-{}", root, intent);
}

Result<std::vector<std::string>> mount_points(int pid) {
  TRY(const std::string table, read_file(fmt::format("/proc/{}/mountinfo", pid), kMaxMountTable));
  std::vector<std::string> points;
  for (const std::string_view line : split(table, '\n'))
    if (auto mount = kernel::parse_mount(line)) points.push_back(std::move(mount->point));
  return points;
}

// A file that appears at its place when it is whole.
class NewFile {
 public:
  static Result<NewFile> beside(const std::string& target) {
    NewFile file;
    file.target_ = target;
    file.path_ = target + ".partial-XXXXXX";
    file.fd_ = UniqueFd(::mkostemp(file.path_.data(), O_CLOEXEC));  // mode 0600
    if (file.fd_) return file;
    const int number = errno;
    file.path_.clear();
    return fail(number, "make a file beside '{}'", target);
  }
  NewFile(NewFile&& other) noexcept
      : target_(std::move(other.target_)), path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  int fd() const { return fd_.get(); }
  Result<void> place() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) return fail(errno, "rename to '{}'", target_);
    path_.clear();
    return {};
  }

 private:
  NewFile() = default;
  std::string target_, path_;
  UniqueFd fd_;
};

class Checkpoint {
 public:
  Checkpoint(Engine::Impl& engine, ContainerRow container, const CheckpointRequest& request,
             std::string scratch)
      : engine_(engine), container_(std::move(container)), request_(request), scratch_(std::move(scratch)) {}

  // `pid`: its first process, which `pidfd` has.
  Result<void> run(int pid, const UniqueFd& pidfd) {
    pid_ = pid;
    pidfd_ = pidfd.get();
    TRY(pod_, engine_.store().pod(container_.pod));
    TRY(spec_, checkpoint_spec(engine_, pod_, container_, pid));
    for (const auto& [key, value] : request_.annotations) spec_.annotations[key] = value;
    TRY(make_directories(scratch_, 0700));
    TRY(write_records());
    TRY(dump());
    return pack();
  }

 private:
  Result<void> record(const char* name, const std::string& bytes) const {
    return write_file(scratch_ + "/" + name, bytes, 0600);
  }

  Result<void> write_records() const {
    const ContainerConfig& config = container_.config;
    TRY(record(kSpecDump, oci::runtime_document(spec_)));
    TRY(record(kConfigDump, config_dump({.id = container_.id,
                                         .name = container_.name,
                                         .image = config.image,
                                         .image_id = config.image_id,
                                         .runtime = is_foreign(container_) ? config.runtime : "fermata",
                                         .created = container_.created,
                                         .checkpointed = now_ns()})));
    std::vector<CheckpointedBind> binds;
    for (const oci::Mount& mount : spec_.mounts) {
      struct stat info = {};
      if (!bundle::is_bind(mount) || !mount.source.starts_with('/')) continue;
      // Its source may have gone since.
      if (::stat(mount.source.c_str(), &info) != 0) continue;
      binds.push_back({.source = mount.source,
                       .destination = mount.destination,
                       .directory = S_ISDIR(info.st_mode),
                       .permissions = info.st_mode & 0777});
    }
    if (!binds.empty()) TRY(record(kBindMounts, bind_mounts(binds)));
    return {};
  }

  Result<void> dump() {
    TRY(const auto group, engine_.group_of(pod_, container_.id));
    const bool was_frozen = group.frozen();
    bundle::CheckpointOptions options;
    options.criu.images = scratch_ + "/" + kImagesDirectory;
    options.criu.work = scratch_;
    // Connections and locks are part of the state, and stay with those who have them.
    options.criu.tcp_established = true;
    options.criu.ext_unix_sockets = true;
    options.criu.file_locks = true;
    options.link_remap = true;
    options.leave_running = true;
    auto dumped = bundle::dump(
        {.spec = spec_, .pid = pid_, .root = {}, .group = group}, options,
        [this](const std::string& step, int, const UniqueFd&) {
          return step == "post-dump" ? write_changes() : Result<void>();
        },
        request_.patience);
    if (dumped) return {};
    // CRIU was killed: it has let the processes go, but not out of the freezer.
    if (!was_frozen && group.frozen()) static_cast<void>(group.freeze(false).has_value());
    return tl::unexpected(explain(std::move(dumped.error())));
  }

  // CRIU's log stays with the container, when it has a reason.
  Error explain(Error error) const {
    if (!request_.patience()) return error;
    const std::string kept = engine_.container_directory(container_.id) + kKeptLog;
    if (::rename((scratch_ + "/" + bundle::kDumpLog).c_str(), kept.c_str()) != 0) return error;
    return bundle::with_log(std::move(error), kept);
  }

  // All processes stand still.
  Result<void> write_changes() const {
    pollfd ended = {pidfd_, POLLIN, 0};
    if (::poll(&ended, 1, 0) != 0)
      return fail(ErrorKind::conflict, "the container has ended while it was written");
    TreeRequest tree{.directory = engine_.container_directory(container_.id) + "/upper"};
    // What is mounted there covers what was written there before.
    TRY(tree.skip, mount_points(pid_));
    const auto& layers = container_.runtime.resolved.layers;
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
      tree.lower.push_back(engine_.images().layers_directory() + "/" + *layer);
    if (pod_.config.user_namespace) tree.users = &*pod_.config.user_namespace;
    TRY(const UniqueFd out, open_file(scratch_ + "/" + kRootDiff, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    TarWriter archive(out.get(), request_.patience);
    TRY(const auto deleted, write_tree(tree, archive));
    TRY(archive.finish());
    return deleted.empty() ? Result<void>() : record(kDeletedFiles, deleted_files(deleted));
  }

  Result<void> pack() const {
    TRY(NewFile file, NewFile::beside(request_.location));
    TarWriter archive(file.fd(), request_.patience);
    TRY(write_tree({.directory = scratch_}, archive));
    TRY(add_log(archive));
    TRY(archive.finish());
    if (::fsync(file.fd()) != 0) return fail(errno, "write '{}'", request_.location);
    return file.place();
  }

  // As far as it goes now; there may be none.
  Result<void> add_log(TarWriter& archive) const {
    const std::string& elsewhere = container_.config.log_path;
    const auto log = open_file(
        elsewhere.empty() ? engine_.container_directory(container_.id) + "/" + monitor::kLogFile : elsewhere,
        O_RDONLY | O_NONBLOCK);
    struct stat info = {};
    if (!log || ::fstat(log->get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    return archive.add_file({.name = kContainerLog,
                             .mode = 0600,
                             .size = static_cast<std::uint64_t>(info.st_size),
                             .modified = info.st_mtim.tv_sec * std::int64_t{1'000'000'000}},
                            log->get());
  }

  Engine::Impl& engine_;
  const ContainerRow container_;
  const CheckpointRequest& request_;
  const std::string scratch_;
  PodRow pod_;
  oci::RuntimeSpec spec_;
  int pid_ = 0, pidfd_ = -1;
};

Result<void> check_location(const std::string& location) {
  struct stat info = {};
  if (!location.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "checkpoint '{}': an absolute path is needed", location);
  if (location.ends_with('/') || (::stat(location.c_str(), &info) == 0 && S_ISDIR(info.st_mode)))
    return fail(ErrorKind::invalid_argument, "checkpoint '{}': a file is needed, and this is a directory",
                location);
  const std::string parent = location.substr(0, location.rfind('/') + 1);
  if (::stat(parent.c_str(), &info) != 0) return fail(errno, "checkpoint '{}'", location);
  return {};
}

}  // namespace

Result<void> Engine::Impl::undo_checkpoint(const Intent& intent) {
  return remove_tree(scratch_directory(options_.root, intent.id));
}

Result<void> Engine::Impl::checkpoint(const std::string& reference, const CheckpointRequest& request) {
  TRY(check_location(request.location));
  TRY(auto container, find(reference));
  TRY(auto live, reach(container.pod));
  const auto* process = live ? live->find(container.id) : nullptr;
  if (process == nullptr || process->exit_code >= 0)
    return fail(ErrorKind::conflict, "container {} is not running", container.name);
  if (container.runtime.resolved.pause)
    return fail(ErrorKind::unsupported, "container {} runs the built-in pause, which has no state",
                container.name);
  const int pid = process->pid;
  const UniqueFd pidfd = kernel::open_pidfd(pid);
  TRY(live->refresh());
  // The number was still its own when it was opened.
  if (!pidfd || !live->runs(container.id))
    return fail(ErrorKind::conflict, "container {} is not running", container.name);
  live.reset();
  TRY(const auto lock, FileLock::try_acquire(container_directory(container.id) + kLock));
  if (!lock) return fail(ErrorKind::conflict, "container {} is being checkpointed already", container.name);
  TRY(bundle::check_criu());
  TRY(const std::int64_t intent, store().add_intent(kIntent, container.id, false));
  const std::string scratch = scratch_directory(options_.root, intent);
  auto done = Checkpoint(*this, std::move(container), request, scratch).run(pid, pidfd);
  // What cannot be removed now keeps its intent for a later command.
  if (remove_tree(scratch)) TRY(store().remove_intent(intent));
  return done;
}

}  // namespace fermata::pod
