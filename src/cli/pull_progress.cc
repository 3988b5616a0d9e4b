#include "cli/pull_progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "cli/unicode.h"

namespace fermata::cli {
namespace {
constexpr auto kInterval = std::chrono::milliseconds(60);
constexpr std::size_t kBar = 50;
}  // namespace

std::string PullProgress::line(const image::Progress& progress, std::size_t columns) {
  std::string text =
      progress.layer.empty() ? progress.status : fmt::format("{}: {}", progress.layer, progress.status);
  const bool counts = progress.status == "Downloading" || progress.status == "Extracting" ||
                      progress.status == "Loading layer";
  if (counts && progress.total > 0) {
    const std::size_t filled = static_cast<std::size_t>(
        static_cast<double>(kBar) * static_cast<double>(std::min(progress.current, progress.total)) /
        static_cast<double>(progress.total));
    const std::string sizes =
        fmt::format("  {}/{}", human_size(progress.current), human_size(progress.total));
    if (text.size() + kBar + sizes.size() + 4 <= columns)
      text += fmt::format(" [{}>{}]", std::string(filled, '='), std::string(kBar - filled, ' '));
    text += sizes;
  } else if (counts && progress.current > 0) {
    text += "  " + human_size(progress.current);
  }
  return std::string(first_characters(text, columns));
}

void PullProgress::show(const image::Progress& progress) {
  auto found = std::find_if(layers_.begin(), layers_.end(),
                            [&](const auto& layer) { return layer.layer == progress.layer; });
  const bool changed = found == layers_.end() || found->status != progress.status;
  if (found == layers_.end()) {
    layers_.push_back(progress);
  } else {
    *found = progress;
  }
  if (!terminal_) {
    // A failing write is the terminal's; the pull's own result matters.
    if (changed) (void)write_all(fd_, line({.layer = progress.layer, .status = progress.status}, 200) + "\n");
    return;
  }
  dirty_ = true;
  const auto now = std::chrono::steady_clock::now();
  if (!changed && now - last_ < kInterval) return;
  last_ = now;
  redraw();
}

void PullProgress::redraw() {
  std::string out;
  if (drawn_ > 0) out += fmt::format("\x1b[{}A", drawn_);
  for (const auto& layer : layers_) out += "\r" + line(layer, columns_ == 0 ? 80 : columns_) + "\x1b[K\n";
  drawn_ = layers_.size();
  dirty_ = false;
  (void)write_all(fd_, out);
}

void PullProgress::finish() {
  if (terminal_ && dirty_) redraw();
}

}  // namespace fermata::cli
