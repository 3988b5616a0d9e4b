#include "scope/properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace fermata::scope {
namespace {

using kernel::CgroupLimits;
using kernel::kNoLimit;
using Properties = std::vector<Property>;

constexpr std::uint64_t kInfinity =
    ~std::uint64_t{0};  // systemd's own word for it; kNoLimit is the same number
constexpr std::uint64_t kSecond = 1000000, kDefaultPeriod = 100000;  // microseconds
// systemd keeps a quota in whole percents of a processor when it is reloaded.
constexpr std::uint64_t kPercent = kSecond / 100;
constexpr std::uint64_t kLargestQuota = kInfinity / 2;  // the kernel's is a signed number
constexpr std::uint64_t kMaxListNumber = 8191;          // far beyond the processors that Linux supports

void add(Properties& properties, const char* name, std::uint64_t number) {
  properties.push_back({name, number});
}

// "0-2,7" -> a bit for each, the lowest first.
Result<std::vector<std::uint8_t>> parse_list(std::string_view what, const std::string& list) {
  std::vector<std::uint8_t> bits;
  for (const auto part : split(trim(list), ',')) {
    const auto pair = split_once(part, '-');
    const auto first = parse_unsigned(trim(pair ? pair->first : part));
    const auto last = pair ? parse_unsigned(trim(pair->second)) : first;
    if (!first || !last || *first > *last || *last > kMaxListNumber)
      return fail(ErrorKind::invalid_argument, "{}: '{}' is not a list such as 0-3,7", what, list);
    bits.resize(std::max<std::size_t>(bits.size(), *last / 8 + 1));
    for (std::uint64_t number = *first; number <= *last; ++number)
      bits[number / 8] = static_cast<std::uint8_t>(bits[number / 8] | (1u << (number % 8)));
  }
  return bits;
}

Result<void> add_memory(Properties& properties, const CgroupLimits& limits, bool v2) {
  if (limits.memory_max) add(properties, v2 ? "MemoryMax" : "MemoryLimit", *limits.memory_max);
  if (!v2) return {};
  if (limits.memory_reservation) add(properties, "MemoryLow", *limits.memory_reservation);
  if (!limits.memory_swap_max) return {};
  const std::uint64_t both = *limits.memory_swap_max, memory = limits.memory_max.value_or(kNoLimit);
  if (both != kNoLimit && memory != kNoLimit && both < memory)
    return fail(ErrorKind::invalid_argument, "memory and swap together ({}) are less than memory ({})", both,
                memory);
  // Without a memory limit in hand the difference is the kernel's to make (kernel/cgroup_limits.cc).
  if (both == kNoLimit) add(properties, "MemorySwapMax", kInfinity);
  if (both != kNoLimit && limits.memory_max)
    add(properties, "MemorySwapMax", memory == kNoLimit ? both : both - memory);
  return {};
}

void add_quota(Properties& properties, std::optional<std::int64_t> quota,
               std::optional<std::uint64_t> period) {
  if (period) properties.push_back({"CPUQuotaPeriodUSec", *period, true});  // systemd 242
  if (!quota) return;
  std::uint64_t each_second = kInfinity;
  if (*quota >= 0) {
    const double exact = static_cast<double>(*quota) * static_cast<double>(kSecond) /
                         static_cast<double>(std::max<std::uint64_t>(period.value_or(kDefaultPeriod), 1));
    const double percents = std::min(exact / static_cast<double>(kPercent), 1e12);
    each_second = static_cast<std::uint64_t>(percents) * kPercent;
    if (static_cast<double>(each_second) < exact) each_second += kPercent;
  }
  add(properties, "CPUQuotaPerSecUSec", each_second);
}

Result<void> add_cpu(Properties& properties, const CgroupLimits& limits, bool v2) {
  if (limits.cpu_idle == 1 && v2) {
    properties.push_back({"CPUWeight", std::uint64_t{0}, true});  // idle; systemd 252
  } else if (limits.cpu_shares && v2) {
    add(properties, "CPUWeight", kernel::weight_of_shares(*limits.cpu_shares));
  } else if (limits.cpu_shares) {
    add(properties, "CPUShares", std::clamp<std::uint64_t>(*limits.cpu_shares, 2, 262144));
  }
  add_quota(properties, limits.cpu_quota, limits.cpu_period);
  if (!v2) return {};
  if (limits.cpuset_cpus) {
    TRY(auto bits, parse_list("cpuset.cpus", *limits.cpuset_cpus));
    properties.push_back({"AllowedCPUs", std::move(bits), true});  // systemd 244
  }
  if (limits.cpuset_mems) {
    TRY(auto bits, parse_list("cpuset.mems", *limits.cpuset_mems));
    properties.push_back({"AllowedMemoryNodes", std::move(bits), true});
  }
  return {};
}

// The form in which systemd names a device or a group of them; nullopt where it has none.
std::optional<std::string> device_path(char type, const kernel::DeviceRule& rule) {
  const char* kind = type == 'b' ? "block" : "char";
  if (rule.major < 0) return rule.minor < 0 ? std::optional(fmt::format("{}-*", kind)) : std::nullopt;
  if (rule.minor < 0) return fmt::format("{}-{}", kind, rule.major);
  return fmt::format("/dev/{}/{}:{}", kind, rule.major, rule.minor);
}

bool is_everything(const kernel::DeviceRule& rule) {
  const auto has = [&](char letter) { return rule.access.find(letter) != std::string::npos; };
  return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && has('r') && has('w') && has('m');
}

// systemd knows lists of what is allowed, nothing else. nullopt for rules that are no such list.
std::optional<std::vector<AllowedDevice>> allowed_devices(const std::vector<kernel::DeviceRule>& rules) {
  std::size_t first = rules.size();
  while (first > 0 && !is_everything(rules[first - 1])) --first;
  if (first == 0 || rules[first - 1].allow) return std::nullopt;
  std::vector<AllowedDevice> devices;
  for (std::size_t i = first; i < rules.size(); ++i) {
    if (!rules[i].allow) return std::nullopt;
    for (const char type : {'b', 'c'}) {
      const char wanted = rules[i].type == 'u' ? 'c' : rules[i].type;
      if (wanted != 'a' && wanted != type) continue;
      const auto path = device_path(type, rules[i]);
      if (!path) return std::nullopt;
      devices.push_back({*path, rules[i].access});
    }
  }
  return devices;
}

void add_devices(Properties& properties, const CgroupLimits& limits) {
  if (limits.devices.empty()) return;
  const auto devices = allowed_devices(limits.devices);
  // The empty list takes away what the unit had before. Under "auto" an empty list allows everything: the
  // program of the rules is then the only one that decides.
  properties.push_back({"DeviceAllow", std::vector<AllowedDevice>()});
  properties.push_back({"DevicePolicy", std::string(devices ? "strict" : "auto")});
  if (devices && !devices->empty()) properties.push_back({"DeviceAllow", *devices});
}

// systemd takes no 0. A group that has a process refuses the next one under 1 as well.
std::uint64_t tasks(std::int64_t limit) {
  return limit < 0 ? kInfinity : static_cast<std::uint64_t>(std::max<std::int64_t>(limit, 1));
}

std::optional<std::uint64_t> number_or_max(std::string_view text) {
  return trim(text) == "max" ? kInfinity : parse_unsigned(trim(text));
}

// "max", "max 100000", "5000 100000"
void add_cpu_max(Properties& properties, std::string_view value) {
  const auto pair = split_once(value, ' ');
  const auto quota = pair ? pair->first : value;
  const auto period = pair ? parse_unsigned(trim(pair->second)) : std::nullopt;
  const auto number = parse_unsigned(quota);
  if (number) add_quota(properties, static_cast<std::int64_t>(std::min(*number, kLargestQuota)), period);
  if (quota == "max") add_quota(properties, -1, period);
}

// The files of which systemd has a property. A value that is none is left for the kernel to refuse.
Result<void> add_unified(Properties& properties, const CgroupLimits& limits) {
  constexpr std::pair<std::string_view, const char*> kNumbers[] = {
      {"memory.high", "MemoryHigh"},        {"memory.low", "MemoryLow"}, {"memory.max", "MemoryMax"},
      {"memory.min", "MemoryMin"},          {"pids.max", "TasksMax"},    {"cpu.weight", "CPUWeight"},
      {"memory.swap.max", "MemorySwapMax"}, {"io.weight", "IOWeight"}};
  for (const auto& [file, text] : limits.unified) {
    const auto value = trim(text);
    for (const auto& [name, property] : kNumbers)
      if (const auto number = number_or_max(value); file == name && number)
        add(properties, property, *number);
    if (file == "cpu.max") add_cpu_max(properties, value);
    if (file == "cpu.idle" && value == "1") properties.push_back({"CPUWeight", std::uint64_t{0}, true});
    if (file != "cpuset.cpus" && file != "cpuset.mems") continue;
    TRY(auto bits, parse_list(file, std::string(value)));
    properties.push_back(
        {file == "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes", std::move(bits), true});
  }
  return {};
}

}  // namespace

Result<std::vector<Property>> properties_of(const CgroupLimits& limits, bool v2) {
  Properties properties;
  add_devices(properties, limits);
  TRY(add_memory(properties, limits, v2));
  TRY(add_cpu(properties, limits, v2));
  if (limits.pids_max) add(properties, "TasksMax", tasks(*limits.pids_max));
  if (limits.block_weight && v2) add(properties, "IOWeight", kernel::io_weight(*limits.block_weight));
  if (limits.block_weight && !v2) add(properties, "BlockIOWeight", *limits.block_weight);
  if (v2) TRY(add_unified(properties, limits));
  return properties;
}

}  // namespace fermata::scope
