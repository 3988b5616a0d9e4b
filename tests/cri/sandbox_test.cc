// Pod sandboxes: their life, their namespaces and network, and what their configuration asks for.
#include <sys/utsname.h>

#include <filesystem>

#include "cri/fixture.h"
#include "e2e/support/host.h"
#include "e2e/support/isolation.h"

namespace fermata::cri_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class Sandbox : public CriTest {
 protected:
  static std::string namespace_inside(const std::string& container, const std::string& kind) {
    return inside(container, {"readlink", "/proc/self/ns/" + kind});
  }
  static std::string namespace_of_host(const std::string& kind) {
    return std::filesystem::read_symlink("/proc/self/ns/" + kind).string();
  }
};

TEST_F(Sandbox, ShowsWhatItWasAskedFor) {
  const std::int64_t before = now();
  const std::string id = run_pod();
  const v1::PodSandboxStatus status = pod_status(id);
  EXPECT_EQ(id, status.id());
  EXPECT_EQ(v1::SANDBOX_READY, status.state());
  EXPECT_EQ("pod", status.metadata().name());
  EXPECT_EQ("pod-uid", status.metadata().uid());
  EXPECT_EQ("tests", status.metadata().namespace_());
  EXPECT_EQ(0U, status.metadata().attempt());
  EXPECT_THAT(status.labels(), UnorderedElementsAre(Pair("name", "pod"), Pair("of", "tests")));
  EXPECT_THAT(status.annotations(), UnorderedElementsAre(Pair("note", "about pod")));
  EXPECT_GE(status.created_at(), before);
  EXPECT_LE(status.created_at(), now());
  EXPECT_NE("", status.network().ip());
  EXPECT_EQ(v1::POD, status.linux().namespaces().options().network());
  EXPECT_EQ("", status.runtime_handler());
}

TEST_F(Sandbox, IsNotReadyOnceStopped) {
  const std::string id = run_pod();
  stop_pod(id);
  EXPECT_EQ(v1::SANDBOX_NOTREADY, pod_status(id).state());
  EXPECT_THAT(ids_of(pods()), ElementsAre(id)) << "it is there until it is removed";
}

TEST_F(Sandbox, StoppingTakesItsContainersDown) {
  const std::string id = run_pod();
  const std::string container = run(id, {"sleep", "1000"});
  stop_pod(id);
  EXPECT_EQ(v1::CONTAINER_EXITED, status(container).state());
}

TEST_F(Sandbox, RemovingTakesItsContainersToo) {
  const std::string id = run_pod();
  run(id, container_config({"sleep", "1000"}, "one"));
  create(id, container_config({"sleep", "1000"}, "two"));
  v1::RemovePodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  EXPECT_OK(client().call(&Runtime::RemovePodSandbox, request)) << "also without a stop";
  EXPECT_THAT(containers(), IsEmpty());
  EXPECT_THAT(pods(), IsEmpty());
}

TEST_F(Sandbox, AnotherAttemptStandsBesideTheFirst) {
  const std::string first = run_pod();
  stop_pod(first);
  v1::PodSandboxConfig config = pod_config();
  config.mutable_metadata()->set_attempt(1);
  const std::string second = run_pod(config);
  EXPECT_NE(first, second);
  EXPECT_EQ(1U, pod_status(second).metadata().attempt());
  EXPECT_EQ(v1::SANDBOX_NOTREADY, pod_status(first).state());
}

TEST_F(Sandbox, RefusesAHandlerThatNobodyHas) {
  v1::RunPodSandboxRequest request;
  *request.mutable_config() = pod_config();
  request.set_runtime_handler("no-such-handler");
  const auto reply = client().call(&Runtime::RunPodSandbox, request);
  EXPECT_FALSE(reply.ok());
  EXPECT_THAT(reply.error(), HasSubstr("no-such-handler"));
  EXPECT_THAT(pods(), IsEmpty()) << "nothing half made";
}

TEST_F(Sandbox, ContainersShareNetworkIpcAndHostname) {
  const std::string id = run_pod();
  const std::string one = run(id, container_config({"sleep", "1000"}, "one"));
  const std::string two = run(id, container_config({"sleep", "1000"}, "two"));
  for (const char* kind : {"net", "ipc", "uts"}) {
    EXPECT_EQ(namespace_inside(one, kind), namespace_inside(two, kind)) << kind;
    EXPECT_NE(namespace_inside(one, kind), namespace_of_host(kind)) << kind;
  }
  EXPECT_NE(namespace_inside(one, "mnt"), namespace_inside(two, "mnt"));
  EXPECT_EQ("pod", inside(one, {"hostname"}));
}

