#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace fermata {
namespace {

// Edits (insert, delete, replace, swap of neighbours) between two words: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view given, std::span<const std::string_view> names) {
  constexpr std::size_t kLongest = 64;  // no flag is longer; foreign text must not cost quadratic time
  if (given.empty() || given.size() > kLongest) return {};
  std::size_t best = std::max<std::size_t>(1, given.size() / 3) + 1;
  std::string_view result;
  for (const std::string_view name : names) {
    const std::size_t distance = edit_distance(given, name);
    if (distance >= best || distance >= std::max(given.size(), name.size())) continue;
    best = distance;
    result = name;
  }
  return result;
}

}  // namespace fermata
