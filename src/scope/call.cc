#include "scope/call.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace fermata::scope {

using nlohmann::json;

namespace {

// Values by their D-Bus types: a number alone would not say of which it is.
constexpr char kBool[] = "b", kNumber[] = "t", kString[] = "s", kBytes[] = "ay", kDevices[] = "a(ss)";

struct FormatValue {
  json operator()(bool value) const { return {{kBool, value}}; }
  json operator()(std::uint64_t value) const { return {{kNumber, value}}; }
  json operator()(const std::string& value) const { return {{kString, value}}; }
  json operator()(const std::vector<std::uint8_t>& value) const { return {{kBytes, value}}; }
  json operator()(const std::vector<AllowedDevice>& value) const {
    json list = json::array();
    for (const AllowedDevice& device : value) list.push_back(json::array({device.path, device.access}));
    return {{kDevices, std::move(list)}};
  }
};

Property parse_property(const json& document) {
  Property property;
  document.at("name").get_to(property.name);
  document.at("optional").get_to(property.optional);
  const auto& [type, value] = *document.at("value").items().begin();
  if (type == kBool) {
    property.value = value.get<bool>();
  } else if (type == kNumber) {
    property.value = value.get<std::uint64_t>();
  } else if (type == kString) {
    property.value = value.get<std::string>();
  } else if (type == kBytes) {
    property.value = value.get<std::vector<std::uint8_t>>();
  } else {
    std::vector<AllowedDevice> devices;
    for (const json& device : value)
      devices.push_back({device.at(0).get<std::string>(), device.at(1).get<std::string>()});
    property.value = std::move(devices);
  }
  return property;
}

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string format_call(const Call& call) {
  json properties = json::array();
  for (const Property& property : call.request.properties)
    properties.push_back({{"name", property.name},
                          {"value", std::visit(FormatValue(), property.value)},
                          {"optional", property.optional}});
  return text_of({{"method", static_cast<int>(call.method)},
                  {"slice", call.request.slice},
                  {"unit", call.request.unit},
                  {"description", call.request.description},
                  {"pid", call.request.pid},
                  {"properties", std::move(properties)}});
}

Result<Call> parse_call(std::string_view text) {
  try {
    const json document = json::parse(text);
    Call call;
    call.method = static_cast<Method>(document.at("method").get<int>());
    document.at("slice").get_to(call.request.slice);
    document.at("unit").get_to(call.request.unit);
    document.at("description").get_to(call.request.description);
    document.at("pid").get_to(call.request.pid);
    for (const json& property : document.at("properties"))
      call.request.properties.push_back(parse_property(property));
    return call;
  } catch (const json::exception& error) {
    return fail(ErrorKind::invalid_argument, "not a call of fermata's: {}", error.what());
  }
}

std::string format_reply(const Result<std::string>& reply) {
  if (reply) return text_of({{"path", *reply}});
  return text_of({{"kind", static_cast<int>(reply.error().kind())},
                  {"errno", reply.error().error_number()},
                  {"message", reply.error().message()}});
}

Result<std::string> parse_reply(std::string_view text) {
  try {
    const json document = json::parse(text);
    if (document.contains("path")) return document["path"].get<std::string>();
    return tl::unexpected(Error(static_cast<ErrorKind>(document.at("kind").get<int>()),
                                document.at("errno").get<int>(), document.at("message").get<std::string>()));
  } catch (const json::exception& error) {
    return fail(ErrorKind::failed, "not a reply to fermata: {}", error.what());
  }
}

}  // namespace fermata::scope
