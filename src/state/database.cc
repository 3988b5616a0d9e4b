// Opening a database that is up to date costs one read of `user_version`: the journal mode is persistent, and
// every other setting is of the connection and touches no file.
#include "state/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/files.h"
#include "state/schema.sql.h"

namespace fermata::state {
namespace {

constexpr int kBusyMilliseconds = 10'000;
// Pages of WAL after which a commit moves them into the database. A short log, because the first connection
// after the last one closed has to read it all (about 0.5 ms a megabyte); not shorter, because moving it
// syncs twice.
constexpr int kCheckpointPages = 400;
constexpr std::size_t kMaxIdleStatements = 64;  // some 3 kB each
constexpr std::int64_t kSchemaVersion = std::size(kMigrations);

ErrorKind kind_of_sqlite(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::unavailable;
    case SQLITE_CONSTRAINT:
      return ErrorKind::conflict;
    case SQLITE_FULL:
      return ErrorKind::no_space;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorKind::permission;
    default:
      return ErrorKind::failed;
  }
}

tl::unexpected<Error> fail_sqlite(sqlite3* handle, int code, std::string_view what) {
  if (const int base = code & 0xff; base == SQLITE_CANTOPEN || base == SQLITE_IOERR) {
    if (const int number = sqlite3_system_errno(handle); number != 0)
      return fail(number, "database: {}: {}", what, sqlite3_errstr(code));
  }
  if ((code & 0xff) == SQLITE_BUSY)
    return fail(ErrorKind::unavailable, "database: {}: another command has held it for {} s", what,
                kBusyMilliseconds / 1000);
  // The handle's message is about its latest call; with a misuse (a failed bind) it may be of an older one.
  const char* text = sqlite3_extended_errcode(handle) == code ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  return fail(kind_of_sqlite(code), "database: {}: {}", what, text);
}

Result<std::int64_t> user_version(Database& database) {
  TRY(Statement statement, database.prepare("PRAGMA user_version"));
  TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

// The switch of the journal mode needs the file alone, and SQLite answers "busy" at once, without the busy
// timeout, where waiting could be a deadlock: two processes that create the database together meet exactly
// that.
Result<void> enter_wal(Database& database) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyMilliseconds);
  for (;;) {
    Result<void> done = database.execute("PRAGMA journal_mode=WAL");
    if (done || done.error().kind() != ErrorKind::unavailable || std::chrono::steady_clock::now() > deadline)
      return done;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// The version is read again inside: another process may have been first.
Result<void> migrate_exclusively(Database& database) {
  TRY(std::int64_t version, user_version(database));
  for (; version < kSchemaVersion; ++version) TRY(database.execute(kMigrations[version]));
  return database.execute("PRAGMA user_version=" + std::to_string(version));
}

Result<void> migrate(Database& database) {
  TRY(enter_wal(database));
  TRY(database.execute("BEGIN EXCLUSIVE"));
  Result<void> done = migrate_exclusively(database);
  if (done) done = database.execute("COMMIT");
  if (!done) (void)database.execute("ROLLBACK");  // the first failure is the one to tell
  return done;
}

}  // namespace

// Statements of one connection that nobody uses at the moment.
class StatementCache {
 public:
  // nullptr: there is none.
  sqlite3_stmt* take(std::string_view sql) {
    const auto found = idle_.find(sql);
    if (found == idle_.end() || found->second.empty()) return nullptr;
    sqlite3_stmt* statement = found->second.back();
    found->second.pop_back();
    --count_;
    return statement;
  }
  void give_back(sqlite3_stmt* statement) {
    if (statement == nullptr) return;
    if (closed_ || count_ == kMaxIdleStatements) {
      sqlite3_finalize(statement);
      return;
    }
    sqlite3_reset(statement);  // its failure was told when it was run
    sqlite3_clear_bindings(statement);
    idle_[sqlite3_sql(statement)].push_back(statement);
    ++count_;
  }
  void close() {
    closed_ = true;
    for (const auto& [sql, statements] : idle_)
      for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
    idle_.clear();
  }

