// GetContainerEvents: every change of a pod or a container, to all who listen.
//
// Word comes from the monitors (pod/event_feed.h) and from the calls that we serve; one thread then looks at
// the pod and compares it with what it was. While nobody listens nothing is looked at.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/core/unique_fd.h"
#include "cri/engines.h"
#include "cri/log.h"
#include "cri/pod_changes.h"
#include "cri/protocol.h"
#include "pod/event_feed.h"

namespace fermata::cri {

// Thread-safe. The engines and the log are borrowed.
class Events {
 public:
  Events(Engines& engines, Log& log) : engines_(engines), log_(log) {}
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  ~Events();

  // From here on it listens to the monitors. Once.
  Result<void> start();
  // Ends all streams, so that a server can shut down. Repeatable.
  void shut_down();

  // Something was done to this pod (its id, or the beginning of it). Never blocks.
  void look(const std::string& pod);
  // Looks at it now, and tells what is found: before something of the pod is removed, whose end could be told
  // only without its exit code afterwards.
  void examine(const std::string& pod);

  // Until the client leaves, or the daemon ends. A client that does not take its events is told so at 4,000
  // of them and loses its stream.
  grpc::Status GetContainerEvents(grpc::ServerContext& context, const v1::GetEventsRequest& request,
                                  grpc::ServerWriter<v1::ContainerEventResponse>& writer);

 private:
  using Event = std::shared_ptr<const v1::ContainerEventResponse>;
  struct Listener {
    std::deque<Event> waiting;
    bool lost = false;
  };

  void serve();
  std::set<std::string> take_hints();
  Result<std::optional<PodSnapshot>> snapshot(const std::string& pod);
  Result<void> take_stock();
  void tell(std::vector<v1::ContainerEventResponse> events);
  grpc::Status follow(grpc::ServerContext& context, Listener& listener,
                      grpc::ServerWriter<v1::ContainerEventResponse>& writer);
  void wake();

  Engines& engines_;
  Log& log_;
  std::optional<pod::EventFeed> feed_;
  UniqueFd wake_;  // eventfd(2)
  std::thread thread_;

  std::mutex hints_mutex_;
  std::set<std::string> hints_;

  // Held while a pod is looked at, and by a new listener while it takes stock.
  std::mutex known_mutex_;
  std::map<std::string, PodSnapshot> known_;  // by id; valid while somebody listens

  std::mutex listeners_mutex_;
  std::condition_variable changed_;
  std::set<std::shared_ptr<Listener>> listeners_;
  bool ending_ = false;
};

}  // namespace fermata::cri
