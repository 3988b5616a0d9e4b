#include "pod/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <ctime>

#include "base/files.h"
#include "base/text.h"
#include "pod/model_json.h"

namespace fermata::pod {
namespace {

using state::Statement;

constexpr std::string_view kPodColumns = "id,name,owner,created,ready,config,runtime";
constexpr std::string_view kContainerColumns = "id,name,owner,pod,image,created,state,config,runtime";

ContainerState parse_state(std::string_view text) {
  if (text == "running") return ContainerState::running;
  if (text == "exited") return ContainerState::exited;
  if (text == "removing") return ContainerState::removing;
  return ContainerState::created;
}

Result<PodRow> read_pod(const Statement& row) {
  PodRow pod;
  pod.id = row.text(0);
  pod.name = row.text(1);
  pod.owner = row.text(2);
  pod.created = row.integer(3);
  pod.ready = row.integer(4) != 0;
  TRY(pod.config, pod_config_from_json(row.text(5)));
  TRY(pod.runtime, pod_runtime_from_json(row.text(6)));
  return pod;
}

Result<ContainerRow> read_container(const Statement& row) {
  ContainerRow container;
  container.id = row.text(0);
  container.name = row.text(1);
  container.owner = row.text(2);
  container.pod = row.text(3);
  container.image = row.text(4);
  container.created = row.integer(5);
  container.state = parse_state(row.text(6));
  TRY(container.config, container_config_from_json(row.text(7)));
  TRY(container.runtime, container_runtime_from_json(row.text(8)));
  return container;
}

template <class Read>
auto read_all(Statement statement, Read read)
    -> Result<std::vector<typename std::invoke_result_t<Read, const Statement&>::value_type>> {
  std::vector<typename std::invoke_result_t<Read, const Statement&>::value_type> rows;
  for (;;) {
    TRY(const bool more, statement.step());
    if (!more) return rows;
    TRY(auto row, read(statement));
    rows.push_back(std::move(row));
  }
}

Result<PodRevision> read_revision(const Statement& row) {
  return PodRevision{.id = row.text(0), .number = row.integer(1)};
}

Result<std::string> first_text(const Statement& row) { return row.text(0); }

// What find_row() looks through.
struct Table {
  std::string_view noun;
  std::string_view name;
  std::string_view columns;
};

// By id, name or unique id prefix; `owner` "": anyone's.
template <class Read>
auto find_row(state::Database& database, const Table& table, Read read, std::string_view reference,
              const std::string& owner) -> std::invoke_result_t<Read, const Statement&> {
  const std::string_view own = owner.empty() ? "" : " AND owner=?2";
  TRY(auto exact,
      database.prepare(fmt::format("SELECT {} FROM {} WHERE (id=?1 OR name=?1){} ORDER BY id=?1 DESC",
                                   table.columns, table.name, own)));
  exact.bind(1, reference);
  if (!owner.empty()) exact.bind(2, owner);
  TRY(const bool found, exact.step());
  if (found) return read(exact);

  const bool hexadecimal =
      !reference.empty() && reference.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!hexadecimal) return fail(ErrorKind::not_found, "No such {}: {}", table.noun, reference);
  // 'g' follows the last hexadecimal digit: the range is exactly the ids with this prefix, by the primary
  // key.
  TRY(auto prefix, database.prepare(fmt::format("SELECT {} FROM {} WHERE id>=?1 AND id<?3{} LIMIT 2",
                                                table.columns, table.name, own)));
  prefix.bind(1, reference).bind(3, std::string(reference) + "g");
  if (!owner.empty()) prefix.bind(2, owner);
  TRY(auto rows, read_all(std::move(prefix), read));
  if (rows.empty()) return fail(ErrorKind::not_found, "No such {}: {}", table.noun, reference);
  if (rows.size() > 1)
    return fail(ErrorKind::invalid_argument, "multiple IDs found with provided prefix: {}", reference);
  return std::move(rows.front());
}

}  // namespace

Result<void> Store::insert(const PodRow& pod) {
  TRY(auto statement,
      database_->prepare(fmt::format("INSERT INTO pods({}) VALUES(?,?,?,?,?,?,?)", kPodColumns)));
  return statement.bind(1, pod.id)
      .bind(2, pod.name)
      .bind(3, pod.owner)
      .bind(4, pod.created)
      .bind(5, std::int64_t{pod.ready})
      .bind(6, to_json(pod.config))
      .bind(7, to_json(pod.runtime))
      .run();
}

