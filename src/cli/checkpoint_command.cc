// `container checkpoint`, with podman's flags as far as the engine goes: an archive, and no way back into a
// container of ours. So the container has to be left running, which is said aloud: podman's default is to end
// it.
#include <cstdio>

#include "base/absolute_path.h"
#include "cli/command.h"

namespace fermata::cli {
namespace {

Result<int> run_checkpoint(App& app, const Command&, const Flags& flags) {
  const std::string target = flags.text("export");
  if (target.empty())
    return fail(ErrorKind::invalid_argument,
                "--export FILE is needed: a checkpoint is kept in an archive alone");
  if (!flags.is_set("leave-running"))
    return fail(ErrorKind::invalid_argument,
                "--leave-running is needed: a container that had ended could not be restored");
  pod::CheckpointRequest request;
  TRY(request.location, absolute_path(target));
  TRY(pod::Engine* const engine, app.engine());
  const std::string& container = flags.arguments()[0];
  TRY(engine->checkpoint(container, request));
  std::printf("%s\n", container.c_str());
  return 0;
}

}  // namespace

void add_checkpoint_command(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "checkpoint",
       .group = "container",
       .summary = "Write the state of a running container to an archive",
       .usages = {"--export FILE --leave-running CONTAINER"},
       .example = "fermata container checkpoint --export web.tar --leave-running web",
       .least = 1,
       .most = 1,
       .flags = {{"export", 'e', FlagKind::text, "file", "The archive; what is there is replaced"},
                 {"leave-running", 'R', FlagKind::boolean, "", "Let the container go on"}},
       .hidden = true,
       .run = run_checkpoint});
}

}  // namespace fermata::cli
