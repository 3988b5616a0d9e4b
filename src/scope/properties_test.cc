#include "scope/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::scope {
namespace {

using kernel::CgroupLimits;
using kernel::kNoLimit;
using Bits = std::vector<std::uint8_t>;
using Devices = std::vector<AllowedDevice>;

class Made {
 public:
  explicit Made(const CgroupLimits& limits, bool v2 = true) {
    auto made = properties_of(limits, v2);
    if (made)
      properties_ = std::move(*made);
    else
      ADD_FAILURE() << made.error().message();
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  std::uint64_t number(const std::string& name) const { return get<std::uint64_t>(name); }
  // The last one of a name, as systemd takes them.
  template <class T>
  T get(const std::string& name) const {
    const Property* found = find(name);
    const T* value = found ? std::get_if<T>(&found->value) : nullptr;
    if (!value) ADD_FAILURE() << "no " << name << " of the type that is asked for";
    return value ? *value : T{};
  }
  std::size_t size() const { return properties_.size(); }

 private:
  const Property* find(const std::string& name) const {
    const Property* found = nullptr;
    for (const auto& property : properties_)
      if (property.name == name) found = &property;
    return found;
  }
  std::vector<Property> properties_;
};

TEST(Properties, OfNoLimitsAreNone) {
  EXPECT_EQ(Made({}).size(), 0u);
  EXPECT_EQ(Made({}, false).size(), 0u);
}

TEST(Properties, OfMemory) {
  const Made made({.memory_max = 4096, .memory_swap_max = 6144, .memory_reservation = 1024});
  EXPECT_EQ(made.number("MemoryMax"), 4096u);
  EXPECT_EQ(made.number("MemorySwapMax"), 2048u);
  EXPECT_EQ(made.number("MemoryLow"), 1024u);
  const Made unlimited({.memory_max = kNoLimit, .memory_swap_max = kNoLimit});
  EXPECT_EQ(unlimited.number("MemoryMax"), kNoLimit);
  EXPECT_EQ(unlimited.number("MemorySwapMax"), kNoLimit);
  EXPECT_EQ(Made({.memory_max = 4096}, false).number("MemoryLimit"), 4096u);
  EXPECT_FALSE(properties_of({.memory_max = 4096, .memory_swap_max = 1024}, true));
}

TEST(Properties, OfProcessorTime) {
  const Made made({.cpu_shares = 1024, .cpu_quota = 50000, .cpu_period = 100000, .cpuset_cpus = "0-2,9"});
  EXPECT_EQ(made.number("CPUWeight"), 100u);
  EXPECT_EQ(made.number("CPUQuotaPerSecUSec"), 500000u);
  EXPECT_EQ(made.number("CPUQuotaPeriodUSec"), 100000u);
  EXPECT_EQ(made.get<Bits>("AllowedCPUs"), (Bits{0x07, 0x02}));
  EXPECT_EQ(Made({.cpu_shares = 512}, false).number("CPUShares"), 512u);
  EXPECT_EQ(Made({.cpu_shares = 512, .cpu_idle = 1}).number("CPUWeight"), 0u);
  EXPECT_EQ(Made({.cpu_quota = -1}).number("CPUQuotaPerSecUSec"), kNoLimit);
  EXPECT_FALSE(properties_of({.cpuset_cpus = "0-x"}, true));
  EXPECT_FALSE(properties_of({.cpuset_mems = "3-1"}, true));
  EXPECT_FALSE(properties_of({.cpuset_cpus = "0-99999999"}, true));
}

TEST(Properties, RoundAQuotaUpToPercents) {
  EXPECT_EQ(Made({.cpu_quota = 33333, .cpu_period = 100000}).number("CPUQuotaPerSecUSec"), 340000u);
  EXPECT_EQ(Made({.cpu_quota = 1}).number("CPUQuotaPerSecUSec"), 10000u);
}

TEST(Properties, OfProcessesAndBlockDevices) {
  EXPECT_EQ(Made({.pids_max = 20}).number("TasksMax"), 20u);
  EXPECT_EQ(Made({.pids_max = -1}).number("TasksMax"), kNoLimit);
  EXPECT_EQ(Made({.block_weight = 1000}).number("IOWeight"), 10000u);
  EXPECT_EQ(Made({.block_weight = 1000}, false).number("BlockIOWeight"), 1000u);
}

TEST(Properties, OfDevicesThatAreAListOfWhatIsAllowed) {
  CgroupLimits limits;
  limits.devices = {{.allow = true, .type = 'c', .major = 9, .minor = 9},
                    {.allow = false},
                    {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rw"},
                    {.allow = true, .type = 'u', .major = 136},
                    {.allow = true, .access = "m"}};
  const Made made(limits);
  EXPECT_EQ(made.get<std::string>("DevicePolicy"), "strict");
  EXPECT_EQ(made.get<Devices>("DeviceAllow"),
            (Devices{{"/dev/char/1:3", "rw"}, {"char-136", "rwm"}, {"block-*", "m"}, {"char-*", "m"}}));
}

TEST(Properties, LeaveDeviceRulesToTheProgramWhereSystemdHasNoWords) {
  CgroupLimits everything, exception, any_major;
  everything.devices = {{.allow = true}};
  exception.devices = {{.allow = false}, {.allow = false, .type = 'c', .major = 1, .minor = 1}};
  any_major.devices = {{.allow = false}, {.allow = true, .type = 'c', .minor = 3}};
  for (const auto& limits : {everything, exception, any_major}) {
    const Made made(limits);
    EXPECT_EQ(made.get<std::string>("DevicePolicy"), "auto");
    EXPECT_TRUE(made.get<Devices>("DeviceAllow").empty());
  }
}

TEST(Properties, OfUnifiedFiles) {
  CgroupLimits limits;
  limits.unified = {{"memory.high", "max"}, {"cpu.max", "5000 20000"}, {"cpuset.mems", "0"},
                    {"pids.max", "7\n"},    {"hugetlb.2MB.max", "1"},  {"cpu.weight", "nonsense"}};
  const Made made(limits);
  EXPECT_EQ(made.number("MemoryHigh"), kNoLimit);
  EXPECT_EQ(made.number("CPUQuotaPerSecUSec"), 250000u);
  EXPECT_EQ(made.number("TasksMax"), 7u);
  EXPECT_EQ(made.get<Bits>("AllowedMemoryNodes"), Bits{0x01});
  EXPECT_FALSE(made.has("CPUWeight"));
}

}  // namespace
}  // namespace fermata::scope