TEST_F(Sandbox, ContainersShareProcessesWhenAskedTo) {
  v1::PodSandboxConfig config = pod_config();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::POD);
  const std::string shared = run_pod(config);
  v1::ContainerConfig container = container_config({"sleep", "1234"}, "one");
  container.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::POD);
  const std::string one = run(shared, container);
  container.mutable_metadata()->set_name("two");
  const std::string two = run(shared, container);
  EXPECT_EQ(namespace_inside(one, "pid"), namespace_inside(two, "pid"));
  EXPECT_THAT(inside(one, {"pidof", "sleep"}), testing::ContainsRegex("^[0-9]+ [0-9]+$")) << "it sees both";
}

TEST_F(Sandbox, ContainersHaveTheirOwnProcessesWhenAskedTo) {
  const std::string id = run_pod();
  v1::ContainerConfig config = container_config({"sleep", "1000"});
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::CONTAINER);
  EXPECT_EQ("1", inside(run(id, config), {"pidof", "sleep"}));
}

TEST_F(Sandbox, OfTheHostsNetworkHasNoAddressOfItsOwn) {
  v1::PodSandboxConfig config = pod_config();
  config.clear_hostname();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(v1::NODE);
  const std::string id = run_pod(config);
  const v1::PodSandboxStatus status = pod_status(id);
  EXPECT_EQ("", status.network().ip());
  EXPECT_EQ(v1::NODE, status.linux().namespaces().options().network());
  v1::ContainerConfig container = container_config({"sleep", "1000"});
  container.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(v1::NODE);
  const std::string running = run(id, container);
  EXPECT_EQ(namespace_of_host("net"), namespace_inside(running, "net"));
  utsname names{};
  ASSERT_EQ(0, ::uname(&names));
  EXPECT_EQ(names.nodename, inside(running, {"hostname"}));
}

TEST_F(Sandbox, HasTheNameServersItWasGiven) {
  v1::PodSandboxConfig config = pod_config();
  config.mutable_dns_config()->add_servers("10.11.12.13");
  config.mutable_dns_config()->add_searches("one.example");
  config.mutable_dns_config()->add_searches("two.example");
  config.mutable_dns_config()->add_options("ndots:5");
  EXPECT_THAT(
      e2e::lines_of(output(run_pod(config), {"cat", "/etc/resolv.conf"})),
      UnorderedElementsAre("search one.example two.example", "nameserver 10.11.12.13", "options ndots:5"));
}

TEST_F(Sandbox, SetsKernelParametersOfItsNamespaces) {
  v1::PodSandboxConfig config = pod_config();
  (*config.mutable_linux()->mutable_sysctls())["net.ipv4.ip_unprivileged_port_start"] = "77";
  (*config.mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  EXPECT_EQ("77\n1", output(run_pod(config), {"cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
                                              "/proc/sys/kernel/shm_rmid_forced"}));
}

TEST_F(Sandbox, PublishesPorts) {
  v1::PodSandboxConfig config = pod_config();
  const int port = e2e::free_port();
  v1::PortMapping& mapping = *config.add_port_mappings();
  mapping.set_container_port(8080);
  mapping.set_host_port(port);
  const std::string id = run_pod(config);
  run(id, {"/bin/probe", "http", "8080", "here I am"});
  EXPECT_EQ("here I am", e2e::http_soon(pod_status(id).network().ip(), 8080)) << "at the pod";
  EXPECT_EQ("here I am", e2e::http_soon(e2e::host_ipv4(), port)) << "at the node";
  EXPECT_EQ("here I am", e2e::http_soon("127.0.0.1", port)) << "at the node's loopback";
}

TEST_F(Sandbox, PodsReachEachOther) {
  const std::string server = run_pod(pod_config("server"));
  run(server, {"/bin/probe", "http", "8080", "here I am"});
  const std::string address = pod_status(server).network().ip();
  const std::string caller = run(run_pod(pod_config("caller")), {"sleep", "1000"});
  EXPECT_TRUE(eventually(
      [&] {
        return exec(caller, {"/bin/probe", "get", address, "8080"})->stdout().starts_with("here I am");
      },
      10));
}

}  // namespace
}  // namespace fermata::cri_test
