#include "cli/pull.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/auth_file.h"
#include "cli/command.h"
#include "cli/container_flags.h"
#include "cli/core/terminal.h"
#include "cli/owner_flag.h"
#include "cli/pull_progress.h"

namespace fermata::cli {
namespace {

Result<std::optional<image::Credentials>> credentials_for(const PullRequest& request,
                                                          const std::string& registry) {
  if (request.credentials.empty()) return stored_credentials(registry);
  const auto pair = split_once(request.credentials, ':');
  if (!pair) return fail(ErrorKind::invalid_argument, "--creds: give USER:PASSWORD");
  return std::optional(image::Credentials{std::string(pair->first), std::string(pair->second)});
}

bool has_tag(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return name.find_first_of(":@", slash == std::string::npos ? 0 : slash) != std::string::npos;
}

// Its names need no registry; by digest, or for another platform, the real one is pulled.
int tell_builtin(const PullRequest& request, const image::Image& pause) {
  if (!request.quiet) print(fmt::format("Status: {} is built into fermata\n", request.image));
  print(pause.names[0] + "\n");
  return 0;
}

Result<int> run_pull(App& app, const Command&, const Flags& flags) {
  PullRequest request{.image = flags.arguments()[0],
                      .quiet = flags.is_set("quiet"),
                      .tls_verify = flags.is_set("tls-verify", true),
                      .credentials = flags.text("creds")};
  TRY(request.architecture, parse_platform(flags.text("platform")));
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  if (request.architecture.empty()) {
    TRY(const auto image, engine->images().find(request.image));
    if (image && image->builtin_pause) return tell_builtin(request, *image);
  }
  TRY(const std::string name, pull_image(*engine, request));
  print(name + "\n");
  return 0;
}

}  // namespace

Result<std::string> pull_image(pod::Engine& engine, const PullRequest& request) {
  TRY(const oci::Reference reference, oci::parse_reference(request.image));
  image::PullOptions options{.architecture = request.architecture, .tls_verify = request.tls_verify};
  TRY(options.credentials, credentials_for(request, reference.registry));
  const auto say = [&](const std::string& line) -> Result<void> {
    return request.quiet ? Result<void>() : write_all(request.output, line + "\n");
  };
  if (!has_tag(request.image)) TRY(say("Using default tag: latest"));
  // Docker names the repository without its registry when it is the default one's.
  const std::string source = reference.registry == "docker.io"
                                 ? reference.repository
                                 : fmt::format("{}/{}", reference.registry, reference.repository);
  TRY(say(
      fmt::format("{}: Pulling from {}", reference.tag.empty() ? reference.digest : reference.tag, source)));
  PullProgress progress(request.output, is_terminal(request.output), terminal_size(request.output).columns);
  if (!request.quiet) options.progress = [&](const image::Progress& step) { progress.show(step); };
  auto pulled = engine.images().pull(reference, options);
  progress.finish();
  if (!pulled) return tl::unexpected(std::move(pulled.error()));
  if (!pulled->digest.empty()) TRY(say("Digest: " + pulled->digest));
  TRY(say(fmt::format("Status: {} for {}",
                      pulled->up_to_date ? "Image is up to date" : "Downloaded newer image",
                      reference.familiar())));
  return reference.canonical();
}

void add_transfer_commands(std::vector<Command>& commands) {
  commands.push_back({
      .name = "pull",
      .group = "image",
      .summary = "Download an image from a registry",
      .usages = {"[OPTIONS] NAME[:TAG|@DIGEST]"},
      .example = "fermata pull nginx:1.27",
      .least = 1,
      .most = 1,
      .flags = {{"creds", 0, FlagKind::text, "string", "USER:PASSWORD for the registry"},
                kImageOwner,
                {"platform", 0, FlagKind::text, "string", "Set platform if the image is for several"},
                {"quiet", 'q', FlagKind::boolean, "", "Suppress verbose output"},
                {"tls-verify", 0, FlagKind::boolean, "", "Verify the registry's certificate (default true)"}},
      .primary = true,
      .run = run_pull,
  });
}

}  // namespace fermata::cli
