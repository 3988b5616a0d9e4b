// A connection to systemd's manager object, org.freedesktop.systemd1(5), and the end of jobs on it.
#pragma once

#include <systemd/sd-bus.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::scope {

struct UnrefMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};

// How systemd refused a call: the D-Bus error's name and sentence.
struct Refusal {
  std::string name, text;
};
bool is_no_such_unit(const Refusal& refusal);
bool is_unit_exists(const Refusal& refusal);
tl::unexpected<Error> fail_refused(std::string_view what, const Refusal& refusal);

// sd-bus reports failures as negative errno.
#define TRY_BUS(expression, ...)                             \
  do {                                                       \
    if (const int bus_result = (expression); bus_result < 0) \
      return ::fermata::fail(-bus_result, __VA_ARGS__);      \
  } while (false)

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open();
  bool is_open() const { return sd_bus_is_open(bus_.get()) > 0; }

  Result<Message> new_call(const char* method);
  // The reply, or the refusal. An Error is one of the connection.
  Result<tl::expected<Message, Refusal>> call(sd_bus_message* message);
  Result<std::string> unit_property(const std::string& unit, const char* interface, const char* property);
  // Waits until the job that a reply names has ended: "done", "failed", "canceled", "timeout", ...
  Result<std::string> wait_for_job(sd_bus_message* reply);

 private:
  Connection() = default;
  Result<void> connect();
  static int on_job_removed(sd_bus_message* message, void* self, sd_bus_error* error);

  std::unique_ptr<sd_bus, CloseBus> bus_;
  // Jobs may end before the reply that names them was read.
  std::map<std::string, std::string> ended_jobs_;
};

}  // namespace fermata::scope
