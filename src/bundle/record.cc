#include "bundle/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "kernel/cgroup.h"
#include "oci/runtime_document.h"

namespace fermata::bundle {

using nlohmann::json;

namespace {

constexpr std::string_view kIdMarks = "_+-.";
constexpr std::string_view kWayOut = "delete --force removes what is left of it";

}  // namespace

const char* name_of(Status status) {
  switch (status) {
    case Status::created:
      return "created";
    case Status::running:
      return "running";
    case Status::paused:
      return "paused";
    case Status::stopped:
      break;
  }
  return "stopped";
}

Result<void> check_id(const std::string& id) {
  const bool letters = std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || kIdMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (id.empty() || id == "." || id == ".." || id.size() > NAME_MAX || !letters)
    return fail(ErrorKind::invalid_argument, "invalid container ID format: '{}' (letters, digits and {})", id,
                kIdMarks);
  return {};
}

std::string format_record(const Record& record) {
  const json document = {{"version", 1},
                         {"id", record.id},
                         {"bundle", record.bundle},
                         {"root", record.root},
                         {"pid", record.pid},
                         {"pidStart", record.pid_start},
                         {"created", record.created},
                         {"owner", record.owner},
                         {"cgroup", record.cgroup},
                         {"scope", record.scope},
                         {"program", record.program},
                         {"startHooks", record.start_hooks},
                         {"stopHooks", record.stop_hooks},
                         {"resctrl",
                          {{"path", record.resctrl.path},
                           {"made", record.resctrl.made},
                           {"monitor", record.resctrl.monitor_path}}},
                         {"firstStep", record.first_step},
                         {"steps", record.steps}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Record> parse_record(std::string_view text) {
  try {
    const json document = json::parse(text);
    Record record;
    document.at("id").get_to(record.id);
    document.at("bundle").get_to(record.bundle);
    document.at("root").get_to(record.root);
    document.at("pid").get_to(record.pid);
    document.at("pidStart").get_to(record.pid_start);
    document.at("created").get_to(record.created);
    document.at("owner").get_to(record.owner);
    document.at("cgroup").get_to(record.cgroup);
    document.at("scope").get_to(record.scope);
    document.at("program").get_to(record.program);
    // What later versions added may be absent: their commands serve the containers that they find.
    const json resctrl = document.value("resctrl", json::object());
    record.resctrl = {.path = resctrl.value("path", ""),
                      .made = resctrl.value("made", false),
                      .monitor_path = resctrl.value("monitor", "")};
    record.start_hooks = document.value("startHooks", true);
    record.stop_hooks = document.value("stopHooks", true);
    document.at("firstStep").get_to(record.first_step);
    document.at("steps").get_to(record.steps);
    if (kernel::Cgroup::is_path(record.cgroup)) return record;
    return fail(ErrorKind::failed, "damaged state: '{}' is no control group of a container; {}",
                record.cgroup, kWayOut);
  } catch (const json::exception& error) {
    return fail(ErrorKind::failed, "damaged state: {}; {}", error.what(), kWayOut);
  }
}

std::string state_document(const Container& container, std::string_view status,
                           const std::map<std::string, std::string>& annotations) {
  const Record& record = container.record;
  nlohmann::ordered_json document = {{"ociVersion", oci::kRuntimeSpecVersion},
                                     {"id", record.id},
                                     {"pid", container.status == Status::stopped ? 0 : record.pid},
                                     {"status", status},
                                     {"bundle", record.bundle},
                                     {"rootfs", record.root},
                                     {"created", rfc3339(record.created)},
                                     {"owner", record.owner}};
  if (!annotations.empty()) document["annotations"] = annotations;
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace fermata::bundle
