// Names of the Container Device Interface: "vendor.com/class=device". CDI specification 1.1, "Kind" and
// "CDI Devices". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fermata::cdi {

struct DeviceName {
  std::string vendor, device_class, device;
  // "vendor.com/class"
  std::string kind() const { return vendor + "/" + device_class; }
};

// nullopt: no fully qualified name. A path, "/dev/x=y" too, is none.
std::optional<DeviceName> parse_device_name(std::string_view text);

// "vendor.com", "class" and "device": begin and end with a letter or digit, with those and "-_." between; the
// first two begin with a letter, a device may have ":" inside.
bool is_vendor(std::string_view text);
bool is_class(std::string_view text);
bool is_device(std::string_view text);

}  // namespace fermata::cdi