Result<bool> Store::insert(const ContainerRow& container) {
  TRY(auto statement, database_->prepare(fmt::format("INSERT INTO containers({}) VALUES(?,?,?,?,?,?,?,?,?) "
                                                     "ON CONFLICT(owner,name) DO NOTHING",
                                                     kContainerColumns)));
  TRY(statement.bind(1, container.id)
          .bind(2, container.name)
          .bind(3, container.owner)
          .bind(4, container.pod)
          .bind(5, container.image)
          .bind(6, container.created)
          .bind(7, to_string(container.state))
          .bind(8, to_json(container.config))
          .bind(9, to_json(container.runtime))
          .run());
  return database_->changes() == 1;
}

Result<PodRow> Store::pod(const std::string& id) {
  TRY(auto statement, database_->prepare(fmt::format("SELECT {} FROM pods WHERE id=?", kPodColumns)));
  statement.bind(1, id);
  TRY(const bool found, statement.step());
  if (!found) return fail(ErrorKind::not_found, "no such pod: {}", id);
  return read_pod(statement);
}

Result<std::vector<PodRow>> Store::pods(bool ready_only) {
  TRY(auto statement, database_->prepare(fmt::format("SELECT {} FROM pods{}", kPodColumns,
                                                     ready_only ? " WHERE ready=1" : "")));
  return read_all(std::move(statement), read_pod);
}

Result<std::vector<PodRevision>> Store::pod_revisions(const std::string& owner) {
  TRY(auto statement, database_->prepare(fmt::format(
                          "SELECT id,number FROM pods JOIN pod_revisions ON pod=id{} ORDER BY created DESC",
                          owner.empty() ? "" : " WHERE owner=?")));
  if (!owner.empty()) statement.bind(1, owner);
  return read_all(std::move(statement), read_revision);
}

Result<std::int64_t> Store::pod_revision(const std::string& id) {
  TRY(auto statement, database_->prepare("SELECT number FROM pod_revisions WHERE pod=?"));
  statement.bind(1, id);
  TRY(const bool found, statement.step());
  if (!found) return fail(ErrorKind::not_found, "no such pod: {}", id);
  return statement.integer(0);
}

Result<bool> Store::any_ready_pod() {
  TRY(auto statement, database_->prepare("SELECT 1 FROM pods WHERE ready=1 LIMIT 1"));
  return statement.step();
}

Result<void> Store::update(const PodRow& pod) {
  TRY(auto statement, database_->prepare("UPDATE pods SET ready=?,config=?,runtime=? WHERE id=?"));
  return statement.bind(1, std::int64_t{pod.ready})
      .bind(2, to_json(pod.config))
      .bind(3, to_json(pod.runtime))
      .bind(4, pod.id)
      .run();
}

Result<void> Store::update_state(const ContainerRow& container) {
  TRY(auto statement, database_->prepare("UPDATE containers SET state=?,runtime=? WHERE id=?"));
  return statement.bind(1, to_string(container.state))
      .bind(2, to_json(container.runtime))
      .bind(3, container.id)
      .run();
}

Result<void> Store::update_config(const ContainerRow& container) {
  TRY(auto statement, database_->prepare("UPDATE containers SET config=? WHERE id=?"));
  return statement.bind(1, to_json(container.config)).bind(2, container.id).run();
}

Result<ContainerRow> Store::container(const std::string& id) {
  TRY(auto statement,
      database_->prepare(fmt::format("SELECT {} FROM containers WHERE id=?", kContainerColumns)));
  statement.bind(1, id);
  TRY(const bool found, statement.step());
  if (!found) return fail(ErrorKind::not_found, "No such container: {}", id);
  return read_container(statement);
}

Result<ContainerRow> Store::find(std::string_view reference, const std::string& owner) {
  if (reference.starts_with('/')) reference.remove_prefix(1);
  return find_row(*database_, {"container", "containers", kContainerColumns}, read_container, reference,
                  owner);
}

Result<PodRow> Store::find_pod(std::string_view reference, const std::string& owner) {
  return find_row(*database_, {"pod", "pods", kPodColumns}, read_pod, reference, owner);
}

Result<std::vector<ContainerRow>> Store::members(const std::string& pod) {
  TRY(auto statement, database_->prepare(fmt::format("SELECT {} FROM containers WHERE pod=? ORDER BY created",
                                                     kContainerColumns)));
  statement.bind(1, pod);
  return read_all(std::move(statement), read_container);
}

