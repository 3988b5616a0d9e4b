// The RuntimeService of the Container Runtime Interface, put together from its parts.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace fermata::cri {

class Calls;
class Containers;
class Events;
class Execution;
class RuntimeStatus;
class Sandboxes;
class Statistics;

// Each has its calls as methods of the protocol's names. Called by many threads at once; outlive the service.
struct RuntimeParts {
  RuntimeStatus& status;
  Sandboxes& sandboxes;
  Containers& containers;
  Execution& execution;
  Statistics& statistics;
  Events& events;
};

std::unique_ptr<grpc::Service> make_runtime_service(const RuntimeParts& parts, Calls& calls);

}  // namespace fermata::cri
