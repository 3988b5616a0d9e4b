// `fermata pause-image`: the pause of every processor as an image for other engines.
#include <fmt/format.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/core/terminal.h"
#include "image/output.h"
#include "oci/image_config.h"
#include "oci/reference.h"

namespace fermata::cli {
namespace {

struct Platform {
  std::string_view architecture, variant;  // OCI's
  std::string name() const {
    return variant.empty() ? fmt::format("linux/{}", architecture)
                           : fmt::format("linux/{}/{}", architecture, variant);
  }
};
// In the order in which they are written.
constexpr Platform kPlatforms[] = {{"amd64", ""},   {"arm64", ""}, {"arm", "v7"}, {"ppc64le", ""},
                                   {"riscv64", ""}, {"s390x", ""}, {"386", ""}};

std::string all_platforms() {
  std::string text;
  for (const Platform& platform : kPlatforms) text += (text.empty() ? "" : ", ") + platform.name();
  return text;
}

// "linux/arm64", "linux/arm/v7", "arm64".
Result<Platform> parse_platform(std::string_view text) {
  const std::string given = text.starts_with("linux/") ? std::string(text) : fmt::format("linux/{}", text);
  for (const Platform& platform : kPlatforms)
    if (given == platform.name() || given == fmt::format("linux/{}", platform.architecture)) return platform;
  return fail(ErrorKind::invalid_argument, "there is no pause for platform '{}': choose of {}", text,
              all_platforms());
}

// The program, "" when this build has none for the platform.
Result<std::string> program_of(const std::string& directory, const Platform& platform) {
  const bool own = platform.architecture == oci::host_architecture();
  const std::string path = directory + (own ? "/pause" : fmt::format("/pause-{}", platform.architecture));
  auto bytes = read_file(path);
  if (!bytes && bytes.error().error_number() == ENOENT) return std::string();
  return bytes;
}

image::OutputPlatform image_of(const Platform& platform, const std::string& version, std::string program) {
  image::OutputPlatform image;
  image.config = {.architecture = std::string(platform.architecture),
                  .os = "linux",
                  .variant = std::string(platform.variant),
                  .created = "1970-01-01T00:00:00Z",  // the same bytes every time
                  .user = "65535:65535",
                  .entrypoint = {"/pause"},
                  .working_dir = "/",
                  .labels = {{"org.opencontainers.image.title", "pause"},
                             {"org.opencontainers.image.description",
                              "Holds the namespaces of a pod and reaps its orphans"},
                             {"org.opencontainers.image.version", version},
                             {"org.opencontainers.image.licenses", "Apache-2.0"}}};
  image.files.push_back({.path = "pause", .mode = 0555, .bytes = std::move(program)});
  return image;
}

Result<std::vector<Platform>> wanted_platforms(const Flags& flags) {
  std::vector<Platform> wanted;
  for (const std::string& value : flags.list("platform"))
    for (const std::string_view text : split(value, ',')) {
      TRY(const Platform platform, parse_platform(trim(text)));
      wanted.push_back(platform);
    }
  return wanted;
}

Result<std::vector<image::OutputPlatform>> images_of(const std::vector<Platform>& wanted,
                                                     const std::string& version, bool all) {
  TRY(const std::string directory, program_directory());
  std::vector<image::OutputPlatform> images;
  for (const Platform& platform : wanted) {
    TRY(std::string program, program_of(directory, platform));
    if (!program.empty()) {
      images.push_back(image_of(platform, version, std::move(program)));
      continue;
    }
    const std::string lack = fmt::format(
        "this build has no pause for {}: install the cross compilers ('scripts/setup cross') and build again",
        platform.name());
    if (!all) return fail(ErrorKind::unsupported, "{}", lack);
    (void)write_all(STDERR_FILENO, fmt::format("WARNING: {}\n", lack));
  }
  return images;
}

Result<int> run_pause_image(App& app, const Command&, const Flags& flags) {
  if (!flags.has("output"))
    return fail(ErrorKind::invalid_argument,
                "--output is missing: oci:DIR, oci-archive:FILE or docker-archive:FILE");
  TRY(const image::ImageOutput output, image::parse_image_output(flags.text("output")));
  if (output.path == "-" && is_terminal(STDOUT_FILENO))
    return fail(ErrorKind::invalid_argument, "cowardly refusing to save to a terminal: use a file or a pipe");
  TRY(std::vector<Platform> wanted, wanted_platforms(flags));
  const bool docker = output.form == image::ImageOutput::Form::docker_archive;
  const bool all = wanted.empty() && !docker;
  if (wanted.empty()) {
    for (const Platform& platform : kPlatforms)
      if (all || platform.architecture == oci::host_architecture()) wanted.push_back(platform);
  }
  std::vector<std::string> names;
  for (const std::string& tag : flags.list("tag")) {
    TRY(const oci::Reference reference, oci::parse_reference(tag));
    if (!reference.digest.empty())
      return fail(ErrorKind::invalid_argument, "refusing to create a tag with a digest reference: {}", tag);
    names.push_back(reference.canonical());
  }
  if (names.empty()) names.push_back(fmt::format("localhost/fermata-pause:{}", app.version()));
  TRY(const auto images, images_of(wanted, app.version(), all));
  TRY(image::write_image(images, names, output));
  if (output.path == "-") return 0;
  for (const auto& image : images)
    print(fmt::format("{}\n", Platform{image.config.architecture, image.config.variant}.name()));
  return 0;
}

}  // namespace

void add_pause_image_command(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "pause-image",
       .summary = "Write the pause image for other engines and registries",
       .usages = {"[OPTIONS] --output FORM:PATH"},
       .example = "fermata pause-image --output oci-archive:pause.tar --tag registry.example/pause:3.10",
       .most = 0,
       .flags = {{"output", 'o', FlagKind::text, "string",
                  "Where to: oci:DIR, oci-archive:FILE or docker-archive:FILE (FILE -: standard output)"},
                 {"platform", 0, FlagKind::list, "list",
                  "Platforms, such as linux/arm64 (default: all; for docker-archive this machine's)"},
                 {"tag", 't', FlagKind::list, "list",
                  "Names of the image (default: localhost/fermata-pause:VERSION)"}},
       .run = run_pause_image});
}

}  // namespace fermata::cli
