// The base of the CRI's tests: one daemon a program, named by the program's argument, `fermatad` or
// `containerd`, with a registry that has its images; and after each test no pod left, nor what pods are made
// of.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "cri/client.h"
#include "cri/daemon.h"
#include "e2e/support/process.h"

namespace fermata::cri_test {

using e2e::Arguments;
using e2e::eventually;

template <class Reply>
testing::AssertionResult is_ok(const Reply& reply) {
  if (reply.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << reply;
}
// Of a call that must succeed: ASSERT_OK(reply) << more;
#define ASSERT_OK(reply) ASSERT_TRUE(::fermata::cri_test::is_ok(reply))
#define EXPECT_OK(reply) EXPECT_TRUE(::fermata::cri_test::is_ok(reply))

class CriTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  static Daemon& daemon();
  static const Client& client() { return daemon().client(); }
  static bool is_containerd() { return daemon().kind() == Kind::containerd; }
  // The reply says that Debian's containerd, whose version is older than the protocol's, does not know the
  // call.
  template <typename Message>
  static bool too_old_for(const Reply<Message>& reply) {
    return is_containerd() && reply.code() == grpc::UNIMPLEMENTED;
  }
  // host:port of the registry, and a reference of an image there that is pulled: busybox and the tests'
  // probe.
  static std::string registry();
  static std::string image();
  // Another one, that only the registry has.
  static std::string other_image();
  // A file in the test's own directory.
  static std::string scratch(const std::string& name);

  // What returns something other than a Reply ends the test when its call is refused.

  // A pod on the pod network with logs and a cgroup of the test's.
  static v1::PodSandboxConfig pod_config(const std::string& name = "pod");
  std::string run_pod(const v1::PodSandboxConfig& config);
  std::string run_pod() { return run_pod(pod_config()); }
  static Reply<v1::StopPodSandboxResponse> ask_stop_pod(const std::string& id);
  static Reply<v1::RemovePodSandboxResponse> ask_remove_pod(const std::string& id);
  static void stop_pod(const std::string& id) { EXPECT_OK(ask_stop_pod(id)); }
  static void remove_pod(const std::string& id);
  static v1::PodSandboxStatus pod_status(const std::string& id);

  // {command...}, logged to NAME.log in the pod's directory.
  static v1::ContainerConfig container_config(const Arguments& command, const std::string& name = "main");
  // In a pod that run_pod() made.
  std::string create(const std::string& pod, const v1::ContainerConfig& config);
  Reply<v1::CreateContainerResponse> try_create(const std::string& pod, const v1::ContainerConfig& config);
  static Reply<v1::StartContainerResponse> start(const std::string& id);
  // Created and started.
  std::string run(const std::string& pod, const v1::ContainerConfig& config);
  std::string run(const std::string& pod, const Arguments& command) {
    return run(pod, container_config(command));
  }
  // Reads the output of a container that has ended; fails the test when it does not end with 0.
  std::string output(const std::string& pod, const v1::ContainerConfig& config);
  std::string output(const std::string& pod, const Arguments& command) {
    return output(pod, container_config(command));
  }
  static Reply<v1::StopContainerResponse> stop(const std::string& id, int seconds = 0);
  static Reply<v1::RemoveContainerResponse> remove(const std::string& id);
  static v1::ContainerStatus status(const std::string& id);
  // The status when the container is in this state; the last one when it does not get there.
  static v1::ContainerStatus wait_for(const std::string& id, v1::ContainerState state, double seconds = 20);
  static v1::ContainerStatus wait_exited(const std::string& id) { return wait_for(id, v1::CONTAINER_EXITED); }
  static Reply<v1::ExecSyncResponse> exec(const std::string& id, const Arguments& command, int seconds = 20);
  // The output, without the last newline, of a command that succeeds.
  static std::string inside(const std::string& id, const Arguments& command);

  static std::vector<v1::Container> containers(const v1::ContainerFilter& filter = {});
  static std::vector<v1::PodSandbox> pods(const v1::PodSandboxFilter& filter = {});
  // The lines of a container's log file, whole, with time and stream.
  static std::vector<std::string> log_lines(const std::string& name = "main", const std::string& pod = "pod");
  // The same without time; "stdout F text".
  static std::vector<std::string> logged(const std::string& name = "main", const std::string& pod = "pod");

 private:
  std::map<std::string, v1::PodSandboxConfig> configs_;
  std::set<std::string> before_;
};

std::set<std::string> ids_of(const std::vector<v1::Container>& list);
std::set<std::string> ids_of(const std::vector<v1::PodSandbox>& list);
// Nanoseconds since 1970, as the protocol has times.
std::int64_t now();

}  // namespace fermata::cri_test
