#include "scope/bus/connection.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace fermata::scope {
namespace {

using std::chrono::steady_clock;

constexpr const char* kPrivateSocket = "/run/systemd/private";
constexpr const char* kPrivateAddress = "unix:path=/run/systemd/private";
constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kUnitPath = "/org/freedesktop/systemd1/unit";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr auto kPatience = std::chrono::seconds(60);

struct FreeText {
  void operator()(char* text) const { std::free(text); }
};

// sd_bus_error with its clean-up.
struct BusError {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&error); }
  Refusal refusal() const {
    return {error.name != nullptr ? error.name : "", error.message != nullptr ? error.message : ""};
  }
};

}  // namespace

bool is_no_such_unit(const Refusal& refusal) { return refusal.name == "org.freedesktop.systemd1.NoSuchUnit"; }
bool is_unit_exists(const Refusal& refusal) { return refusal.name == "org.freedesktop.systemd1.UnitExists"; }

tl::unexpected<Error> fail_refused(std::string_view what, const Refusal& refusal) {
  ErrorKind kind = ErrorKind::failed;
  if (is_no_such_unit(refusal)) kind = ErrorKind::not_found;
  if (is_unit_exists(refusal)) kind = ErrorKind::conflict;
  if (refusal.name == SD_BUS_ERROR_ACCESS_DENIED) kind = ErrorKind::permission;
  if (refusal.name == SD_BUS_ERROR_INVALID_ARGS) kind = ErrorKind::invalid_argument;
  return fail(kind, "{}: systemd: {}", what, refusal.text.empty() ? refusal.name : refusal.text);
}

Result<std::unique_ptr<Connection>> Connection::open() {
  std::unique_ptr<Connection> connection(new Connection);
  TRY(connection->connect());
  return connection;
}

Result<void> Connection::connect() {
  sd_bus* bus = nullptr;
  const bool direct = ::geteuid() == 0 && ::access(kPrivateSocket, F_OK) == 0;
  if (direct) {
    TRY_BUS(sd_bus_new(&bus), "connect to systemd");
    bus_.reset(bus);
    TRY_BUS(sd_bus_set_address(bus, kPrivateAddress), "connect to systemd");
    TRY_BUS(sd_bus_start(bus), "connect to systemd at '{}'", kPrivateSocket);
  } else {
    TRY_BUS(sd_bus_open_system(&bus), "connect to systemd by the system bus");
    bus_.reset(bus);
  }
  TRY_BUS(sd_bus_set_method_call_timeout(bus, std::chrono::microseconds(kPatience).count()),
          "connect to systemd");
  // Nobody vouches for a sender on the direct connection, which has one.
  TRY_BUS(sd_bus_match_signal(bus, nullptr, direct ? nullptr : kService, kManagerPath, kManager, "JobRemoved",
                              on_job_removed, this),
          "listen for systemd's jobs");
  if (direct) return {};
  // Signals go over the bus only while somebody has asked for them.
  TRY(const Message subscribe, new_call("Subscribe"));
  TRY(const auto reply, call(subscribe.get()));
  if (!reply) return fail_refused("listen for systemd's jobs", reply.error());
  return {};
}

Result<Message> Connection::new_call(const char* method) {
  sd_bus_message* message = nullptr;
  TRY_BUS(sd_bus_message_new_method_call(bus_.get(), &message, kService, kManagerPath, kManager, method),
          "call {} of systemd", method);
  return Message(message);
}

Result<tl::expected<Message, Refusal>> Connection::call(sd_bus_message* message) {
  BusError error;
  sd_bus_message* reply = nullptr;
  const int result = sd_bus_call(bus_.get(), message, 0, &error.error, &reply);
  if (result >= 0) return tl::expected<Message, Refusal>(Message(reply));
  // A connection that broke has an errno, which sd-bus also words as an error; a peer's answer keeps it open.
  if (sd_bus_error_is_set(&error.error) != 0 && is_open())
    return tl::expected<Message, Refusal>(tl::unexpected<Refusal>(error.refusal()));
  return fail(-result, "call {} of systemd", sd_bus_message_get_member(message));
}

Result<std::string> Connection::unit_property(const std::string& unit, const char* interface,
                                              const char* property) {
  char* encoded = nullptr;
  TRY_BUS(sd_bus_path_encode(kUnitPath, unit.c_str(), &encoded), "name unit '{}'", unit);
  const std::unique_ptr<char, FreeText> path(encoded);
  BusError error;
  char* text = nullptr;
  const int result =
      sd_bus_get_property_string(bus_.get(), kService, path.get(), interface, property, &error.error, &text);
  if (result < 0) return fail_refused(fmt::format("read {} of '{}'", property, unit), error.refusal());
  const std::unique_ptr<char, FreeText> owned(text);
  return std::string(text);
}

int Connection::on_job_removed(sd_bus_message* message, void* self, sd_bus_error*) {
  std::uint32_t id = 0;
  const char *job = nullptr, *unit = nullptr, *outcome = nullptr;
  const int result = sd_bus_message_read(message, "uoss", &id, &job, &unit, &outcome);
  if (result >= 0) static_cast<Connection*>(self)->ended_jobs_[job] = outcome;
  return result;
}

Result<std::string> Connection::wait_for_job(sd_bus_message* reply) {
  const char* job = nullptr;
  TRY_BUS(sd_bus_message_read(reply, "o", &job), "read systemd's job");
  const auto deadline = steady_clock::now() + kPatience;
  for (;;) {
    if (const auto ended = ended_jobs_.find(job); ended != ended_jobs_.end()) {
      std::string outcome = std::move(ended->second);
      ended_jobs_.clear();  // the others were of somebody else
      return outcome;
    }
    const int handled = sd_bus_process(bus_.get(), nullptr);
    TRY_BUS(handled, "wait for systemd");
    if (handled > 0) continue;
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return fail(ErrorKind::unavailable, "systemd does not end its job '{}'", job);
    const int waited = sd_bus_wait(bus_.get(), static_cast<std::uint64_t>(left.count()));
    if (waited < 0 && waited != -EINTR) return fail(-waited, "wait for systemd");
  }
}

}  // namespace fermata::scope
