#include "cni/attachments.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cni/namespace_pin.h"

namespace fermata::cni {
namespace {

// The plugin's output, or why it or its execution has failed. `tolerated`: a code that counts as success.
Result<std::string> run_plugin(const Plugins& plugins, const Plugin& plugin, const Request& request,
                               std::optional<std::uint32_t> tolerated = std::nullopt) {
  TRY(Reply reply, plugins.run(plugin.type, request));
  if (reply.error && reply.error->code != tolerated)
    return tl::unexpected(to_error(*reply.error, plugin.type, command_name(request.command)));
  return std::move(reply.output);
}

std::string context_of(const NetworkConfiguration& network) {
  return fmt::format("network '{}'", network.name);
}

// Failures that must not keep the rest from being done.
class Failures {
 public:
  void add(const Result<void>& result) {
    if (!result) errors_.push_back(result.error());
  }
  Result<void> all() const {
    if (errors_.empty()) return {};
    if (errors_.size() == 1) return tl::unexpected(errors_.front());
    std::vector<std::string> messages;
    for (const Error& error : errors_) messages.push_back(error.message());
    return fail(errors_.front().kind(), "{}", join(messages, "; "));
  }

 private:
  std::vector<Error> errors_;
};

// FNV-1a, so that every process finds the same byte. Two pods of one byte wait for each other, that is all.
std::int64_t lock_byte(std::string_view pod) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : pod) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<std::int64_t>(hash >> 2);
}

}  // namespace

Attachments::Attachments(state::Database& database, Plugins& plugins, const std::string& run_directory)
    : database_(database), plugins_(plugins), lock_path_(run_directory + "/cni.lock") {}

Result<FileLock> Attachments::lock_pod(const std::string& pod) const {
  return FileLock::acquire(lock_path_, FileLock::Mode::exclusive, lock_byte(pod));
}

Result<FileLock> Attachments::lock_all() const { return FileLock::acquire(lock_path_); }

Result<Version> Attachments::choose_version(const NetworkConfiguration& network) {
  std::vector<Version> versions = network.versions;
  // With a single one there is no choice, and the plugin says itself that it does not know it.
  for (const Plugin& plugin : network.plugins) {
    if (network.versions.size() < 2) break;
    TRY(const auto known, plugins_.versions(plugin.type));
    std::erase_if(versions, [&](const Version& version) {
      return std::find(known.begin(), known.end(), version) == known.end();
    });
    if (versions.empty())
      return fail(ErrorKind::unsupported,
                  "plugin '{}' knows none of the versions of CNI that the configuration and the other "
                  "plugins share; name one of its own in cniVersions",
                  plugin.type);
  }
  return versions.back();
}

Result<AddResult> Attachments::run_add(const Record& record) {
  std::optional<AddResult> result;
  for (const Plugin& plugin : record.network.plugins) {
    const Request request =
        compose_request(Command::add, record.network, record.version(), plugin, record.attachment, result);
    TRY(const std::string output, run_plugin(plugins_, plugin, request));
    auto parsed = parse_result(output, record.version());
    if (!parsed) return fail_with(std::move(parsed.error()), fmt::format("plugin '{}' (ADD)", plugin.type));
    result = std::move(*parsed);
  }
  return std::move(*result);
}

Result<AddResult> Attachments::add(const NetworkConfiguration& network, const Attachment& attachment) {
  const auto in_network = [&](Error error) { return fail_with(std::move(error), context_of(network)); };
  if (auto valid = validate(attachment); !valid) return in_network(std::move(valid.error()));
  const auto version = choose_version(network);
  if (!version) return in_network(version.error());
  TRY(const FileLock lock, lock_pod(attachment.pod));
  TRY(remove_earlier(attachment));

  Record record{.attachment = attachment, .network = network, .result = std::nullopt};
  record.network.versions = {*version};
  TRY(begin_record(database_, record));
  auto result = run_add(record);
  if (!result) {
    // What it says is of no use to the caller beside the first failure; the record tells that it is due.
    const auto removed = remove(record);
    const std::string_view note = removed ? "" : " (what it has made so far is still to be removed)";
    return in_network({result.error().kind(), result.error().error_number(),
                       fmt::format("{}{}", result.error().message(), note)});
  }
  record.result = *result;
  TRY(finish_record(database_, record));
  return result;
}

Result<void> Attachments::remove_earlier(const Attachment& attachment) {
  TRY(const auto records, records_of(database_, attachment.pod));
  for (const Record& record : records)
    if (record.attachment.interface == attachment.interface) TRY(remove(record));
  return {};
}

