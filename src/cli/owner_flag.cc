#include "cli/owner_flag.h"

namespace fermata::cli {
namespace {

Result<void> choose(App& app, const std::string& owner, std::string_view known) {
  if (owner != "cli" && owner != "cri")
    return fail(ErrorKind::invalid_argument, "invalid argument \"{}\" for \"--owner\" flag: known are {}",
                owner, known);
  app.options().owner = owner;
  return {};
}

}  // namespace

Result<void> choose_container_owner(App& app, const Flags& flags) {
  const std::string owner = flags.text("owner", "cli");
  if (owner != "all") return choose(app, owner, "cli, cri and all");
  app.options().see_all_owners = true;
  return {};
}

Result<void> choose_image_owner(App& app, const Flags& flags) {
  return choose(app, flags.text("owner", "cli"), "cli and cri");
}

}  // namespace fermata::cli
