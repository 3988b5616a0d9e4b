#include "cri/members.h"

#include "cri/keepsake.h"
#include "oci/reference.h"

namespace fermata::cri {

Result<std::vector<Member>> members_of(pod::Engine& engine, const std::string& pod) {
  TRY(auto infos, engine.members(pod));
  std::vector<Member> members;
  for (pod::ContainerInfo& info : infos) {
    // What somebody made by hand under our name is not Kubernetes'.
    auto request = container_request(info);
    if (request) members.push_back({.info = std::move(info), .request = std::move(*request)});
  }
  return members;
}

Error start_error(Error error) {
  if (error.kind() != ErrorKind::not_found) return error;
  return {ErrorKind::failed, error.error_number(), error.message()};
}

Result<Member> member(pod::Engine& engine, const std::string& container) {
  TRY(auto info, engine.inspect(container));
  if (info.infra) return fail(ErrorKind::not_found, "No such container: {} (it is a pod)", container);
  TRY(auto request, container_request(info));
  return Member{.info = std::move(info), .request = std::move(request)};
}

Result<ImageNames> names_of_image(pod::Engine& engine, const std::string& id, const std::string& wanted) {
  const auto image = engine.images().by_id(id);
  if (!image && image.error().kind() == ErrorKind::not_found) return ImageNames();
  if (!image) return tl::unexpected(image.error());
  ImageNames names;
  if (!image->names.empty()) names.tag = image->names.front();
  if (const auto reference = oci::parse_reference(wanted))
    for (const std::string& name : image->names)
      if (name == reference->canonical()) names.tag = name;
  if (!image->repo_digests.empty()) names.digest = image->repo_digests.front();
  return names;
}

Result<v1::ContainerStatus> status_of(pod::Engine& engine, const Member& member) {
  TRY(const auto image,
      names_of_image(engine, member.info.image_id, asked_name(member.request.config().image())));
  auto status = status_of(member.info, member.request);
  put_image_names(image, status);
  return status;
}

Result<v1::ContainerStatus> status_of(pod::Engine& engine, const KnownContainer& container) {
  TRY(const auto image, names_of_image(engine, container.entry.image_id(), container.image));
  auto status = with_entry(container.rest, container.entry);
  put_image_names(image, status);
  return status;
}

Result<Pod> pod_of(pod::Engine& engine, const std::string& id) {
  TRY(auto info, engine.inspect_pod(id));
  TRY(auto request, sandbox_request(info.infra));
  return Pod{.info = std::move(info), .request = std::move(request)};
}

}  // namespace fermata::cri
