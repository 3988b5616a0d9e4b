// images, load, import, rmi, tag.
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "base/text.h"
#include "cli/command.h"
#include "cli/core/terminal.h"
#include "cli/human.h"
#include "cli/image_view.h"
#include "cli/owner_flag.h"
#include "cli/pull_progress.h"
#include "cli/table.h"

namespace fermata::cli {
namespace {

ListFormat image_format(const Flags& flags) {
  ListFormat format{.format = flags.text("format"),
                    .columns = {{"Repository", "REPOSITORY"},
                                {"Tag", "TAG"},
                                {"Digest", "DIGEST"},
                                {"ID", "IMAGE ID"},
                                {"CreatedSince", "CREATED"},
                                {"Size", "SIZE"}},
                    .headers = {{"Digest", "DIGEST"},
                                {"CreatedAt", "CREATED AT"},
                                {"Containers", "CONTAINERS"},
                                {"VirtualSize", "SIZE"},
                                {"SharedSize", "SHARED SIZE"},
                                {"UniqueSize", "UNIQUE SIZE"}}};
  if (!flags.is_set("digests")) format.columns.erase(format.columns.begin() + 2);
  return format;
}

// The pause that the engine serves itself is in no store; under the names by which containers use it, it is
// listed nevertheless.
Result<void> add_builtin_pauses(pod::Engine& engine, std::vector<image::Image>& images) {
  TRY(const auto containers, engine.list({.all = true}));
  std::set<std::string> used, shown;
  for (const pod::ContainerInfo& container : containers) used.insert(container.config.image);
  for (const std::string& name : used) {
    TRY(auto image, engine.images().find(name));
    // A name and an id may mean the same one.
    if (image && image->builtin_pause && shown.insert(image->names[0]).second)
      images.push_back(std::move(*image));
  }
  return {};
}

Result<int> run_images(App& app, const Command&, const Flags& flags) {
  const auto& words = flags.arguments();
  ImageListOptions options{.all = flags.is_set("all"),
                           .digests = flags.is_set("digests"),
                           .truncate = !flags.is_set("no-trunc"),
                           .pattern = words.empty() ? std::string() : words[0]};
  TRY(options.filters, parse_filters(flags.list("filter")));
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  TRY(auto images, engine->images().list(true));
  TRY(add_builtin_pauses(*engine, images));
  TRY(const auto rows, image_rows(images, options, now_ns()));
  if (!flags.is_set("quiet")) {
    TRY(const std::string text, print_list(image_format(flags), rows));
    print(text);
    return 0;
  }
  std::string out;
  for (const Value& row : rows) out += row.find("ID")->print() + "\n";
  print(out);
  return 0;
}

Result<int> run_load(App& app, const Command&, const Flags& flags) {
  const std::string path = flags.text("input");
  if (path.empty() && is_terminal(STDIN_FILENO))
    return fail(ErrorKind::invalid_argument,
                "requested load from stdin, but stdin is empty: give --input FILE or a pipe");
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  const bool terminal = is_terminal(STDOUT_FILENO);
  PullProgress progress(STDOUT_FILENO, terminal, terminal_size(STDOUT_FILENO).columns);
  image::ProgressFn show;
  if (!flags.is_set("quiet") && terminal) show = [&](const image::Progress& step) { progress.show(step); };
  auto loaded = engine->images().load(path, show);
  progress.finish();
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  for (const std::string& name : *loaded) {
    const auto reference = oci::parse_reference(name);
    const bool id = name.starts_with("sha256:") || !reference;
    print(id ? fmt::format("Loaded image ID: {}\n", name)
             : fmt::format("Loaded image: {}\n", reference->familiar()));
  }
  return 0;
}

Result<int> run_import(App& app, const Command&, const Flags& flags) {
  const auto& words = flags.arguments();
  image::ImportOptions options{.changes = flags.list("change"), .message = flags.text("message")};
  if (words.size() > 1) {
    TRY(const oci::Reference reference, oci::parse_reference(words[1]));
    options.name = reference.canonical();
  }
  if (words[0].starts_with("http://") || words[0].starts_with("https://"))
    return fail(ErrorKind::invalid_argument,
                "{}: an archive is read from a file or from standard input (-): fetch it first", words[0]);
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  TRY(const std::string id, engine->images().import_tar(words[0] == "-" ? std::string() : words[0], options));
  print(id + "\n");
  return 0;
}

Result<int> run_rmi(App& app, const Command&, const Flags& flags) {
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  const bool force = flags.is_set("force");
  int code = 0;
  for (const std::string& name : flags.arguments()) {
    TRY(const auto in_use, engine->images_in_use());
    auto removed = engine->images().remove(name, force, in_use);
    if (!removed) {
      if (force && removed.error().kind() == ErrorKind::not_found) continue;
      print_error(removed.error());
      code = 1;
      continue;
    }
    std::string out;
    for (const std::string& text : removed->untagged) out += fmt::format("Untagged: {}\n", text);
    for (const std::string& text : removed->deleted) out += fmt::format("Deleted: {}\n", text);
    print(out);
  }
  return code;
}

Result<int> run_tag(App& app, const Command&, const Flags& flags) {
  TRY(const oci::Reference target, oci::parse_reference(flags.arguments()[1]));
  if (!target.digest.empty())
    return fail(ErrorKind::invalid_argument, "refusing to create a tag with a digest reference");
  TRY(choose_image_owner(app, flags));
  TRY(pod::Engine* const engine, app.engine());
  TRY(engine->images().tag(flags.arguments()[0], target));
  return 0;
}

}  // namespace

void add_image_commands(std::vector<Command>& commands) {
  commands.push_back(
      {.name = "images",
       .group = "image",
       .group_name = "ls",
       .summary = "List images",
       .usages = {"[OPTIONS] [REPOSITORY[:TAG]]"},
       .example = "fermata images --filter dangling=true",
       .most = 1,
       .flags =
           {{"all", 'a', FlagKind::boolean, "", "Show all images"},
            {"digests", 0, FlagKind::boolean, "", "Show digests"},
            {"filter", 'f', FlagKind::list, "filter",
             "Filter output based on conditions provided (before, dangling, label, reference, since)"},
            {"format", 0, FlagKind::text, "string",
             "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go TEMPLATE"},
            {"no-trunc", 0, FlagKind::boolean, "", "Don't truncate output"},
            kImageOwner,
            {"quiet", 'q', FlagKind::boolean, "", "Only show image IDs"}},
       .primary = true,
       .run = run_images});
  commands.push_back(
      {.name = "load",
       .group = "image",
       .summary = "Load an image from a tar archive or STDIN",
       .usages = {"[OPTIONS]"},
       .example = "fermata load -i nginx.tar",
       .most = 0,
       .flags = {{"input", 'i', FlagKind::text, "string", "Read from tar archive file, instead of STDIN"},
                 kImageOwner,
                 {"quiet", 'q', FlagKind::boolean, "", "Suppress the load output"}},
       .run = run_load});
  commands.push_back(
      {.name = "import",
       .group = "image",
       .summary = "Import the contents from a tarball to create a filesystem image",
       .usages = {"[OPTIONS] FILE|- [REPOSITORY[:TAG]]"},
       .example = "fermata import -c 'CMD [\"/bin/sh\"]' rootfs.tar base:1",
       .least = 1,
       .most = 2,
       .flags = {{"change", 'c', FlagKind::list, "list", "Apply Dockerfile instruction to the created image"},
                 {"message", 'm', FlagKind::text, "string", "Set commit message for imported image"},
                 kImageOwner},
       .run = run_import});
  commands.push_back(
      {.name = "rmi",
       .group = "image",
       .group_name = "rm",
       .summary = "Remove one or more images",
       .usages = {"[OPTIONS] IMAGE [IMAGE...]"},
       .example = "fermata rmi nginx:1.27",
       .least = 1,
       .flags = {{"force", 'f', FlagKind::boolean, "", "Force removal of the image"}, kImageOwner},
       .run = run_rmi});
  commands.push_back({.name = "tag",
                      .group = "image",
                      .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
                      .usages = {"[OPTIONS] SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]"},
                      .example = "fermata tag nginx:1.27 registry.example/web:1",
                      .least = 2,
                      .most = 2,
                      .flags = {kImageOwner},
                      .run = run_tag});
}

}  // namespace fermata::cli
