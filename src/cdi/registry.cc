#include "cdi/registry.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <tuple>

#include "base/files.h"
#include "base/text.h"
#include "cdi/names.h"

namespace fermata::cdi {
namespace {

constexpr std::size_t kMaxFile = 8u << 20;

// Whether a file is still the one that was read. The time of its last change, too, because the other one can
// be set.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified = 0, changed = 0;  // ns
  bool operator==(const Identity&) const = default;
};

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

std::optional<Format> format_of(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".json") return Format::json;
  if (extension == ".yaml" || extension == ".yml") return Format::yaml;
  return std::nullopt;
}

// Sorted. A directory that is missing has none.
Result<std::vector<std::string>> list_specifications(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;  // of a link to nowhere: no directory, and reading it tells
    if (format_of(entry->path()) && !entry->is_directory(unknown)) paths.push_back(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(error.value(), "read directory '{}'", directory);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<Specification> read_specification(const std::string& path, const struct stat& info) {
  // A pipe would be waited for.
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::invalid_argument, "'{}': not a regular file", path);
  TRY(const std::string text, read_file(path, kMaxFile));
  auto specification = parse_specification(text, *format_of(path));
  if (!specification) return fail_with(std::move(specification.error()), fmt::format("'{}'", path));
  return specification;
}

}  // namespace

struct Registry::File {
  Identity identity;
  Result<Specification> specification;
};

std::shared_ptr<const Registry::File> Registry::load(const std::string& path, const Files& known) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    return std::make_shared<const File>(File{{}, fail(error, "'{}'", path)});
  }
  const Identity identity{.device = info.st_dev,
                          .inode = info.st_ino,
                          .size = info.st_size,
                          .modified = nanoseconds(info.st_mtim),
                          .changed = nanoseconds(info.st_ctim)};
  const auto found = known.find(path);
  if (found != known.end() && found->second->identity == identity) return found->second;
  return std::make_shared<const File>(File{identity, read_specification(path, info)});
}

void Registry::add_directory(const std::string& directory, const Files& known, Files& present, View& view) {
  const auto paths = list_specifications(directory);
  if (!paths) return view.problems.push_back(paths.error().message());
  std::map<std::string, Device> own;
  std::set<std::string> conflicts;
  for (const std::string& path : *paths) {
    const auto file = load(path, known);
    present[path] = file;
    if (!file->specification) {
      view.problems.push_back(file->specification.error().message());
      continue;
    }
    view.files.push_back(file);
    const Specification& specification = *file->specification;
    for (const auto& [device, edits] : specification.devices) {
      const std::string name = specification.kind + "=" + device;
      const auto [other, inserted] = own.try_emplace(name, Device{path, &specification, &edits});
      if (inserted) continue;
      conflicts.insert(name);
      view.problems.push_back(fmt::format("{} is both in '{}' and in '{}'", name, other->second.path, path));
    }
  }
  for (auto& [name, device] : own) view.devices[name] = device;
  for (const std::string& name : conflicts) view.devices.erase(name);
}

Registry::View Registry::view() {
  const std::lock_guard lock(mutex_);
  View view;
  Files present;
  for (const std::string& directory : directories_) add_directory(directory, files_, present, view);
  files_ = std::move(present);
  return view;
}

Result<Edits> Registry::resolve(const std::vector<std::string>& names) {
  Edits edits;
  if (names.empty()) return edits;
  const View view = this->view();
  std::set<std::string> done;
  std::set<const Specification*> used;
  std::vector<std::string> unresolvable;
  for (const std::string& name : names) {
    if (!done.insert(name).second) continue;
    const auto device = view.devices.find(name);
    if (device == view.devices.end()) {
      unresolvable.push_back(name);
      continue;
    }
    if (used.insert(device->second.specification).second) edits.append(device->second.specification->edits);
    edits.append(*device->second.edits);
  }
  if (unresolvable.empty()) return edits;
  std::string message = fmt::format("unresolvable CDI devices {}", join(unresolvable, ", "));
  if (view.problems.empty()) {
    message += fmt::format(": no specification in {} has them", join(directories_, " or "));
  } else {
    message += ": " + join(view.problems, "; ");
  }
  return fail(ErrorKind::invalid_argument, "{}", message);
}

std::vector<std::string> Registry::devices() {
  std::vector<std::string> names;
  for (const auto& [name, device] : view().devices) names.push_back(name);
  return names;
}

std::vector<std::string> Registry::problems() { return view().problems; }

}  // namespace fermata::cdi
