#include "cri/pod_changes.h"

#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

using Told = std::vector<std::string>;

v1::ContainerStatus container(const std::string& id, v1::ContainerState state, bool ran = true) {
  v1::ContainerStatus status;
  status.set_id(id);
  status.set_state(state);
  if (ran && state != v1::CONTAINER_CREATED) status.set_started_at(1);
  return status;
}

PodSnapshot pod(v1::PodSandboxState state, std::vector<v1::ContainerStatus> containers) {
  PodSnapshot snapshot{.pod = {}, .containers = std::move(containers)};
  snapshot.pod.set_id("pod");
  snapshot.pod.set_state(state);
  return snapshot;
}

Told told(const std::optional<PodSnapshot>& before, const std::optional<PodSnapshot>& now) {
  constexpr const char* kNames[] = {"created", "started", "stopped", "deleted"};
  Told result;
  for (const auto& event : changes(before, now, 7))
    result.push_back(event.container_id() + " " + kNames[event.container_event_type()]);
  return result;
}

TEST(PodChanges, NothingIsToldTwice) {
  const auto now = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_RUNNING)});
  EXPECT_EQ(told(now, now), Told{});
  EXPECT_EQ(told(std::nullopt, std::nullopt), Told{});
}

TEST(PodChanges, EachStepHasItsEvent) {
  const auto ready = pod(v1::SANDBOX_READY, {});
  const auto created = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_CREATED)});
  const auto running = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_RUNNING)});
  const auto exited = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_EXITED)});
  const auto ended = pod(v1::SANDBOX_NOTREADY, {container("a", v1::CONTAINER_EXITED)});
  EXPECT_EQ(told(std::nullopt, ready), (Told{"pod created", "pod started"}));
  EXPECT_EQ(told(ready, created), Told{"a created"});
  EXPECT_EQ(told(created, running), Told{"a started"});
  EXPECT_EQ(told(running, exited), Told{"a stopped"});
  EXPECT_EQ(told(exited, ready), Told{"a deleted"});
  EXPECT_EQ(told(exited, ended), Told{"pod stopped"});
  EXPECT_EQ(told(ended, std::nullopt), (Told{"a deleted", "pod deleted"}));
}

TEST(PodChanges, WhatHappenedBetweenTwoLooksIsTold) {
  const auto ready = pod(v1::SANDBOX_READY, {});
  const auto exited = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_EXITED)});
  const auto running = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_RUNNING)});
  EXPECT_EQ(told(ready, exited), (Told{"a created", "a started", "a stopped"}));
  EXPECT_EQ(told(running, ready), (Told{"a stopped", "a deleted"}));
  EXPECT_EQ(told(running, std::nullopt), (Told{"a stopped", "a deleted", "pod stopped", "pod deleted"}));
  EXPECT_EQ(told(std::nullopt, running), (Told{"pod created", "pod started", "a created", "a started"}));
}

TEST(PodChanges, WhatNeverRanIsNotToldAsStarted) {
  const auto created = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_CREATED)});
  const auto failed = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_EXITED, false)});
  EXPECT_EQ(told(created, failed), Told{"a stopped"});
  EXPECT_EQ(told(created, pod(v1::SANDBOX_READY, {})), Told{"a deleted"});
}

TEST(PodChanges, EventsCarryTheStatuses) {
  const auto now = pod(v1::SANDBOX_READY, {container("a", v1::CONTAINER_RUNNING)});
  const auto events = changes(std::nullopt, now, 7);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3].created_at(), 7);
  EXPECT_EQ(events[3].pod_sandbox_status().id(), "pod");
  ASSERT_EQ(events[3].containers_statuses_size(), 1);
  const auto last = changes(now, std::nullopt, 8).back();
  EXPECT_EQ(last.pod_sandbox_status().state(), v1::SANDBOX_NOTREADY);
  EXPECT_EQ(last.containers_statuses_size(), 0);
}

}  // namespace
}  // namespace fermata::cri