Result<std::vector<ContainerRow>> Store::containers(const std::string& owner) {
  TRY(auto statement,
      database_->prepare(fmt::format("SELECT {} FROM containers{} ORDER BY created DESC", kContainerColumns,
                                     owner.empty() ? "" : " WHERE owner=?")));
  if (!owner.empty()) statement.bind(1, owner);
  return read_all(std::move(statement), read_container);
}

Result<std::string> Store::name_holder(const std::string& owner, const std::string& name) {
  TRY(auto statement, database_->prepare("SELECT id FROM containers WHERE owner=? AND name=?"));
  statement.bind(1, owner).bind(2, name);
  TRY(const bool found, statement.step());
  return found ? statement.text(0) : std::string();
}

Result<void> Store::remove_container(const std::string& id) {
  TRY(auto statement, database_->prepare("DELETE FROM containers WHERE id=?"));
  return statement.bind(1, id).run();
}

Result<bool> Store::remove_pod_if_empty(const std::string& id) {
  TRY(auto statement,
      database_->prepare(
          "DELETE FROM pods WHERE id=?1 AND NOT EXISTS (SELECT 1 FROM containers WHERE pod=?1)"));
  TRY(statement.bind(1, id).run());
  return database_->changes() == 1;
}

Result<std::vector<std::pair<std::string, std::string>>> Store::images_in_use() {
  TRY(auto statement, database_->prepare("SELECT image,id FROM containers WHERE image<>''"));
  return read_all(std::move(statement),
                  [](const Statement& row) -> Result<std::pair<std::string, std::string>> {
                    return std::pair{row.text(0), row.text(1)};
                  });
}

Result<void> Store::insert_volume(const std::string& name, const std::string& owner,
                                  const std::string& anonymous_of) {
  TRY(auto statement,
      database_->prepare("INSERT INTO volumes(name,owner,created,anonymous,container) VALUES(?,?,?,?,?) "
                         "ON CONFLICT(name) DO NOTHING"));
  statement.bind(1, name).bind(2, owner).bind(3, now_ns()).bind(4, std::int64_t{!anonymous_of.empty()});
  if (anonymous_of.empty())
    statement.bind_null(5);
  else
    statement.bind(5, anonymous_of);
  return statement.run();
}

Result<std::vector<std::string>> Store::anonymous_volumes(const std::string& container) {
  TRY(auto statement, database_->prepare("SELECT name FROM volumes WHERE container=?"));
  statement.bind(1, container);
  return read_all(std::move(statement), first_text);
}

Result<void> Store::remove_volume(const std::string& name) {
  TRY(auto statement, database_->prepare("DELETE FROM volumes WHERE name=?"));
  return statement.bind(1, name).run();
}

Result<void> Store::orphan_volumes(const std::string& container) {
  TRY(auto statement, database_->prepare("UPDATE volumes SET container=NULL WHERE container=?"));
  return statement.bind(1, container).run();
}

bool Intent::at_work() const {
  const std::int64_t start = process_start(pid);
  return start != 0 && start == pid_start;
}

Result<std::int64_t> Store::add_intent(const std::string& kind, const std::string& object, bool volumes) {
  TRY(auto statement,
      database_->prepare("INSERT INTO intents(kind,object,detail,pid,pid_start) VALUES(?,?,?,?,?)"));
  const int pid = ::getpid();
  TRY(statement.bind(1, kind)
          .bind(2, object)
          .bind(3, volumes ? R"({"volumes":true})" : "{}")
          .bind(4, std::int64_t{pid})
          .bind(5, process_start(pid))
          .run());
  return database_->last_insert_id();
}

Result<void> Store::remove_intent(std::int64_t id) {
  TRY(auto statement, database_->prepare("DELETE FROM intents WHERE id=?"));
  return statement.bind(1, id).run();
}

Result<void> Store::remove_intents(const std::string& kind, const std::string& object) {
  TRY(auto statement, database_->prepare("DELETE FROM intents WHERE kind=? AND object=?"));
  return statement.bind(1, kind).bind(2, object).run();
}

Result<std::vector<Intent>> Store::intents() {
  TRY(auto statement, database_->prepare("SELECT id,kind,object,detail,pid,pid_start FROM intents"));
  return read_all(std::move(statement), [](const Statement& row) -> Result<Intent> {
    return Intent{.id = row.integer(0),
                  .kind = row.text(1),
                  .object = row.text(2),
                  .volumes = row.text(3).find(R"("volumes":true)") != std::string::npos,
                  .pid = static_cast<int>(row.integer(4)),
                  .pid_start = row.integer(5)};
  });
}

}  // namespace fermata::pod
