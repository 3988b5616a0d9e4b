// Command line flags as docker (pflag) reads them: -it together, -p8080:80, --flag=value, --flag value,
// --flag=false, "--" ends them. A table describes each command's flags; parsing looks at nothing but its
// arguments.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::cli {

enum class FlagKind : std::uint8_t {
  boolean,
  text,     // the last one wins
  list,     // every one counts
  integer,  // the last one wins; checked while parsing
};

struct FlagSpec {
  std::string_view name;
  char letter = 0;  // 0: none
  FlagKind kind = FlagKind::boolean;
  std::string_view type = {};  // as help shows it: "string", "list", "bytes"; "" for a boolean
  std::string_view help = {};
  std::string_view same_as = {};  // another name for this flag; not shown in help
};

// What was given.
class Flags {
 public:
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  bool is_set(std::string_view name, bool otherwise = false) const;
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  std::optional<std::int64_t> integer(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  friend class FlagParser;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> arguments_;
};

enum class Placement : std::uint8_t {
  anywhere,      // flags and arguments may be mixed
  before_first,  // flags end at the first argument: what follows belongs to the container's command
};

// Fails with invalid_argument, in docker's words: "unknown flag: --detatch", with "Did you mean --detach?" on
// a second line.
// --help is known everywhere, -h wherever no flag has that letter; both give the flag "help".
Result<Flags> parse_flags(std::span<const FlagSpec> specs, std::span<const std::string> words,
                          Placement placement);

// "invalid argument "x" for "-m, --memory" flag: why"
tl::unexpected<Error> invalid_flag_value(std::span<const FlagSpec> specs, std::string_view name,
                                         std::string_view value, std::string_view why);
// Go's strconv.ParseBool.
std::optional<bool> parse_boolean(std::string_view text);

}  // namespace fermata::cli
