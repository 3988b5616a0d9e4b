// Makes calls of the Container Runtime Interface and prints what each of them took, one line a call: its name
// and milliseconds; last "wall" and what all of it took. bench/cri starts it, once for each daemon and step.
//
//     cri_driver SOCKET IMAGE DIRECTORY STEP COUNT PARALLEL
//
// DIRECTORY is for logs; its last part is the name of the pods' cgroup parent. Steps:
//     pull   the image, once
//     fill   COUNT pods with a container each, which stay
//     live   COUNT pods with a container each, from RunPodSandbox to RemovePodSandbox
//     read   COUNT times the calls that change nothing, about the pods that are there
//     exec   COUNT times ExecSync of /bin/true
//     clear  removes all pods
#include <cri_protocol/api.grpc.pb.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"

namespace fermata {
namespace {

namespace v1 = ::runtime::v1;
using Runtime = v1::RuntimeService::Stub;
using Images = v1::ImageService::Stub;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::chrono::seconds kDeadline{120};
constexpr int kLongestMessage = 64 << 20;
constexpr const char* kLog = "main.log";
constexpr int kGrace = 10;  // seconds that a container has to obey
// Ends at once on TERM: what is timed is the daemon, not the patience of a shell.
constexpr const char* kService[] = {"/bin/sh", "-c", "trap 'exit 0' TERM; echo up; sleep 100000 & wait"};

// What went wrong first; nothing is started after it. Thread-safe.
class Failure {
 public:
  void set(const std::string& message) {
    const std::scoped_lock lock(mutex_);
    if (message_.empty()) message_ = message;
    set_ = true;
  }
  bool is_set() const { return set_; }
  const std::string& message() const { return message_; }

 private:
  std::mutex mutex_;
  std::string message_;
  std::atomic<bool> set_ = false;
};

struct Sample {
  std::string name;
  double milliseconds;
};

// One thread's calls and what they took.
class Caller {
 public:
  Caller(Runtime& runtime, Failure& failure) : runtime_(runtime), failure_(failure) {}

  // The answer; an empty one once a call has failed.
  template <class Service, class Request, class Response>
  Response call(const char* name, Service& service,
                grpc::Status (Service::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request) {
    Response response;
    if (failure_.is_set()) return response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    const auto start = Clock::now();
    const grpc::Status status = (service.*method)(&context, request, &response);
    samples_.push_back({name, Milliseconds(Clock::now() - start).count()});
    if (!status.ok())
      failure_.set(fmt::format("{}: code {}: {}", name, int(status.error_code()), status.error_message()));
    return response;
  }
  template <class Request, class Response>
  Response call(const char* name,
                grpc::Status (Runtime::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request) {
    return call(name, runtime_, method, request);
  }
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  Runtime& runtime_;
  Failure& failure_;
  std::vector<Sample> samples_;
};

struct Arguments {
  std::string socket, image, directory, step;
  int count = 0, parallel = 1;
};

class Driver {
 public:
  explicit Driver(const Arguments& arguments);

  // 0, or 1 after a message.
  int run();

 private:
  struct Pod {
    v1::PodSandboxConfig config;
    std::string id, container;
  };

  template <class Step>
  void in_parallel(int count, Step step);
  v1::PodSandboxConfig pod_config(int index) const;
  v1::ContainerConfig container_config() const;
  Pod start_pod(Caller& caller, int index);
  void wait_until_up(const Pod& pod);
  static void end_container(Caller& caller, const std::string& id);
  static void end_pod(Caller& caller, const std::string& id);
  static void exec_true(Caller& caller, const std::string& container);
  static void read_once(Caller& caller, const v1::Container& container);
  std::vector<v1::Container> running();
  bool step();

  const Arguments& arguments_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Images> images_;
  Failure failure_;
  std::vector<Sample> samples_;
  double wall_ = 0;
};

Driver::Driver(const Arguments& arguments) : arguments_(arguments) {
  grpc::ChannelArguments options;
  options.SetMaxReceiveMessageSize(kLongestMessage);
  const auto channel =
      grpc::CreateCustomChannel("unix://" + arguments.socket, grpc::InsecureChannelCredentials(), options);
  runtime_ = v1::RuntimeService::NewStub(channel);
  images_ = v1::ImageService::NewStub(channel);
  // The connection is made by the first call, which is not counted.
  Caller(*runtime_, failure_).call("Version", &Runtime::Version, v1::VersionRequest());
}

// step(caller, index) for each index below `count`, by as many threads as were asked for.
template <class Step>
void Driver::in_parallel(int count, Step step) {
  std::atomic<int> next = 0;
  std::mutex mutex;
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < std::min(count, arguments_.parallel); ++i)
      threads.emplace_back([&] {
        Caller caller(*runtime_, failure_);
        for (int index = next++; index < count && !failure_.is_set(); index = next++) step(caller, index);
        const std::scoped_lock lock(mutex);
        samples_.insert(samples_.end(), caller.samples().begin(), caller.samples().end());
      });
  }
  wall_ = Milliseconds(Clock::now() - start).count();
}

v1::PodSandboxConfig Driver::pod_config(int index) const {
  const std::filesystem::path directory(arguments_.directory);
  const std::string name = fmt::format("{}-{}-{}", arguments_.step, ::getpid(), index);
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_uid(name);
  config.mutable_metadata()->set_namespace_("bench");
  config.set_hostname(name);
  config.set_log_directory(directory / name);
  config.mutable_linux()->set_cgroup_parent("/" + directory.filename().string());
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::CONTAINER);
  std::filesystem::create_directories(directory / name);
  return config;
}

v1::ContainerConfig Driver::container_config() const {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("main");
  config.mutable_image()->set_image(arguments_.image);
  for (const char* word : kService) config.add_command(word);
  config.set_log_path(kLog);
  // What Kubernetes asks for unless a manifest says otherwise; the protocol's own default is the pod's.
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::CONTAINER);
  return config;
}

