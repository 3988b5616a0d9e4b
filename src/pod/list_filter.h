// `ps --filter`: docker's keys; values of one key are alternatives, different keys must all hold. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "pod/engine.h"

namespace fermata::pod {

class ListFilter {
 public:
  // `invalid filter 'x'`.
  static Result<ListFilter> parse(const ContainerFilter& filter);
  bool matches(const ContainerInfo& container) const;

 private:
  bool all_ = false;
  std::map<std::string, std::vector<std::string>> wanted_;
};

}  // namespace fermata::pod
