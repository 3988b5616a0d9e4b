#include "pod/checkpoint_records.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace fermata::pod {
namespace {

using Json = nlohmann::ordered_json;

// Names of files are bytes, of which JSON knows UTF-8 alone.
std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string config_dump(const CheckpointedContainer& container) {
  return text_of({{"id", container.id},
                  {"name", container.name},
                  {"rootfsImage", container.image},
                  {"rootfsImageRef", container.image_id},
                  {"rootfsImageName", container.image},
                  {"runtime", container.runtime},
                  {"createdTime", rfc3339(container.created)},
                  {"checkpointedTime", rfc3339(container.checkpointed)},
                  {"restoredTime", rfc3339(0)},
                  {"restored", false}});
}

std::string bind_mounts(const std::vector<CheckpointedBind>& binds) {
  Json list = Json::array();
  for (const CheckpointedBind& bind : binds)
    list.push_back({{"source", bind.source},
                    {"destination", bind.destination},
                    {"file_type", bind.directory ? "directory" : "file"},
                    {"permissions", bind.permissions}});
  return text_of(list);
}

std::string deleted_files(const std::vector<std::string>& paths) { return text_of(Json(paths)); }

}  // namespace fermata::pod
