#include "cri/samples.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace fermata::cri {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(CpuRates, TheFirstIsSinceTheBeginning) {
  CpuRates rates;
  EXPECT_EQ(rates.add("a", kSecond, 12 * kSecond, 10 * kSecond), kSecond / 2);
  EXPECT_EQ(rates.add("b", kSecond, 10 * kSecond, 10 * kSecond), 0u);
}

TEST(CpuRates, LaterOnesAreSinceTheLastPointOfASecondAgo) {
  CpuRates rates;
  rates.add("a", 0, 10 * kSecond, 10 * kSecond);
  EXPECT_EQ(rates.add("a", kSecond, 10 * kSecond + kSecond / 2, 10 * kSecond), 0u);
  EXPECT_EQ(rates.add("a", 4 * kSecond, 12 * kSecond, 10 * kSecond), 2 * static_cast<std::uint64_t>(kSecond));
  EXPECT_EQ(rates.add("a", 4 * kSecond, 13 * kSecond, 10 * kSecond), 0u);
}

TEST(CpuRates, WhoIsForgottenBeginsAnew) {
  CpuRates rates;
  rates.add("a", 0, 10 * kSecond, 10 * kSecond);
  rates.keep({"b"});
  EXPECT_EQ(rates.add("a", kSecond, 11 * kSecond, 10 * kSecond), static_cast<std::uint64_t>(kSecond));
}

TEST(WrittenLayers, AreMeasuredOncePerPeriod) {
  const auto directory = std::filesystem::path(testing::TempDir()) / "written_layers";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "a") << "12345";
  WrittenLayers layers(std::chrono::hours(1));
  const auto first = layers.of(directory);
  EXPECT_EQ(first.usage.inodes, 2u);
  EXPECT_GT(first.time, 0);
  std::ofstream(directory / "b") << "1";
  EXPECT_EQ(layers.of(directory).usage.inodes, 2u);
  layers.keep({});
  EXPECT_EQ(layers.of(directory).usage.inodes, 3u);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fermata::cri
