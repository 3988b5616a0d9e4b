#include "cri/pull_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "cri/signal_queue.h"
#include "oci/reference.h"
#include "state/database.h"

namespace fermata::cri {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxAnswer = 1u << 20;
// To leave nothing behind, once it was asked to stop.
constexpr std::chrono::seconds kPatience{10};

struct Pipe {
  UniqueFd reader, writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<pid_t> spawn(int input, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  std::string program = "/proc/self/exe", command = kPullCommand;
  char* arguments[] = {program.data(), command.data(), nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(error, "start a process that pulls");
  return child;
}

// Until the writer's end is closed, which is its process's end; or until it was asked to stop, and does not.
Result<std::string> read_answer(int reader, int stop, pid_t child) {
  std::string answer;
  bool asked = false;
  while (true) {
    pollfd waiting[2] = {{reader, POLLIN, 0}, {asked ? -1 : stop, POLLIN, 0}};
    const int patience = asked ? static_cast<int>(std::chrono::milliseconds(kPatience).count()) : -1;
    const int ready = ::poll(waiting, 2, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) ::kill(child, SIGKILL);
    if (ready > 0 && waiting[1].revents != 0) {
      asked = true;
      ::kill(child, SIGTERM);
      continue;
    }
    char buffer[4096];
    const ssize_t got = ::read(reader, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || answer.size() > kMaxAnswer) return answer;
    answer.append(buffer, static_cast<std::size_t>(got));
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Result<std::string> pull(const PullRequest& request, const std::stop_token& stop) {
  TRY(const auto reference, oci::parse_reference(request.image));
  TRY(auto database, state::Database::open(request.root + "/state.db"));
  TRY(auto images, image::Images::open(request.root, database, "cri"));
  image::PullOptions options;
  options.credentials = request.credentials;
  options.registries = request.registries;
  options.stop = stop;
  TRY(const auto pulled, images.pull(reference, options));
  return pulled.id;
}

Result<std::string> pull_as_asked(const std::stop_token& stop) {
  TRY(const std::string text, read_fd(STDIN_FILENO, kMaxAnswer));
  TRY(const PullRequest request, parse_pull(text));
  return pull(request, stop);
}

}  // namespace

std::string serialize_pull(const PullRequest& request) {
  Json json = {
      {"root", request.root},
      {"image", request.image},
      {"registries", {{"conf", request.registries.conf}, {"hostsDirs", request.registries.hosts_dirs}}}};
  if (request.credentials)
    json["credentials"] = {{"user", request.credentials->user},
                           {"password", request.credentials->password},
                           {"identityToken", request.credentials->identity_token},
                           {"registryToken", request.credentials->registry_token}};
  return dump(json);
}

Result<PullRequest> parse_pull(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    PullRequest request{.root = json.at("root"), .image = json.at("image")};
    request.registries = {.conf = json.at("registries").at("conf"),
                          .hosts_dirs = json.at("registries").at("hostsDirs")};
    if (const auto found = json.find("credentials"); found != json.end())
      request.credentials = image::Credentials{.user = found->at("user"),
                                               .password = found->at("password"),
                                               .identity_token = found->at("identityToken"),
                                               .registry_token = found->at("registryToken")};
    return request;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::invalid_argument, "the request to pull cannot be read: {}", error.what());
  }
}

std::string serialize_pulled(const Result<std::string>& pulled) {
  if (pulled) return dump({{"id", *pulled}});
  const Error& error = pulled.error();
  return dump({{"kind", static_cast<int>(error.kind())},
               {"errno", error.error_number()},
               {"message", error.message()}});
}

Result<std::string> parse_pulled(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    if (const auto id = json.find("id"); id != json.end()) return id->get<std::string>();
    return tl::unexpected(Error(static_cast<ErrorKind>(json.at("kind").get<int>()),
                                json.at("errno").get<int>(), json.at("message").get<std::string>()));
  } catch (const Json::exception&) {
    return fail(ErrorKind::failed, "the process that pulled has ended without an answer");
  }
}

int run_pull_command() {
  // Of nobody any more, it ends at once; what it leaves, the next one removes.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto signals = SignalQueue::open({SIGTERM, SIGINT});
  if (!signals) return 1;
  std::stop_source stop;
  std::jthread watcher([&](const std::stop_token& over) {
    while (!over.stop_requested()) {
      const auto signal = signals->next(std::chrono::milliseconds(100));
      if (!signal || *signal) stop.request_stop();
    }
  });
  const std::string answer = serialize_pulled(pull_as_asked(stop.get_token()));
  const bool written = write_all(STDOUT_FILENO, answer).has_value();
  // All is on disk; nobody waits for a thread that looks for signals now and then.
  std::_Exit(written ? 0 : 1);
}

Result<std::string> pull_by_process(const PullRequest& request, const std::stop_token& stop) {
  TRY(const UniqueFd input, memory_file("pull", serialize_pull(request)));
  if (::lseek(input.get(), 0, SEEK_SET) < 0) return fail(errno, "lseek");
  TRY(Pipe output, make_pipe());
  const UniqueFd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped) return fail(errno, "eventfd");
  TRY(const pid_t child, spawn(input.get(), output.writer.get()));
  output.writer.reset();
  Result<std::string> answer;
  {
    const std::stop_callback<std::function<void()>> ask(stop, [&] { ::eventfd_write(stopped.get(), 1); });
    answer = read_answer(output.reader.get(), stopped.get(), child);
  }
  const int status = wait_for(child);
  TRY(const std::string text, std::move(answer));
  if (WIFSIGNALED(status))
    return fail(ErrorKind::failed, "the process that pulled was ended by signal {}", WTERMSIG(status));
  return parse_pulled(text);
}

}  // namespace fermata::cri
