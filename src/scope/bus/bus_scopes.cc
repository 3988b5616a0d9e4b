#include "scope/bus/bus_scopes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "scope/bus/connection.h"

namespace fermata::scope {
namespace {

constexpr const char* kScopeInterface = "org.freedesktop.systemd1.Scope";

// One "(sv)". Returns what sd-bus does.
int append_property(sd_bus_message* message, const char* name, bool value) {
  return sd_bus_message_append(message, "(sv)", name, "b", static_cast<int>(value));
}
int append_property(sd_bus_message* message, const char* name, std::uint64_t value) {
  return sd_bus_message_append(message, "(sv)", name, "t", value);
}
int append_property(sd_bus_message* message, const char* name, const std::string& value) {
  return sd_bus_message_append(message, "(sv)", name, "s", value.c_str());
}

// A "(sv)" whose variant holds `contents`, which `body` appends.
template <class Body>
int append_container(sd_bus_message* message, const char* name, const char* contents, const Body& body) {
  int result = sd_bus_message_open_container(message, 'r', "sv");
  if (result >= 0) result = sd_bus_message_append(message, "s", name);
  if (result >= 0) result = sd_bus_message_open_container(message, 'v', contents);
  if (result >= 0) result = body();
  if (result >= 0) result = sd_bus_message_close_container(message);
  if (result >= 0) result = sd_bus_message_close_container(message);
  return result;
}
int append_property(sd_bus_message* message, const char* name, const std::vector<std::uint8_t>& bytes) {
  return append_container(message, name, "ay", [&] {
    return sd_bus_message_append_array(message, 'y', bytes.data(), bytes.size());
  });
}
int append_property(sd_bus_message* message, const char* name, const std::vector<AllowedDevice>& devices) {
  return append_container(message, name, "a(ss)", [&] {
    int result = sd_bus_message_open_container(message, 'a', "(ss)");
    for (const auto& device : devices)
      if (result >= 0)
        result = sd_bus_message_append(message, "(ss)", device.path.c_str(), device.access.c_str());
    return result < 0 ? result : sd_bus_message_close_container(message);
  });
}

Result<void> append_properties(sd_bus_message* message, const std::vector<Property>& properties) {
  for (const auto& property : properties) {
    const auto append = [&](const auto& value) {
      return append_property(message, property.name.c_str(), value);
    };
    TRY_BUS(std::visit(append, property.value), "tell systemd of {}", property.name);
  }
  return {};
}

// What every scope of ours has beside its limits. Accounting: a controller that systemd does not use for the
// scope would be taken away from the groups below it.
std::vector<Property> common_properties(const ScopeRequest& request) {
  return {{"Description", request.description},
          {"Slice", request.slice},
          {"Delegate", true},
          {"DefaultDependencies", false},
          {"CollectMode", std::string("inactive-or-failed")},  // nobody would come to look at a failed one
          {"MemoryAccounting", true},
          {"CPUAccounting", true},
          {"IOAccounting", true},
          {"TasksAccounting", true},
          // One process that the kernel kills for memory must not take the others along. systemd 253.
          {"OOMPolicy", std::string("continue"), true}};
}

// An older systemd names the property that it does not know, or whose value it does not take. True when that
// is one that we can do without, which is gone then.
bool drop_refused(std::vector<Property>& properties, const Refusal& refusal) {
  const auto found = std::find_if(properties.begin(), properties.end(), [&](const Property& property) {
    return property.optional && refusal.text.find(property.name) != std::string::npos;
  });
  if (found == properties.end()) return false;
  properties.erase(found);
  return true;
}

class BusScopes : public Scopes {
 public:
  Result<std::string> start(const ScopeRequest& request) override;
  Result<void> set_properties(const std::string& unit, const std::vector<Property>& properties) override;
  Result<void> stop(const std::string& unit) override;
  Result<void> reset_failed(const std::string& unit) override;

 private:
  Result<Connection*> connection();
  Result<Message> start_call(const ScopeRequest& request, const std::vector<Property>& properties);
  Result<Message> start_unit(const ScopeRequest& request);

