// From a pod as Kubernetes asks for it to the engine's infra container. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cri/protocol.h"
#include "cri/security_profile.h"
#include "pod/model.h"

namespace fermata::cri {

// `image`: of the infra container; "": the engine's own pause. The request itself is kept with the pod.
Result<pod::ContainerConfig> plan_sandbox(const v1::RunPodSandboxRequest& request, const std::string& image,
                                          const ReadProfile& read);

// A rate as annotations have it, "10M", "1.5Mi": bits a second. Kubernetes takes 1k to 1P.
Result<std::uint64_t> parse_rate(std::string_view text);

// "uid[:gid]"; "": none is given. A group alone is refused.
template <class Context>
Result<std::string> numeric_user(const Context& context) {
  if (!context.has_run_as_user()) {
    if (context.has_run_as_group())
      return fail(ErrorKind::invalid_argument, "run_as_group {} is given without a user",
                  context.run_as_group().value());
    return std::string();
  }
  std::string user = std::to_string(context.run_as_user().value());
  if (context.has_run_as_group()) user += ":" + std::to_string(context.run_as_group().value());
  return user;
}

}  // namespace fermata::cri