 private:
  std::map<std::string, std::vector<sqlite3_stmt*>, std::less<>> idle_;  // by their text
  std::size_t count_ = 0;
  bool closed_ = false;
};

void Statement::give_back() {
  if (cache_) cache_->give_back(std::exchange(statement_, nullptr));
}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      cache_(std::move(other.cache_)),
      bind_error_(other.bind_error_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  statement_ = std::exchange(other.statement_, nullptr);
  cache_ = std::move(other.cache_);
  bind_error_ = other.bind_error_;
  return *this;
}

Statement::~Statement() { give_back(); }

Statement& Statement::bind(int index, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, index, value); code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL; an empty view may have one.
  const char* bytes = text.data() == nullptr ? "" : text.data();
  const int code = sqlite3_bind_text64(statement_, index, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind_null(int index) {
  if (const int code = sqlite3_bind_null(statement_, index); code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* handle = sqlite3_db_handle(statement_);
  if (const int code = std::exchange(bind_error_, 0); code != 0)
    return fail_sqlite(handle, code, sqlite3_sql(statement_));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);  // so that it can be bound and run again
    return false;
  }
  auto failure = fail_sqlite(handle, code, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return failure;
}

Result<void> Statement::run() {
  for (;;) {
    TRY(const bool row, step());
    if (!row) return {};
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<Database> Database::open(const std::string& path) {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &handle, kFlags, nullptr);
  if (code == SQLITE_CANTOPEN && sqlite3_system_errno(handle) == ENOENT) {
    sqlite3_close(handle);
    // Made here, because SQLite would make it readable for all, and it holds environments, which hold
    // secrets. The log and its index take the mode of the database.
    TRY(UniqueFd created, open_file(path, O_RDWR | O_CREAT, 0600));
    created.reset();
    code = sqlite3_open_v2(path.c_str(), &handle, kFlags, nullptr);
  }
  Database database(handle);
  if (code != SQLITE_OK) return fail_sqlite(handle, code, "open '" + path + "'");

  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_wal_autocheckpoint(handle, kCheckpointPages);
  TRY(database.execute("PRAGMA synchronous=NORMAL"));

  TRY(std::int64_t version, user_version(database));
  if (version < kSchemaVersion) {
    TRY(migrate(database));
    TRY(version, user_version(database));
  }
  if (version > kSchemaVersion)
    return fail(
        ErrorKind::unsupported,
        "database '{}' was written by a newer Fermata (schema {}, this one knows {}): use that one, or "
        "another --root",
        path, version, kSchemaVersion);
  return database;
}

Database::Database(sqlite3* handle) : handle_(handle), statements_(std::make_shared<StatementCache>()) {}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), statements_(std::move(other.statements_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this == &other) return *this;
  close();
  handle_ = std::exchange(other.handle_, nullptr);
  statements_ = std::move(other.statements_);
  return *this;
}

Database::~Database() { close(); }

// close_v2: a Statement that outlives its Database keeps the connection until it goes.
void Database::close() {
  if (statements_) statements_->close();
  sqlite3_close_v2(handle_);
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = statements_->take(sql);
  if (statement != nullptr) return Statement(statement, statements_);
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(handle_, code, sql);
  return Statement(statement, statements_);
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  // Only the first line: a migration is long.
  if (code != SQLITE_OK)
    return fail_sqlite(handle_, code, std::string_view(sql).substr(0, sql.find('\n', 1)));
  return {};
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }
std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }

Result<Transaction> Transaction::begin(Database& database, Durability durability) {
  // SQLite refuses to change `synchronous` inside a transaction.
  if (durability == Durability::full) TRY(database.execute("PRAGMA synchronous=FULL"));
  if (Result<void> begun = database.execute("BEGIN IMMEDIATE"); !begun) {
    if (durability == Durability::full) (void)database.execute("PRAGMA synchronous=NORMAL");
    return tl::unexpected<Error>(std::move(begun.error()));
  }
  return Transaction(database, durability);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), durability_(other.durability_) {}

// A failed ROLLBACK means that SQLite has rolled back by itself (a full disk, an I/O error).
Transaction::~Transaction() {
  if (database_ == nullptr) return;
  if (sqlite3_get_autocommit(database_->handle_) == 0) (void)database_->execute("ROLLBACK");
  if (durability_ == Durability::full) (void)database_->execute("PRAGMA synchronous=NORMAL");
}

Result<void> Transaction::commit() {
  TRY(database_->execute("COMMIT"));
  Database& database = *std::exchange(database_, nullptr);
  if (durability_ == Durability::full) TRY(database.execute("PRAGMA synchronous=NORMAL"));
  return {};
}

}  // namespace fermata::state
