// Engines for the threads that answer calls: each serves one call at a time, and is kept for the next.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "pod/engine.h"

namespace fermata::cri {

// Thread-safe. Outlives its leases.
class Engines {
 public:
  // An engine for one thread, given back at the end of its scope.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    pod::Engine* operator->() const { return engine_.get(); }
    pod::Engine& operator*() const { return *engine_; }

   private:
    friend class Engines;
    Lease(Engines* pool, std::unique_ptr<pod::Engine> engine) : pool_(pool), engine_(std::move(engine)) {}
    Engines* pool_;
    std::unique_ptr<pod::Engine> engine_;
  };

  explicit Engines(pod::EngineOptions options) : options_(std::move(options)) {}

  // Never waits for another call: as many as are asked for.
  Result<Lease> lease();
  const pod::EngineOptions& options() const { return options_; }

 private:
  void give_back(std::unique_ptr<pod::Engine> engine);

  const pod::EngineOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<pod::Engine>> idle_;
};

}  // namespace fermata::cri
