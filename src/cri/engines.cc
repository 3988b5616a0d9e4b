#include "cri/engines.h"

namespace fermata::cri {
namespace {

// Each keeps a database connection with its cache. A kubelet works on about ten pods at once.
constexpr std::size_t kMaxIdle = 16;

}  // namespace

Engines::Lease::~Lease() {
  if (engine_) pool_->give_back(std::move(engine_));
}

Result<Engines::Lease> Engines::lease() {
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      auto engine = std::move(idle_.back());
      idle_.pop_back();
      return Lease(this, std::move(engine));
    }
  }
  TRY(auto engine, pod::Engine::open(options_));
  return Lease(this, std::move(engine));
}

void Engines::give_back(std::unique_ptr<pod::Engine> engine) {
  const std::scoped_lock lock(mutex_);
  // The one used last is taken first: the others' memory stays cold. What is too much closes here.
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(engine));
}

}  // namespace fermata::cri
