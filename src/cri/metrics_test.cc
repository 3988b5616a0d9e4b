#include "cri/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::cri {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(Metrics, BucketsHoldWhatIsBelowThem) {
  Metrics metrics;
  metrics.add_call("Version", "OK", 1ms);
  metrics.add_call("Version", "OK", 3ms);
  metrics.add_call("Version", "UNAVAILABLE", 40s);
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr("# TYPE fermata_cri_call_duration_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{method=\"Version\",le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{method=\"Version\",le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{method=\"Version\",le=\"30\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{method=\"Version\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("fermata_cri_calls_total{method=\"Version\",code=\"OK\"} 2\n"));
}

TEST(Metrics, PullsAndPopulation) {
  Metrics metrics;
  metrics.add_pull(true, 2s);
  metrics.add_pull(false, 1s);
  const std::string text =
      metrics.text({.pods = 3, .ready_pods = 2, .containers = 5, .running_containers = 4});
  EXPECT_THAT(text, HasSubstr("fermata_image_pull_duration_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("fermata_image_pull_failures_total 1\n"));
  EXPECT_THAT(text, HasSubstr("fermata_pods{state=\"notready\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fermata_containers{state=\"running\"} 4\n"));
}

}  // namespace
}  // namespace fermata::cri
