// The stream of container events, which spares a kubelet from asking again and again.
#include <optional>

#include "cri/fixture.h"

namespace fermata::cri_test {
namespace {

using testing::ElementsAre;

class Events : public CriTest {
 protected:
  // The kinds of events of these containers, in the order in which they come, until `count` are seen.
  // nullopt: this daemon has no events.
  static std::optional<std::vector<std::string>> read(
      EventStream& stream, std::size_t count, std::vector<v1::ContainerEventResponse>* all = nullptr) {
    std::vector<std::string> kinds;
    v1::ContainerEventResponse event;
    while (kinds.size() < count && stream.next(event)) {
      kinds.push_back(event.container_id() + " " + v1::ContainerEventType_Name(event.container_event_type()));
      if (all != nullptr) all->push_back(event);
    }
    if (kinds.size() < count) {
      const grpc::Status status = stream.finish();
      if (is_containerd() && status.error_code() == grpc::UNIMPLEMENTED) return std::nullopt;
      ADD_FAILURE() << "the stream ended: " << status.error_message();
    }
    return kinds;
  }
};

TEST_F(Events, TellOfPodsAndContainers) {
  EventStream stream(client());
  const std::string pod = run_pod();
  const std::string id = run(pod, {"sh", "-c", "exit 4"});
  wait_exited(id);
  EXPECT_OK(remove(id));
  remove_pod(pod);
  constexpr std::size_t kCount = 8;
  std::vector<v1::ContainerEventResponse> all;
  const auto kinds = read(stream, kCount, &all);
  if (!kinds) GTEST_SKIP() << "this containerd has no events";
  EXPECT_THAT(*kinds, ElementsAre(pod + " CONTAINER_CREATED_EVENT", pod + " CONTAINER_STARTED_EVENT",
                                  id + " CONTAINER_CREATED_EVENT", id + " CONTAINER_STARTED_EVENT",
                                  id + " CONTAINER_STOPPED_EVENT", id + " CONTAINER_DELETED_EVENT",
                                  pod + " CONTAINER_STOPPED_EVENT", pod + " CONTAINER_DELETED_EVENT"));
  for (const v1::ContainerEventResponse& event : all) EXPECT_GT(event.created_at(), 0);
  ASSERT_EQ(kCount, all.size());
  const v1::ContainerEventResponse& stopped = all[4];
  EXPECT_EQ(pod, stopped.pod_sandbox_status().id());
  ASSERT_EQ(1, stopped.containers_statuses_size());
  EXPECT_EQ(id, stopped.containers_statuses(0).id());
  EXPECT_EQ(v1::CONTAINER_EXITED, stopped.containers_statuses(0).state());
  EXPECT_EQ(4, stopped.containers_statuses(0).exit_code());
}

TEST_F(Events, ReachEveryoneWhoListens) {
  EventStream one(client()), two(client());
  const std::string pod = run_pod();
  const auto first = read(one, 2);
  if (!first) GTEST_SKIP() << "this containerd has no events";
  const auto second = read(two, 2);
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
}

TEST_F(Events, OfAnEndComeByThemselves) {
  const std::string pod = run_pod();
  const std::string id = create(pod, container_config({"true"}));
  EventStream stream(client());
  // Two clients have no order between them: this one is heard when its own container's events come.
  EXPECT_OK(start(id));
  std::vector<std::string> kinds;
  v1::ContainerEventResponse event;
  while (stream.next(event)) {
    kinds.push_back(v1::ContainerEventType_Name(event.container_event_type()));
    if (event.container_event_type() == v1::CONTAINER_STOPPED_EVENT) break;
  }
  if (is_containerd() && kinds.empty()) GTEST_SKIP() << "this containerd has no events";
  EXPECT_THAT(kinds, testing::Contains("CONTAINER_STOPPED_EVENT"));
}

}  // namespace
}  // namespace fermata::cri_test