  std::unique_ptr<Connection> connection_;
};

Result<Connection*> BusScopes::connection() {
  // systemd drops its connections when it is executed again.
  if (!connection_ || !connection_->is_open()) {
    TRY(connection_, Connection::open());
  }
  return connection_.get();
}

Result<Message> BusScopes::start_call(const ScopeRequest& request, const std::vector<Property>& properties) {
  TRY(Message message, connection_->new_call("StartTransientUnit"));
  sd_bus_message* call = message.get();
  const auto what = fmt::format("start '{}'", request.unit);
  TRY_BUS(sd_bus_message_append(call, "ss", request.unit.c_str(), "fail"), "{}", what);
  TRY_BUS(sd_bus_message_open_container(call, 'a', "(sv)"), "{}", what);
  TRY_BUS(sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, static_cast<std::uint32_t>(request.pid)), "{}",
          what);
  TRY(append_properties(call, properties));
  TRY_BUS(sd_bus_message_close_container(call), "{}", what);
  TRY_BUS(sd_bus_message_append(call, "a(sa(sv))", 0), "{}", what);
  return message;
}

// The reply, which names the job.
Result<Message> BusScopes::start_unit(const ScopeRequest& request) {
  std::vector<Property> properties = common_properties(request);
  properties.insert(properties.end(), request.properties.begin(), request.properties.end());
  bool freed = false;
  for (;;) {
    TRY(const Message call, start_call(request, properties));
    TRY(auto reply, connection_->call(call.get()));
    if (reply) return std::move(*reply);
    if (drop_refused(properties, reply.error())) continue;
    // The name may be that of a scope that failed, which stays until somebody has seen it.
    if (!is_unit_exists(reply.error()) || std::exchange(freed, true))
      return fail_refused(fmt::format("start '{}'", request.unit), reply.error());
    TRY(reset_failed(request.unit));
  }
}

Result<std::string> BusScopes::start(const ScopeRequest& request) {
  TRY(Connection * systemd, connection());
  TRY(const Message reply, start_unit(request));
  TRY(const std::string outcome, systemd->wait_for_job(reply.get()));
  if (outcome != "done") {
    TRY(reset_failed(request.unit));
    return fail(ErrorKind::failed, "start '{}': systemd's job has ended with '{}'", request.unit, outcome);
  }
  TRY(std::string path, systemd->unit_property(request.unit, kScopeInterface, "ControlGroup"));
  if (path.size() < 2 || path.front() != '/')
    return fail(ErrorKind::failed, "start '{}': its process has ended, and the scope with it", request.unit);
  return path.substr(1);
}

Result<void> BusScopes::set_properties(const std::string& unit, const std::vector<Property>& properties) {
  TRY(Connection * systemd, connection());
  std::vector<Property> wanted = properties;
  while (!wanted.empty()) {
    TRY(const Message call, systemd->new_call("SetUnitProperties"));
    TRY_BUS(sd_bus_message_append(call.get(), "sb", unit.c_str(), 1), "change '{}'", unit);
    TRY_BUS(sd_bus_message_open_container(call.get(), 'a', "(sv)"), "change '{}'", unit);
    TRY(append_properties(call.get(), wanted));
    TRY_BUS(sd_bus_message_close_container(call.get()), "change '{}'", unit);
    TRY(const auto reply, systemd->call(call.get()));
    if (reply) return {};
    if (!drop_refused(wanted, reply.error()))
      return fail_refused(fmt::format("change '{}'", unit), reply.error());
  }
  return {};
}

Result<void> BusScopes::stop(const std::string& unit) {
  TRY(Connection * systemd, connection());
  TRY(const Message call, systemd->new_call("StopUnit"));
  TRY_BUS(sd_bus_message_append(call.get(), "ss", unit.c_str(), "replace"), "stop '{}'", unit);
  TRY(const auto reply, systemd->call(call.get()));
  if (!reply && is_no_such_unit(reply.error())) return {};
  if (!reply) return fail_refused(fmt::format("stop '{}'", unit), reply.error());
  TRY(const std::string outcome, systemd->wait_for_job(reply->get()));
  if (outcome != "done")
    return fail(ErrorKind::failed, "stop '{}': systemd's job has ended with '{}'", unit, outcome);
  return reset_failed(unit);
}

Result<void> BusScopes::reset_failed(const std::string& unit) {
  TRY(Connection * systemd, connection());
  TRY(const Message call, systemd->new_call("ResetFailedUnit"));
  TRY_BUS(sd_bus_message_append(call.get(), "s", unit.c_str()), "reset '{}'", unit);
  TRY(const auto reply, systemd->call(call.get()));
  if (!reply && !is_no_such_unit(reply.error()))
    return fail_refused(fmt::format("reset '{}'", unit), reply.error());
  return {};
}

}  // namespace

std::unique_ptr<Scopes> make_bus_scopes() { return std::make_unique<BusScopes>(); }

}  // namespace fermata::scope
