#include "bundle/criu.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/files.h"
#include "base/text.h"
#include "kernel/core/packet.h"

namespace fermata::bundle {
namespace {

constexpr char kProgram[] = "criu";
constexpr int kSocket = 3;  // of CRIU
constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr std::size_t kMaxTold = 3;  // lines of a log
constexpr int kPatienceStep = 100;   // ms

int wait_status(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// In the child. Tells why it could not through `trouble`, which closes when CRIU is executed.
[[noreturn]] void become_criu(const std::vector<std::string>& arguments, const std::vector<int>& descriptors,
                              const std::function<Result<void>()>& enter, int trouble) {
  const auto give_up = [&](const std::string& message) {
    // A reader that is gone has given up already.
    static_cast<void>(write_all(trouble, message).has_value());
    ::_exit(1);
  };
  if (enter)
    if (const auto entered = enter(); !entered) give_up(entered.error().message());
  // Out of each other's way first: a number may be both a source and a target.
  std::vector<int> moved;
  for (const int fd : descriptors) moved.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
  for (std::size_t i = 0; i < moved.size(); ++i)
    if (moved[i] < 0 || ::dup2(moved[i], kSocket + static_cast<int>(i)) < 0)
      give_up("hand descriptors to criu: " + errno_text(errno));
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  // Signals that the caller holds are none of CRIU's, nor of what it restores.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(kProgram, words.data());
  give_up(errno == ENOENT ? "criu is not installed (Debian: criu)" : "execute criu: " + errno_text(errno));
  ::_exit(1);
}

// Its process id, once it is executed.
Result<int> start_criu(const std::vector<std::string>& arguments, const std::vector<int>& descriptors,
                       const std::function<Result<void>()>& enter) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  const UniqueFd reader(pipe[0]);
  // Above those that are CRIU's.
  UniqueFd writer(::fcntl(pipe[1], F_DUPFD_CLOEXEC, 200));
  ::close(pipe[1]);
  if (!writer) return fail(errno, "make a pipe");
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, "make a process");
  if (pid == 0) become_criu(arguments, descriptors, enter, writer.get());
  writer.reset();
  const auto trouble = read_fd(reader.get(), 4096);
  if (trouble && trouble->empty()) return static_cast<int>(pid);
  ::kill(pid, SIGKILL);
  wait_status(pid);
  if (!trouble) return tl::unexpected(trouble.error());
  return fail(ErrorKind::unsupported, "{}", *trouble);
}

struct Packet {
  std::string bytes;
  UniqueFd descriptor;
};

Result<Packet> receive(int socket) {
  Packet packet;
  packet.bytes.resize(kMaxAnswer);
  auto [size, descriptor] = kernel::receive_packet(socket, packet.bytes.data(), packet.bytes.size());
  if (size < 0 && size != -ECONNRESET) return fail(static_cast<int>(-size), "hear from criu");
  packet.bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  packet.descriptor = std::move(descriptor);
  return packet;
}

Result<void> send(int socket, const std::string& bytes) {
  if (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return fail(errno, "ask criu");
  return {};
}

// "(00.012345)      7: Error (criu/mount.c:12): mnt: No such mount" -> the part from "Error" on.
std::string errors_of(const std::string& text) {
  std::vector<std::string> told;
  for (const std::string_view line : split(text, '\n'))
    if (const auto at = line.find("Error ("); at != std::string_view::npos && told.size() < kMaxTold)
      told.emplace_back(line.substr(at));
  return join(told, "; ");
}

Error failure(const CriuAnswer& answer, const std::string& log) {
  const auto text = log.empty() ? Result<std::string>(std::string()) : read_file(log);
  std::string why = text ? errors_of(*text) : "";
  if (why.empty()) why = answer.message;
  if (why.empty() && answer.error_number != 0) why = errno_text(answer.error_number);
  return Error(ErrorKind::failed, answer.error_number,
               fmt::format("criu: {}", why.empty() ? "it gives no reason" : why));
}

}  // namespace

Result<Criu> Criu::start(const std::function<Result<void>()>& enter, const std::vector<int>& descriptors) {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail(errno, "make a socket");
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  std::vector<int> all = {theirs.get()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  TRY(const int pid, start_criu({kProgram, "swrk", std::to_string(kSocket)}, all, enter));
  return Criu(pid, std::move(ours));
}

Criu::Criu(Criu&& other) noexcept : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}

Criu::~Criu() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait_status(pid_);
}

Result<UniqueFd> Criu::open_directory(const std::string& path) const {
  return open_file(fmt::format("/proc/{}/root{}", pid_, path), O_RDONLY | O_DIRECTORY);
}

Error with_log(Error error, const std::string& log) {
  return Error(error.kind(), error.error_number(), fmt::format("{} (its log: {})", error.message(), log));
}

Result<void> Criu::wait_for_word(const CriuPatience& patience, std::optional<Error>* refused) const {
  for (;;) {
    const bool may_lose_it = patience && !*refused;
    pollfd polled = {socket_.get(), POLLIN, 0};
    const int ready = ::poll(&polled, 1, may_lose_it ? kPatienceStep : -1);
    if (ready < 0 && errno != EINTR) return fail(errno, "wait for criu");
    if (ready > 0) return {};
    if (!may_lose_it) continue;
    auto patient = patience();
    if (patient) continue;
    *refused = std::move(patient.error());
    // setrlimit(2): with SIGXFSZ ignored, to write beyond this is the error EFBIG. It is a child of ours, so
    // that this can fail only when it has ended already.
    const rlimit nothing = {0, 0};
    static_cast<void>(::prlimit(pid_, RLIMIT_FSIZE, &nothing, nullptr));
  }
}

Result<CriuAnswer> Criu::ask(CriuType type, const CriuOptions& options, const std::string& log,
                             const CriuNotice& notice, const CriuPatience& patience) {
  TRY(send(socket_.get(), criu_request(type, options)));
  std::optional<Error> refused;
  for (;;) {
    TRY(wait_for_word(patience, &refused));
    TRY(Packet packet, receive(socket_.get()));
    if (packet.bytes.empty()) return tl::unexpected(refused ? std::move(*refused) : failure({}, log));
    auto answer = parse_criu_answer(packet.bytes);
    if (!answer) return fail(EBADMSG, "hear from criu");
    if (answer->type != static_cast<std::uint32_t>(CriuType::notify)) {
      if (refused) return tl::unexpected(std::move(*refused));
      if (!answer->success) return tl::unexpected(failure(*answer, log));
      // After a pre-dump it waits for the next request, or for our end.
      socket_.reset();
      wait_status(std::exchange(pid_, -1));
      return std::move(*answer);
    }
    if (!refused && notice)
      if (auto noted = notice(answer->script, answer->pid, std::move(packet.descriptor)); !noted)
        refused = std::move(noted.error());
    TRY(send(socket_.get(), criu_acknowledgement(!refused)));
  }
}

Result<void> check_criu() {
  TRY(const UniqueFd output, memory_file("criu", ""));
  TRY(const int pid, start_criu({kProgram, "check"}, {}, [&]() -> Result<void> {
        for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
          if (::dup2(output.get(), stream) < 0) return fail(errno, "execute criu");
        return {};
      }));
  const int status = wait_status(pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (::lseek(output.get(), 0, SEEK_SET) < 0) return fail(errno, "read what criu says");
  TRY(const std::string said, read_fd(output.get()));
  const std::string why = errors_of(said);
  return fail(ErrorKind::unsupported, "criu does not work on this kernel: {}",
              why.empty() ? std::string(trim(said)) : why);
}

}  // namespace fermata::bundle
