// One layer: downloaded, checked and unpacked at the same time.
#pragma once

#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

#include "image/images.h"
#include "image/transfer/manifest.h"
#include "image/transfer/session.h"

namespace fermata::image {

struct LayerJob {
  Descriptor descriptor;
  std::string diff_id;    // that the configuration promises
  std::string directory;  // made here
};

// Hands the layers' progress to the caller, one at a time.
class ProgressReporter {
 public:
  explicit ProgressReporter(const ProgressFn& report) : report_(report) {}
  void report(const Descriptor& layer, const char* status, std::uint64_t current = 0,
              std::uint64_t total = 0);

 private:
  const ProgressFn& report_;
  std::mutex mutex_;
};

// Returns the bytes unpacked. After a failure the directory is half filled; its owner removes it.
Result<std::uint64_t> fetch_layer(RegistrySession& session, HttpClient& client, const LayerJob& job,
                                  ProgressReporter& progress, const std::stop_token& stop);

}  // namespace fermata::image
