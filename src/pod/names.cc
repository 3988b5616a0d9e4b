#include "pod/names.h"

#include <array>
#include <string_view>

#include "base/id.h"
#include "base/text.h"

namespace fermata::pod {
namespace {

constexpr auto kAdjectives = std::to_array<std::string_view>(
    {"amber",  "brave",   "bright", "calm",   "clever", "cosy",   "crisp",  "deep",   "eager",  "early",
     "fair",   "fond",    "gentle", "glad",   "golden", "grand",  "happy",  "humble", "keen",   "kind",
     "late",   "light",   "lively", "lucid",  "mellow", "mild",   "modest", "neat",   "noble",  "patient",
     "plain",  "proud",   "quick",  "quiet",  "ready",  "round",  "serene", "silent", "simple", "slow",
     "smooth", "sober",   "solid",  "steady", "still",  "strong", "subtle", "sunny",  "swift",  "tender",
     "tidy",   "tuneful", "upbeat", "vivid",  "warm",   "wise",   "witty",  "young"});
// Of music, as the project's name.
constexpr auto kNouns = std::to_array<std::string_view>(
    {"adagio",   "allegro", "anthem",  "aria",    "ballad",   "bassoon", "bell",     "cadence",  "canon",
     "cello",    "chant",   "choir",   "chord",   "clarinet", "coda",    "cornet",   "crotchet", "drum",
     "duet",     "encore",  "etude",   "fanfare", "fiddle",   "flute",   "fugue",    "gavotte",  "gong",
     "guitar",   "harp",    "horn",    "hymn",    "lute",     "lyre",    "madrigal", "mandola",  "march",
     "mazurka",  "melody",  "minuet",  "motet",   "nocturne", "oboe",    "octave",   "opera",    "organ",
     "overture", "piano",   "piccolo", "polka",   "prelude",  "quartet", "quaver",   "refrain",  "rondo",
     "sonata",   "tango",   "tempo",   "timpani", "toccata",  "trio",    "trumpet",  "tuba",     "viola",
     "violin",   "waltz",   "zither"});

}  // namespace

std::string made_up_name(int attempt) {
  const auto random = parse_unsigned(random_hex(8), 16).value_or(0);
  std::string name(kAdjectives[random % kAdjectives.size()]);
  name += '_';
  name += kNouns[random / kAdjectives.size() % kNouns.size()];
  if (attempt >= 2) name += random_hex(attempt < 5 ? 2 : 8);
  return name;
}

}  // namespace fermata::pod
