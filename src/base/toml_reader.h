// Files of settings in TOML, read key by key: what is of a wrong type, out of its range or unknown is refused
// with file and line. A header with all of TOML in it, for those who read settings alone.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/error.h"

namespace fermata {

// One table. Each get leaves its target alone when the key is missing.
class TomlReader {
 public:
  // `name`: of the table, "" for the file's own. All is borrowed.
  TomlReader(const toml::table& table, const std::string& path, std::string name)
      : table_(table), path_(path), name_(std::move(name)) {}

  Result<void> string(const char* key, std::string& value);
  Result<void> strings(const char* key, std::vector<std::string>& values);
  Result<void> number(const char* key, std::int64_t least, std::int64_t most,
                      const std::function<void(std::int64_t)>& take);
  // Of a few words: `take` says whether it is one of them, `words` which there are.
  Result<void> word(const char* key, const char* words, const std::function<bool(std::string_view)>& take);
  // `check`'s error is told with the line; so is that of a list's item.
  Result<void> checked(const char* key, std::string& value,
                       const std::function<Result<void>(const std::string&)>& check);
  Result<void> checked(const char* key, std::vector<std::string>& values,
                       const std::function<Result<void>(const std::string&)>& check);
  Result<void> table(const char* key, const std::function<Result<void>(TomlReader&)>& read);
  // Each key of this table is a table, of any name.
  Result<void> tables(const std::function<Result<void>(const std::string& name, TomlReader&)>& read);
  // After all gets: no other key may be there.
  Result<void> finish() const;

 private:
  const toml::node* take(const char* key);
  std::string full(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
  }
  tl::unexpected<Error> wrong(const toml::source_region& where, std::string_view what) const;

  const toml::table& table_;
  const std::string& path_;
  const std::string name_;
  std::set<std::string, std::less<>> known_;
};

// A setting's `check`.
Result<void> check_absolute(const std::string& path);

// All of a file. A missing one is an error when `required`, else empty.
Result<std::string> read_toml_file(const std::string& path, bool required);
// Has the table of `text` read. `path` is for messages.
Result<void> parse_toml(std::string_view text, const std::string& path,
                        const std::function<Result<void>(TomlReader&)>& read);

}  // namespace fermata
