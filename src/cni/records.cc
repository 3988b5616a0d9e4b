#include "cni/records.h"

#include "base/clock.h"
#include "cni/json_text.h"

namespace fermata::cni {
namespace {

constexpr std::string_view kColumns =
    "SELECT pod, interface, netns, configuration, arguments, capabilities, result FROM cni_attachments";

std::string arguments_document(const Attachment& attachment) {
  Json list = Json::array();
  for (const auto& [key, value] : attachment.arguments) list.push_back({key, value});
  return to_text(Json::object({{"arguments", list}}));
}

Result<void> read_arguments(std::string_view text, Attachment& out) {
  TRY(const Json json, oci::parse_bounded_json(text, "arguments"));
  std::vector<std::vector<std::string>> pairs;
  TRY(Fields(json, "").read("arguments", pairs));
  for (auto& pair : pairs)
    if (pair.size() == 2) out.arguments.emplace_back(std::move(pair[0]), std::move(pair[1]));
  return {};
}

Result<Record> read_row(const state::Statement& row) {
  Record record;
  record.attachment = {.pod = row.text(0),
                       .interface = row.text(1),
                       .network_namespace = row.text(2),
                       .arguments = {},
                       .capabilities = row.text(5)};
  TRY(record.network, parse_network_list(row.text(3)));
  TRY(read_arguments(row.text(4), record.attachment));
  if (const std::string result = row.text(6); !result.empty()) {
    TRY(record.result, parse_result(result, kNewestVersion));
  }
  return record;
}

Result<std::vector<Record>> read_rows(state::Statement statement) {
  std::vector<Record> records;
  for (;;) {
    TRY(const bool more, statement.step());
    if (!more) return records;
    auto record = read_row(statement);
    if (!record)
      return fail_with(std::move(record.error()), fmt::format("record of the attachment of pod '{}' as {}",
                                                              statement.text(0), statement.text(1)));
    records.push_back(std::move(*record));
  }
}

}  // namespace

Result<void> begin_record(state::Database& database, const Record& record) {
  TRY(auto transaction, state::Transaction::begin(database, state::Transaction::Durability::full));
  TRY(state::Statement insert,
      database.prepare("INSERT INTO cni_attachments(pod, interface, network, netns, configuration, "
                       "arguments, capabilities, created) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  const Attachment& attachment = record.attachment;
  TRY(insert.bind(1, attachment.pod)
          .bind(2, attachment.interface)
          .bind(3, record.network.name)
          .bind(4, attachment.network_namespace)
          .bind(5, serialize_network(record.network, record.version()))
          .bind(6, arguments_document(attachment))
          .bind(7, attachment.capabilities)
          .bind(8, now_ns())
          .run());
  return transaction.commit();
}

Result<void> finish_record(state::Database& database, const Record& record) {
  TRY(state::Statement update,
      database.prepare("UPDATE cni_attachments SET result=?3 WHERE pod=?1 AND interface=?2"));
  return update.bind(1, record.attachment.pod)
      .bind(2, record.attachment.interface)
      .bind(3, serialize_result(*record.result, kNewestVersion))
      .run();
}

Result<void> delete_record(state::Database& database, const Attachment& attachment) {
  TRY(state::Statement statement,
      database.prepare("DELETE FROM cni_attachments WHERE pod=?1 AND interface=?2"));
  return statement.bind(1, attachment.pod).bind(2, attachment.interface).run();
}

Result<std::vector<Record>> records_of(state::Database& database, const std::string& pod) {
  TRY(state::Statement statement, database.prepare(std::string(kColumns) + " WHERE pod=?1 ORDER BY rowid"));
  statement.bind(1, pod);
  return read_rows(std::move(statement));
}

Result<std::vector<Record>> all_records(state::Database& database) {
  TRY(state::Statement statement, database.prepare(std::string(kColumns) + " ORDER BY rowid"));
  return read_rows(std::move(statement));
}

}  // namespace fermata::cni
