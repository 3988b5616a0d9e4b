// Attachments as the database keeps them: table `cni_attachments`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cni/request.h"
#include "state/database.h"

namespace fermata::cni {

struct Record {
  Attachment attachment;
  NetworkConfiguration network;  // of one version, whole
  // nullopt: ADD has not succeeded, as far as is known.
  std::optional<AddResult> result;

  const Version& version() const { return network.versions.front(); }
};

// Committed durably: what a plugin keeps on disk must not outlive our knowledge of it.
Result<void> begin_record(state::Database& database, const Record& record);
Result<void> finish_record(state::Database& database, const Record& record);
Result<void> delete_record(state::Database& database, const Attachment& attachment);

// In the order in which they were begun.
Result<std::vector<Record>> records_of(state::Database& database, const std::string& pod);
Result<std::vector<Record>> all_records(state::Database& database);

}  // namespace fermata::cni
