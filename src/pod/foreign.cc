#include "pod/foreign.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/id.h"
#include "base/text.h"
#include "cni/run_program.h"

namespace fermata::pod {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds kPatience{30};
constexpr std::size_t kMostLog = 1u << 20;
constexpr const char* kLog = "log";
constexpr const char* kPidFile = "pid";
// Runtimes execute others by name: nvidia-container-runtime runc, for one.
const std::vector<std::string> kEnvironment = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};

std::string directory_of(const std::string& run_root) { return run_root + "/runtimes"; }

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> words(const std::string& first, const std::vector<std::string>& rest) {
  std::vector<std::string> all = {first};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace

bool is_foreign(const ContainerRow& container) {
  return !container.config.runtime.empty() && !container.config.infra && !container.runtime.resolved.pause;
}

Result<void> check_runtime(const std::string& program) {
  if (!program.starts_with('/'))
    return fail(ErrorKind::invalid_argument, "OCI runtime '{}': not an absolute path", program);
  if (::access(program.c_str(), X_OK) != 0) return fail(errno, "OCI runtime '{}'", program);
  return {};
}

RuntimeFeatures parse_runtime_features(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  RuntimeFeatures features;
  if (!json.is_object() || !json.contains("mountOptions") || !json["mountOptions"].is_array())
    return features;
  const Json& options = json["mountOptions"];
  features.recursive_read_only = std::find(options.begin(), options.end(), "rro") != options.end();
  return features;
}

RuntimeFeatures read_runtime_features(const std::string& program) {
  const auto end = cni::run_program({.path = program,
                                     .arguments = {"features"},
                                     .input = {},
                                     .environment = kEnvironment,
                                     .timeout = kPatience});
  return end && end->exit_code == 0 ? parse_runtime_features(end->output) : RuntimeFeatures();
}

std::string last_message(std::string_view log) {
  const auto lines = split(trim(log), '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const Json json = Json::parse(*line, nullptr, false);
    if (!json.is_object() || !json.contains("msg") || !json["msg"].is_string()) continue;
    const std::string level = json.contains("level") && json["level"].is_string() ? json["level"] : "error";
    if (level == "error" || level == "fatal") return json["msg"];
  }
  return {};
}

Result<ConsoleSocket> ConsoleSocket::listen(const std::string& run_root) {
  const std::string path = directory_of(run_root) + "/console-" + random_hex(12);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid_argument, "socket '{}': the path is too long: choose a shorter --run-root",
                path);
  std::memcpy(address.sun_path, path.data(), path.size());
  ConsoleSocket console;
  console.socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!console.socket_) return fail(errno, "make a socket");
  if (::bind(console.socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno, "bind '{}'", path);
  console.path_ = path;
  if (::listen(console.socket_.get(), 1) != 0) return fail(errno, "listen at '{}'", path);
  return console;
}

ConsoleSocket& ConsoleSocket::operator=(ConsoleSocket&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(path_, other.path_);
  return *this;
}

ConsoleSocket::~ConsoleSocket() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

ForeignContainer::ForeignContainer(const std::string& run_root, const ContainerRow& container)
    : id_(container.id),
      program_(container.config.runtime),
      directory_of_all_(directory_of(run_root)),
      state_(directory_of_all_ + "/state"),
      bundle_(directory_of_all_ + "/" + container.id) {}

std::vector<std::string> ForeignContainer::command(const std::string& log,
                                                   std::vector<std::string> rest) const {
  std::vector<std::string> all = {"--root", state_, "--log", path(log), "--log-format", "json"};
  std::move(rest.begin(), rest.end(), std::back_inserter(all));
  return all;
}

Result<void> ForeignContainer::make_bundle() const {
  TRY(check_runtime(program_));
  // What it complains about was told when that run ended.
  (void)forget();
  TRY(make_directories(state_, 0700));
  TRY(make_directories(bundle_, 0700));
  for (const char* name : {runtime::kForeignRoot, "mounts"}) TRY(make_directories(path(name), 0755));
  return {};
}

runtime::ForeignCommands ForeignContainer::create_commands(const ConsoleSocket& console) const {
  runtime::ForeignCommands commands{.program = program_, .pid_file = path(kPidFile)};
  std::vector<std::string> create = {"create", "--bundle", bundle_, "--pid-file", commands.pid_file};
  if (console.fd() >= 0) create.insert(create.end(), {"--console-socket", console.path()});
  create.push_back(id_);
  commands.make = words(program_, command(kLog, std::move(create)));
  commands.start = words(program_, command(kLog, {"start", id_}));
  commands.console_socket = console.fd();
  return commands;
}

runtime::ForeignCommands ForeignContainer::exec_commands(const std::string& session,
                                                         const ConsoleSocket& console) const {
  runtime::ForeignCommands commands{.program = program_, .pid_file = path(session + ".pid")};
  std::vector<std::string> exec = {"exec",       "--detach",       "--process", path(session + ".json"),
                                   "--pid-file", commands.pid_file};
  if (console.fd() >= 0) exec.insert(exec.end(), {"--console-socket", console.path()});
  exec.push_back(id_);
  commands.make = words(program_, command(session + ".log", std::move(exec)));
  commands.console_socket = console.fd();
  return commands;
}

void ForeignContainer::remove_session(const std::string& session) const {
  for (const char* suffix : {".json", ".pid", ".log"}) ::unlink(path(session + suffix).c_str());
}

std::string ForeignContainer::complaint(const std::string& session) const {
  const auto log = read_file(path(session.empty() ? kLog : session + ".log"), kMostLog);
  return log ? last_message(*log) : "";
}

Result<void> ForeignContainer::run(std::vector<std::string> rest) const {
  const std::string what = rest.front();
  const std::string log = what + ".log";
  ::unlink(path(log).c_str());
  TRY(const auto end, cni::run_program({.path = program_,
                                        .arguments = command(log, std::move(rest)),
                                        .input = {},
                                        .environment = kEnvironment,
                                        .timeout = kPatience}));
  if (end.timed_out)
    return fail(ErrorKind::unavailable, "{} {}: it did not end within {} s and was killed",
                base_name(program_), what, kPatience.count());
  if (end.exit_code == 0) return {};
  std::string said = complaint(what);
  if (said.empty()) said = trim(end.errors);
  return fail(ErrorKind::failed, "{} {}: {}", base_name(program_), what,
              said.empty() ? fmt::format("exit code {}", end.exit_code) : said);
}

Result<void> ForeignContainer::signal(int number) const { return run({"kill", id_, std::to_string(number)}); }

Result<void> ForeignContainer::forget() const {
  if (::access(bundle_.c_str(), F_OK) != 0) return {};
  auto deleted = run({"delete", "--force", id_});
  TRY(remove_tree(state_ + "/" + id_));
  TRY(remove_tree(bundle_));
  // With the last one, what a runtime keeps for all of them goes too, if that is nothing.
  ::rmdir(state_.c_str());
  ::rmdir(directory_of_all_.c_str());
  return deleted;
}

}  // namespace fermata::pod
