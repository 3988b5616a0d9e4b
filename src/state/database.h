// SQLite, wrapped thinly: one connection, statements as values, every failure an Error.
//
// WAL, busy timeout of 10 s, synchronous=NORMAL; Transaction::durable commits with FULL, for intents of
// on-disk state. No checkpoint at close: it costs an fdatasync a command (the automatic checkpoint of WAL
// pages is left on). The file is private (0600) and foreign keys are enforced. A Database is used by one
// thread at a time. No transaction may span slow work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fermata::state {

class StatementCache;

// A prepared statement. Parameters are numbered from 1, columns from 0.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);  // copied
  Statement& bind_null(int index);
  // true: a row is there. false: done. A failed bind is reported here.
  Result<bool> step();
  // step() until done; for statements without rows.
  Result<void> run();
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(sqlite3_stmt* statement, std::shared_ptr<StatementCache> cache)
      : statement_(statement), cache_(std::move(cache)) {}
  void give_back();
  sqlite3_stmt* statement_ = nullptr;
  std::shared_ptr<StatementCache> cache_;  // where it came from, and goes
  int bind_error_ = 0;
};

class Database {
 public:
  // Opens or creates the file and brings the schema up to date. A database of a newer Fermata is refused by
  // name.
  static Result<Database> open(const std::string& path);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // One that was prepared before and is not in use is taken again: parsing costs more than most of them do.
  Result<Statement> prepare(std::string_view sql);
  // prepare + run without parameters.
  Result<void> execute(const std::string& sql);
  std::int64_t last_insert_id() const;
  std::int64_t changes() const;

 private:
  friend class Transaction;
  explicit Database(sqlite3* handle);
  void close();
  sqlite3* handle_ = nullptr;
  std::shared_ptr<StatementCache> statements_;
};

// BEGIN IMMEDIATE ... COMMIT; rolled back unless committed.
class Transaction {
 public:
  enum class Durability { normal, full };
  static Result<Transaction> begin(Database& database, Durability durability = Durability::normal);
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  Transaction(Database& database, Durability durability) : database_(&database), durability_(durability) {}
  Database* database_;
  Durability durability_;
};

}  // namespace fermata::state
