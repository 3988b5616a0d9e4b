// A row in `intents` for as long as files of the image store are worked on (a work directory, layers without
// rows): when this process is killed, the next command of any kind finds the row and calls Images::reconcile.
#pragma once

#include <cstdint>
#include <utility>

#include "state/database.h"

namespace fermata::image {

class WorkIntent {
 public:
  static Result<WorkIntent> record(state::Database& database);
  WorkIntent(WorkIntent&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)), id_(other.id_) {}
  WorkIntent& operator=(WorkIntent&&) = delete;
  // A row that stays behind costs the next command a look, nothing else.
  ~WorkIntent();

 private:
  WorkIntent(state::Database& database, std::int64_t id) : database_(&database), id_(id) {}
  state::Database* database_;
  std::int64_t id_;
};

}  // namespace fermata::image
