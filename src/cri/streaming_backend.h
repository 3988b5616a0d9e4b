// What the streaming server needs of the engine: processes with their streams, and ports inside pods.
#pragma once

#include "cri/engines.h"
#include "streaming/backend.h"

namespace fermata::cri {

// Thread-safe. The engines are borrowed.
class StreamingBackend final : public streaming::Backend {
 public:
  explicit StreamingBackend(Engines& engines) : engines_(engines) {}

  Result<std::unique_ptr<streaming::ProcessSession>> open_exec(
      const streaming::ExecRequest& request) override;
  Result<std::unique_ptr<streaming::ProcessSession>> open_attach(
      const streaming::AttachRequest& request) override;
  // 127.0.0.1 of the pod's network, else ::1.
  Result<UniqueFd> open_port(const std::string& sandbox, std::uint16_t port) override;

 private:
  Engines& engines_;
};

}  // namespace fermata::cri
