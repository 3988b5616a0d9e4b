// stats: figures of containers, once a second.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "cli/command.h"
#include "cli/core/terminal.h"
#include "cli/stats_view.h"
#include "cli/table.h"
#include "cli/template.h"

namespace fermata::cli {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);
// The table is drawn over the last one: to the corner, and what is left of it is erased.
constexpr std::string_view kHome = "\033[H", kEraseLine = "\033[K", kEraseRest = "\033[J";

// What the user called a container, and its figures.
struct Sample {
  std::string asked;
  pod::ContainerStats stats;
};

class Watch {
 public:
  Watch(pod::Engine& engine, const Flags& flags)
      : engine_(engine),
        names_(flags.arguments()),
        all_(flags.is_set("all")),
        truncate_(!flags.is_set("no-trunc")) {
    format_ = {.format = flags.text("format"),
               .columns = {{"ID", "CONTAINER ID"},
                           {"Name", "NAME"},
                           {"CPUPerc", "CPU %"},
                           {"MemUsage", "MEM USAGE / LIMIT"},
                           {"MemPerc", "MEM %"},
                           {"NetIO", "NET I/O"},
                           {"BlockIO", "BLOCK I/O"},
                           {"PIDs", "PIDS"}},
               .headers = {{"Container", "CONTAINER"}}};
  }

  Result<int> run(bool once) {
    const bool drawn = !once && ::isatty(STDOUT_FILENO) == 1;
    TRY(std::vector<Sample> before, take());
    // A share of time needs some time.
    do {
      std::this_thread::sleep_for(kInterval);
      TRY(std::vector<Sample> now, take());
      TRY(const std::string text, table(before, now));
      print(drawn ? over_the_last(text) : text);
      before = std::move(now);
    } while (!once && (names_.empty() || !before.empty()));
    return 0;
  }

 private:
  // Those that were named have to be there when it begins; who goes later is left out.
  Result<std::vector<Sample>> take() {
    std::vector<std::string> names = names_;
    if (names.empty()) {
      TRY(const auto containers, engine_.list({.all = all_}));
      for (const auto& container : containers) names.push_back(container.id);
    }
    std::vector<Sample> samples;
    for (const std::string& name : names) {
      auto stats = engine_.stats(name);
      if (!stats && stats.error().kind() == ErrorKind::not_found && (began_ || names_.empty())) continue;
      if (!stats) return tl::unexpected(std::move(stats.error()));
      samples.push_back({names_.empty() ? stats->id : name, std::move(*stats)});
    }
    began_ = true;
    return samples;
  }

  Result<std::string> table(const std::vector<Sample>& before, const std::vector<Sample>& now) const {
    std::map<std::string, const pod::ContainerStats*> earlier;
    for (const Sample& sample : before) earlier[sample.stats.id] = &sample.stats;
    std::vector<Value> rows;
    const pod::ContainerStats none;
    for (const Sample& sample : now) {
      const auto found = earlier.find(sample.stats.id);
      rows.push_back(
          stats_row(sample.asked, found == earlier.end() ? none : *found->second, sample.stats, truncate_));
    }
    return print_list(format_, rows);
  }

  static std::string over_the_last(std::string_view text) {
    std::string out(kHome);
    for (const char c : text) {
      if (c == '\n') out += kEraseLine;
      out += c;
    }
    return out + std::string(kEraseRest);
  }

  pod::Engine& engine_;
  std::vector<std::string> names_;
  bool all_, truncate_, began_ = false;
  ListFormat format_;
};

Result<int> run_stats(App& app, const Command&, const Flags& flags) {
  TRY(pod::Engine* const engine, app.engine());
  return Watch(*engine, flags).run(flags.is_set("no-stream"));
}

}  // namespace

void add_stats_command(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "stats",
       .group = "container",
       .summary = "Display a live stream of container(s) resource usage statistics",
       .usages = {"[OPTIONS] [CONTAINER...]"},
       .example = "fermata stats --no-stream web",
       .flags =
           {{"all", 'a', FlagKind::boolean, "", "Show all containers (default shows just running)"},
            {"format", 0, FlagKind::text, "string",
             "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go TEMPLATE"},
            {"no-stream", 0, FlagKind::boolean, "", "Disable streaming stats and only pull the first result"},
            {"no-trunc", 0, FlagKind::boolean, "", "Do not truncate output"}},
       .run = run_stats});
}

}  // namespace fermata::cli
