// An image that is mounted as a volume, or a part of it.
#include <fmt/format.h>

#include "base/files.h"
#include "pod/engine_impl.h"
#include "pod/sandbox.h"

namespace fermata::pod {

Result<UniqueFd> Engine::Impl::clone_image(const VolumeMount& mount, int user_namespace) {
  TRY(const auto image, images_->by_id(mount.source));
  if (image.layers.empty()) return fail(ErrorKind::not_found, "image {} has no layers", mount.source);
  const LayerView view = {.directory = images_->layers_directory(),
                          .names = {image.layers.rbegin(), image.layers.rend()},
                          .mount_point = options_.run_root + "/rootfs",
                          .user_namespace = user_namespace};
  TRY(make_directories(view.mount_point, 0700));
  auto tree = clone_merged_layers(view, mount.sub_path);
  if (!tree)
    return fail_with(std::move(tree.error()), fmt::format("mount the image at '{}'", mount.destination));
  return tree;
}

// An image that is a volume stays the one it is now, whatever its name comes to mean.
Result<void> Engine::Impl::resolve_image_mounts(ContainerConfig& config) {
  for (VolumeMount& mount : config.mounts) {
    if (mount.kind != VolumeMount::Kind::image) continue;
    TRY(const auto image, images_->find(mount.source));
    if (!image || image->builtin_pause)
      return fail(ErrorKind::not_found, "No such image: {} (to be mounted at '{}')", mount.source,
                  mount.destination);
    mount.source = image->id;
    // What is not there is refused now rather than at the start.
    if (!mount.sub_path.empty()) TRY(clone_image(mount, -1));
  }
  return {};
}

}  // namespace fermata::pod