Result<void> Attachments::remove(const Record& record) {
  Attachment attachment = record.attachment;
  // Plugins must then release what is on the host; a path to anything else would only be an error to them.
  if (!is_namespace(attachment.network_namespace)) attachment.network_namespace.clear();
  const auto& plugins = record.network.plugins;
  for (auto plugin = plugins.rbegin(); plugin != plugins.rend(); ++plugin) {
    const Request request =
        compose_request(Command::del, record.network, record.version(), *plugin, attachment, record.result);
    auto ran = run_plugin(plugins_, *plugin, request, kUnknownContainer);
    if (!ran) return fail_with(std::move(ran.error()), context_of(record.network));
  }
  return delete_record(database_, record.attachment);
}

Result<void> Attachments::detach(const std::string& pod) {
  TRY(const auto records, records_of(database_, pod));
  Failures failures;
  for (auto record = records.rbegin(); record != records.rend(); ++record) failures.add(remove(*record));
  return failures.all();
}

Result<void> Attachments::del(const std::string& pod) {
  TRY(const FileLock lock, lock_pod(pod));
  return detach(pod);
}

Result<void> Attachments::run_check(const Record& record) {
  if (record.network.disable_check || record.version() < kFirstWithCheck) return {};
  for (const Plugin& plugin : record.network.plugins)
    TRY(run_plugin(plugins_, plugin,
                   compose_request(Command::check, record.network, record.version(), plugin,
                                   record.attachment, record.result)));
  return {};
}

Result<void> Attachments::check(const std::string& pod) {
  TRY(const FileLock lock, lock_pod(pod));
  TRY(const auto records, records_of(database_, pod));
  for (const Record& record : records) {
    if (!record.result)
      return fail(ErrorKind::conflict, "{}: ADD of '{}' has not been completed", context_of(record.network),
                  record.attachment.interface);
    if (auto checked = run_check(record); !checked)
      return fail_with(std::move(checked.error()), context_of(record.network));
  }
  return {};
}

Result<void> Attachments::gc(const NetworkConfiguration& network,
                             const std::function<Result<bool>(const std::string& pod)>& is_valid) {
  TRY(const auto candidates, pods());
  Failures failures;
  for (const std::string& pod : candidates) {
    TRY(const FileLock lock, lock_pod(pod));
    TRY(const bool valid, is_valid(pod));
    if (!valid) failures.add(detach(pod));
  }
  failures.add(run_gc(network, is_valid));
  return failures.all();
}

Result<void> Attachments::run_gc(const NetworkConfiguration& network,
                                 const std::function<Result<bool>(const std::string& pod)>& is_valid) {
  if (network.disable_gc) return {};
  TRY(const Version version, choose_version(network));
  if (version < kFirstWithGc) return {};
  // Neither ADD nor DEL may run beside it.
  TRY(const FileLock lock, lock_all());
  TRY(const auto records, all_records(database_));
  std::vector<ValidAttachment> valid;
  for (const Record& record : records) {
    if (record.network.name != network.name) continue;
    TRY(const bool is, is_valid(record.attachment.pod));
    if (is) valid.push_back({record.attachment.pod, record.attachment.interface});
  }
  Failures failures;
  for (const Plugin& plugin : network.plugins) {
    auto ran = run_plugin(plugins_, plugin, compose_gc_request(network, version, plugin, valid));
    if (!ran) failures.add(fail_with(std::move(ran.error()), context_of(network)));
  }
  return failures.all();
}

Status Attachments::status(const NetworkConfiguration& network) {
  const auto not_ready = [&](const std::string& message, bool connected = true) {
    return Status{.ready = false,
                  .connected = connected,
                  .reason = fmt::format("{}: {}", context_of(network), message)};
  };
  for (const Plugin& plugin : network.plugins)
    if (const auto path = plugins_.find(plugin.type); !path) return not_ready(path.error().message());
  const auto version = choose_version(network);
  if (!version) return not_ready(version.error().message());
  if (*version < kFirstWithGc) return {};
  for (const Plugin& plugin : network.plugins) {
    const auto reply = plugins_.run(plugin.type, compose_status_request(network, *version, plugin));
    if (!reply) return not_ready(reply.error().message());
    if (reply->error)
      return not_ready(to_error(*reply->error, plugin.type, command_name(Command::status)).message(),
                       reply->error->code != kLimitedConnectivity);
  }
  return {};
}

Result<std::vector<Record>> Attachments::attached(const std::string& pod) {
  return records_of(database_, pod);
}

Result<std::vector<std::string>> Attachments::pods() {
  TRY(state::Statement statement, database_.prepare("SELECT DISTINCT pod FROM cni_attachments ORDER BY pod"));
  std::vector<std::string> pods;
  for (;;) {
    TRY(const bool more, statement.step());
    if (!more) return pods;
    pods.push_back(statement.text(0));
  }
}

}  // namespace fermata::cni
