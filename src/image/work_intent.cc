#include "image/work_intent.h"

#include <unistd.h>

#include "base/process.h"

namespace fermata::image {

Result<WorkIntent> WorkIntent::record(state::Database& database) {
  TRY(auto transaction, state::Transaction::begin(database, state::Transaction::Durability::full));
  TRY(auto insert,
      database.prepare("INSERT INTO intents(kind, object, pid, pid_start) VALUES('unpack', '', ?, ?)"));
  const int pid = ::getpid();
  TRY(insert.bind(1, std::int64_t{pid}).bind(2, process_start(pid)).run());
  WorkIntent intent(database, database.last_insert_id());
  TRY(transaction.commit());
  return intent;
}

WorkIntent::~WorkIntent() {
  if (database_ == nullptr) return;
  if (auto erase = database_->prepare("DELETE FROM intents WHERE id = ?")) (void)erase->bind(1, id_).run();
}

}  // namespace fermata::image
