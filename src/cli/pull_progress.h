// What a pull shows: on a terminal one line per layer, redrawn in place; elsewhere plain lines of what
// changed.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "image/images.h"

namespace fermata::cli {

class PullProgress {
 public:
  PullProgress(int fd, bool terminal, std::size_t columns)
      : fd_(fd), terminal_(terminal), columns_(columns) {}
  void show(const image::Progress& progress);
  // Draws what was held back.
  void finish();

  // "a2abf6c4d29d: Downloading [=====>    ]  1.2MB/31.4MB", at most `columns` wide.
  static std::string line(const image::Progress& progress, std::size_t columns);

 private:
  void redraw();
  int fd_;
  bool terminal_;
  std::size_t columns_;
  std::vector<image::Progress> layers_;
  std::size_t drawn_ = 0;
  bool dirty_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace fermata::cli
