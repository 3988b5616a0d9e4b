#include "cri/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fermata::cri {
namespace {

using Text = fmt::memory_buffer;

double seconds_of(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

void head(Text& text, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

// `label`: "method=\"Version\"", or "".
void histogram(Text& text, std::string_view name, const std::string& label, const Histogram& values) {
  const auto out = std::back_inserter(text);
  std::uint64_t below = 0;
  const std::string first = label.empty() ? "" : label + ",";
  const std::string braces = label.empty() ? "" : "{" + label + "}";
  for (std::size_t i = 0; i < values.buckets.size(); ++i) {
    below += values.buckets[i];
    fmt::format_to(out, "{}_bucket{{{}le=\"{}\"}} {}\n", name, first, Histogram::kSeconds[i], below);
  }
  fmt::format_to(out, "{}_bucket{{{}le=\"+Inf\"}} {}\n", name, first, values.count);
  fmt::format_to(out, "{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braces, values.sum, values.count);
}

void population(Text& text, const Population& now) {
  const auto out = std::back_inserter(text);
  head(text, "fermata_pods", "gauge", "Pod sandboxes by state.");
  fmt::format_to(out, "fermata_pods{{state=\"ready\"}} {}\nfermata_pods{{state=\"notready\"}} {}\n",
                 now.ready_pods, now.pods - now.ready_pods);
  head(text, "fermata_containers", "gauge", "Containers by state.");
  fmt::format_to(out,
                 "fermata_containers{{state=\"running\"}} {}\nfermata_containers{{state=\"other\"}} {}\n",
                 now.running_containers, now.containers - now.running_containers);
}

}  // namespace

void Histogram::add(double seconds) {
  ++count;
  sum += seconds;
  const auto bucket = std::lower_bound(kSeconds.begin(), kSeconds.end(), seconds);
  if (bucket != kSeconds.end()) ++buckets[static_cast<std::size_t>(bucket - kSeconds.begin())];
}

void Metrics::add_call(std::string_view method, std::string_view code, std::chrono::nanoseconds duration) {
  const std::scoped_lock lock(mutex_);
  auto call = calls_.find(method);
  if (call == calls_.end()) call = calls_.emplace(method, Call()).first;
  call->second.latency.add(seconds_of(duration));
  auto& codes = call->second.codes;
  if (const auto known = codes.find(code); known != codes.end()) {
    ++known->second;
  } else {
    codes.emplace(code, 1);
  }
}

void Metrics::add_pull(bool success, std::chrono::nanoseconds duration) {
  const std::scoped_lock lock(mutex_);
  if (success) {
    pulls_.add(seconds_of(duration));
  } else {
    ++failed_pulls_;
  }
}

std::string Metrics::text(const Population& now) const {
  Text text;
  const auto out = std::back_inserter(text);
  const std::scoped_lock lock(mutex_);
  head(text, "fermata_cri_call_duration_seconds", "histogram", "How long calls of the CRI took.");
  for (const auto& [method, call] : calls_)
    histogram(text, "fermata_cri_call_duration_seconds", fmt::format("method=\"{}\"", method), call.latency);
  head(text, "fermata_cri_calls_total", "counter", "Calls of the CRI by their gRPC code.");
  for (const auto& [method, call] : calls_)
    for (const auto& [code, count] : call.codes)
      fmt::format_to(out, "fermata_cri_calls_total{{method=\"{}\",code=\"{}\"}} {}\n", method, code, count);
  head(text, "fermata_image_pull_duration_seconds", "histogram", "How long successful image pulls took.");
  histogram(text, "fermata_image_pull_duration_seconds", "", pulls_);
  head(text, "fermata_image_pull_failures_total", "counter", "Image pulls that failed.");
  fmt::format_to(out, "fermata_image_pull_failures_total {}\n", failed_pulls_);
  population(text, now);
  return fmt::to_string(text);
}

}  // namespace fermata::cri
