#include "cli/core/flags.h"

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"

namespace fermata::cli {

bool Flags::is_set(std::string_view name, bool otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : parse_boolean(found->second.back()).value_or(otherwise);
}

std::string Flags::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::optional<std::int64_t> Flags::integer(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : parse_signed(found->second.back());
}

const std::vector<std::string>& Flags::list(std::string_view name) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(name);
  return found == values_.end() ? kNone : found->second;
}

std::optional<bool> parse_boolean(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return std::nullopt;
}

namespace {

const FlagSpec* find_name(std::span<const FlagSpec> specs, std::string_view name) {
  for (const FlagSpec& spec : specs)
    if (spec.name == name) return &spec;
  return nullptr;
}

const FlagSpec* find_letter(std::span<const FlagSpec> specs, char letter) {
  for (const FlagSpec& spec : specs)
    if (spec.letter == letter) return &spec;
  return nullptr;
}

constexpr FlagSpec kHelp = {.name = "help"};

std::string suggestion(std::span<const FlagSpec> specs, std::string_view name) {
  std::vector<std::string_view> names = {"help"};
  for (const FlagSpec& spec : specs) names.push_back(spec.name);
  const std::string_view best = nearest(name, names);
  return best.empty() ? std::string() : fmt::format("\nDid you mean --{}?", best);
}

}  // namespace

tl::unexpected<Error> invalid_flag_value(std::span<const FlagSpec> specs, std::string_view name,
                                         std::string_view value, std::string_view why) {
  const FlagSpec* spec = find_name(specs, name);
  const std::string letter =
      spec != nullptr && spec->letter != 0 ? fmt::format("-{}, ", spec->letter) : std::string();
  return fail(ErrorKind::invalid_argument, "invalid argument \"{}\" for \"{}--{}\" flag: {}", value, letter,
              name, why);
}

class FlagParser {
 public:
  FlagParser(std::span<const FlagSpec> specs, std::span<const std::string> words, Placement placement)
      : specs_(specs), words_(words), placement_(placement) {}

  Result<Flags> parse() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      if (word == "--") {
        take_rest();
      } else if (word.size() > 2 && word.starts_with("--")) {
        TRY(parse_long(std::string_view(word).substr(2)));
      } else if (word.size() > 1 && word[0] == '-' && word[1] != '-') {
        TRY(parse_letters(std::string_view(word).substr(1)));
      } else {
        flags_.arguments_.push_back(word);
        if (placement_ == Placement::before_first) take_rest();
      }
    }
    return std::move(flags_);
  }

 private:
  void take_rest() {
    flags_.arguments_.insert(flags_.arguments_.end(), words_.begin() + static_cast<std::ptrdiff_t>(next_),
                             words_.end());
    next_ = words_.size();
  }

  Result<void> parse_long(std::string_view text) {
    const auto pair = split_once(text, '=');
    const std::string_view name = pair ? pair->first : text;
    if (name.empty() || name[0] == '-')
      return fail(ErrorKind::invalid_argument, "bad flag syntax: --{}", text);
    const FlagSpec* spec = name == "help" ? &kHelp : find_name(specs_, name);
    if (spec == nullptr)
      return fail(ErrorKind::invalid_argument, "unknown flag: --{}{}", name, suggestion(specs_, name));
    if (pair) return store(*spec, pair->second);
    if (spec->kind == FlagKind::boolean) return store(*spec, "true");
    if (next_ == words_.size())
      return fail(ErrorKind::invalid_argument, "flag needs an argument: --{}", name);
    return store(*spec, words_[next_++]);
  }

  // -itp 80:80: letters without a value, then perhaps one whose value is the rest or the next word.
  Result<void> parse_letters(std::string_view letters) {
    const std::string_view all = letters;
    while (!letters.empty()) {
      const FlagSpec* spec = find_letter(specs_, letters[0]);
      if (spec == nullptr && letters[0] == 'h') spec = &kHelp;
      if (spec == nullptr)
        return fail(ErrorKind::invalid_argument, "unknown shorthand flag: '{}' in -{}", letters[0], all);
      letters.remove_prefix(1);
      if (letters.starts_with('=')) return store(*spec, letters.substr(1));
      if (spec->kind == FlagKind::boolean) {
        TRY(store(*spec, "true"));
        continue;
      }
      if (!letters.empty()) return store(*spec, letters);
      if (next_ == words_.size())
        return fail(ErrorKind::invalid_argument, "flag needs an argument: '{}' in -{}", spec->letter, all);
      return store(*spec, words_[next_++]);
    }
    return {};
  }

  Result<void> store(const FlagSpec& spec, std::string_view value) {
    if (spec.kind == FlagKind::boolean && !parse_boolean(value))
      return invalid_flag_value(specs_, spec.name, value,
                                fmt::format("\"{}\" is neither true nor false", value));
    if (spec.kind == FlagKind::integer && !parse_signed(value))
      return invalid_flag_value(specs_, spec.name, value, fmt::format("\"{}\" is not a whole number", value));
    const std::string_view key = spec.same_as.empty() ? spec.name : spec.same_as;
    flags_.values_[std::string(key)].emplace_back(value);
    return {};
  }

  std::span<const FlagSpec> specs_;
  std::span<const std::string> words_;
  Placement placement_;
  std::size_t next_ = 0;
  Flags flags_;
};

Result<Flags> parse_flags(std::span<const FlagSpec> specs, std::span<const std::string> words,
                          Placement placement) {
  return FlagParser(specs, words, placement).parse();
}

}  // namespace fermata::cli