Driver::Pod Driver::start_pod(Caller& caller, int index) {
  Pod pod{.config = pod_config(index), .id = {}, .container = {}};
  v1::RunPodSandboxRequest run;
  *run.mutable_config() = pod.config;
  pod.id = caller.call("RunPodSandbox", &Runtime::RunPodSandbox, run).pod_sandbox_id();
  v1::CreateContainerRequest create;
  create.set_pod_sandbox_id(pod.id);
  *create.mutable_config() = container_config();
  *create.mutable_sandbox_config() = pod.config;
  pod.container = caller.call("CreateContainer", &Runtime::CreateContainer, create).container_id();
  v1::StartContainerRequest start;
  start.set_container_id(pod.container);
  caller.call("StartContainer", &Runtime::StartContainer, start);
  return pod;
}

// Nothing is timed here: a TERM before the trap is set would be lost, and the grace be waited for.
void Driver::wait_until_up(const Pod& pod) {
  const std::filesystem::path log = std::filesystem::path(pod.config.log_directory()) / kLog;
  const auto deadline = Clock::now() + kDeadline;
  std::error_code none;
  while (!failure_.is_set() &&
         (!std::filesystem::exists(log, none) || std::filesystem::is_empty(log, none))) {
    if (Clock::now() > deadline) failure_.set(fmt::format("a container writes nothing to {}", log.string()));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Driver::end_container(Caller& caller, const std::string& id) {
  v1::StopContainerRequest stop;
  stop.set_container_id(id);
  stop.set_timeout(kGrace);
  caller.call("StopContainer", &Runtime::StopContainer, stop);
  v1::RemoveContainerRequest remove;
  remove.set_container_id(id);
  caller.call("RemoveContainer", &Runtime::RemoveContainer, remove);
}

void Driver::end_pod(Caller& caller, const std::string& id) {
  v1::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(id);
  caller.call("StopPodSandbox", &Runtime::StopPodSandbox, stop);
  v1::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(id);
  caller.call("RemovePodSandbox", &Runtime::RemovePodSandbox, remove);
}

void Driver::exec_true(Caller& caller, const std::string& container) {
  v1::ExecSyncRequest exec;
  exec.set_container_id(container);
  exec.add_cmd("/bin/true");
  exec.set_timeout(kGrace);
  caller.call("ExecSync", &Runtime::ExecSync, exec);
}

void Driver::read_once(Caller& caller, const v1::Container& container) {
  // Of a call that asks the daemon for nothing: what is the protocol's alone.
  caller.call("Version", &Runtime::Version, v1::VersionRequest());
  caller.call("ListPodSandbox", &Runtime::ListPodSandbox, v1::ListPodSandboxRequest());
  caller.call("ListContainers", &Runtime::ListContainers, v1::ListContainersRequest());
  v1::PodSandboxStatusRequest pod;
  pod.set_pod_sandbox_id(container.pod_sandbox_id());
  caller.call("PodSandboxStatus", &Runtime::PodSandboxStatus, pod);
  v1::ContainerStatusRequest status;
  status.set_container_id(container.id());
  caller.call("ContainerStatus", &Runtime::ContainerStatus, status);
  v1::ContainerStatsRequest stats;
  stats.set_container_id(container.id());
  caller.call("ContainerStats", &Runtime::ContainerStats, stats);
  caller.call("ListContainerStats", &Runtime::ListContainerStats, v1::ListContainerStatsRequest());
  exec_true(caller, container.id());
}

std::vector<v1::Container> Driver::running() {
  v1::ListContainersRequest request;
  request.mutable_filter()->mutable_state()->set_state(v1::CONTAINER_RUNNING);
  const auto all = Caller(*runtime_, failure_).call("ListContainers", &Runtime::ListContainers, request);
  if (all.containers().empty()) failure_.set("no container runs; 'fill' comes first");
  return {all.containers().begin(), all.containers().end()};
}

bool Driver::step() {
  const std::string& step = arguments_.step;
  if (step == "pull") {
    v1::PullImageRequest request;
    request.mutable_image()->set_image(arguments_.image);
    in_parallel(
        1, [&](Caller& caller, int) { caller.call("PullImage", *images_, &Images::PullImage, request); });
  } else if (step == "fill") {
    in_parallel(arguments_.count, [&](Caller& caller, int index) { start_pod(caller, index); });
  } else if (step == "live") {
    in_parallel(arguments_.count, [&](Caller& caller, int index) {
      const Pod pod = start_pod(caller, index);
      wait_until_up(pod);
      end_container(caller, pod.container);
      end_pod(caller, pod.id);
    });
  } else if (step == "read" || step == "exec") {
    const auto containers = running();
    in_parallel(arguments_.count, [&](Caller& caller, int index) {
      const v1::Container& container = containers[static_cast<std::size_t>(index) % containers.size()];
      if (step == "read")
        read_once(caller, container);
      else
        exec_true(caller, container.id());
    });
  } else if (step == "clear") {
    const auto all = Caller(*runtime_, failure_)
                         .call("ListPodSandbox", &Runtime::ListPodSandbox, v1::ListPodSandboxRequest());
    in_parallel(all.items_size(), [&](Caller& caller, int index) { end_pod(caller, all.items(index).id()); });
  } else {
    return false;
  }
  return true;
}

int Driver::run() {
  if (!step()) failure_.set(fmt::format("there is no step '{}'", arguments_.step));
  if (failure_.is_set()) {
    fmt::print(stderr, "cri_driver: {}\n", failure_.message());
    return 1;
  }
  for (const Sample& sample : samples_) fmt::print("{} {:.4f}\n", sample.name, sample.milliseconds);
  fmt::print("wall {:.4f}\n", wall_);
  return 0;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) {
  using namespace fermata;
  const auto count = argc == 7 ? parse_unsigned(argv[5]) : std::nullopt;
  const auto parallel = argc == 7 ? parse_unsigned(argv[6]) : std::nullopt;
  if (!count || !parallel || *count > 100'000 || *parallel < 1 || *parallel > 1000) {
    fmt::print(stderr,
               "usage: cri_driver SOCKET IMAGE DIRECTORY pull|fill|live|read|exec|clear COUNT PARALLEL\n");
    return 2;
  }
  const Arguments arguments{.socket = argv[1],
                            .image = argv[2],
                            .directory = argv[3],
                            .step = argv[4],
                            .count = static_cast<int>(*count),
                            .parallel = static_cast<int>(*parallel)};
  return Driver(arguments).run();
}
