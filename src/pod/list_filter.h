// `ps --filter`: docker's keys; values of one key are alternatives, different keys must all hold. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pod/engine.h"

namespace fermata::pod {

class ListFilter {
 public:
  // When a container, which before and since name, was made; ns.
  using CreationTime = std::function<Result<std::int64_t>(const std::string& container)>;
  // `invalid filter 'x=1'`.
  static Result<ListFilter> parse(const ContainerFilter& filter, const CreationTime& created);
  bool matches(const ContainerInfo& container) const;

 private:
  bool all_ = false;
  std::optional<std::int64_t> before_, since_;
  std::map<std::string, std::vector<std::string>> wanted_;
};

}  // namespace fermata::pod
