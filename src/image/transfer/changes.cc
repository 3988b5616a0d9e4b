#include "image/transfer/changes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace fermata::image {
namespace {

tl::unexpected<Error> malformed(std::string_view instruction, const char* why) {
  return fail(ErrorKind::invalid_argument, "invalid change '{}': {}", instruction, why);
}

// ["a", "b"]; nullopt when it is not written so.
std::optional<std::vector<std::string>> json_list(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_array()) return std::nullopt;
  std::vector<std::string> words;
  for (const auto& word : document) {
    if (!word.is_string()) return std::nullopt;
    words.push_back(word.get<std::string>());
  }
  return words;
}

// Words as a shell splits them: blanks, '...', "..." and backslashes. nullopt: a quote is left open.
std::optional<std::vector<std::string>> shell_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      inside = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      inside = true;
    } else if (c == ' ' || c == '\t') {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != 0) return std::nullopt;
  if (inside) words.push_back(word);
  return words;
}

// The exec form, or the shell form, which a shell runs.
std::vector<std::string> command_of(std::string_view rest) {
  if (auto words = json_list(rest)) return *words;
  return {"/bin/sh", "-c", std::string(rest)};
}

void set_env(std::vector<std::string>& env, const std::string& key, const std::string& value) {
  const std::string prefix = key + "=";
  std::erase_if(env, [&](const std::string& each) { return each.starts_with(prefix); });
  env.push_back(prefix + value);
}

// "K=V K2='a b'", or the old form "K value to the end".
Result<void> each_pair(std::string_view instruction, std::string_view rest,
                       const std::function<void(const std::string&, const std::string&)>& take) {
  const auto words = shell_words(rest);
  if (!words) return malformed(instruction, "a quote is not closed");
  if (words->front().find('=') == std::string::npos) {
    const auto blank = rest.find_first_of(" \t");
    if (blank == std::string_view::npos) return malformed(instruction, "a value is missing (KEY=VALUE)");
    take(words->front(), std::string(trim(rest.substr(blank))));
    return {};
  }
  for (const std::string& word : *words) {
    const auto pair = split_once(word, '=');
    if (!pair || pair->first.empty()) return malformed(instruction, "KEY=VALUE is wanted");
    take(std::string(pair->first), std::string(pair->second));
  }
  return {};
}

struct PortRange {
  std::uint64_t first, last;
};

// "80", "90-92".
std::optional<PortRange> port_range(std::string_view text) {
  const auto ends = split_once(text, '-');
  const auto first = parse_unsigned(ends ? ends->first : text);
  const auto last = ends ? parse_unsigned(ends->second) : first;
  if (!first || !last || *first == 0 || *first > *last || *last > 65535) return std::nullopt;
  return PortRange{*first, *last};
}

Result<void> expose(oci::ImageConfig& config, std::string_view instruction, std::string_view rest) {
  const auto words = shell_words(rest);
  if (!words) return malformed(instruction, "a quote is not closed");
  for (const std::string& word : *words) {
    const auto parts = split_once(word, '/');
    const auto ports = port_range(parts ? parts->first : std::string_view(word));
    const std::string protocol = parts ? to_lower(parts->second) : "tcp";
    if (!ports) return malformed(instruction, "a port is a number from 1 to 65535, or a range as in 90-92");
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
      return malformed(instruction, "the protocol is tcp, udp or sctp");
    for (auto port = ports->first; port <= ports->last; ++port)
      config.exposed_ports.push_back(std::to_string(port) + "/" + protocol);
  }
  return {};
}

Result<void> volume(oci::ImageConfig& config, std::string_view instruction, std::string_view rest) {
  auto paths = json_list(rest);
  if (!paths) paths = shell_words(rest);
  if (!paths) return malformed(instruction, "a quote is not closed");
  for (std::string& path : *paths) {
    if (!path.starts_with('/')) return malformed(instruction, "a volume is an absolute path");
    config.volumes.push_back(std::move(path));
  }
  return {};
}

}  // namespace

Result<void> apply_change(oci::ImageConfig& config, std::string_view instruction) {
  const std::string_view line = trim(instruction);
  const auto blank = line.find_first_of(" \t");
  std::string keyword(line.substr(0, blank));
  std::transform(keyword.begin(), keyword.end(), keyword.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::string_view rest = blank == std::string_view::npos ? "" : trim(line.substr(blank));
  static constexpr std::string_view kKnown[] = {"CMD",        "ENTRYPOINT", "ENV",    "EXPOSE", "LABEL",
                                                "STOPSIGNAL", "USER",       "VOLUME", "WORKDIR"};
  if (std::find(std::begin(kKnown), std::end(kKnown), keyword) == std::end(kKnown))
    return fail(ErrorKind::invalid_argument,
                "invalid change '{}': {} is not a valid change command (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
                "STOPSIGNAL, USER, VOLUME, WORKDIR)",
                instruction, keyword.empty() ? "an empty text" : keyword);
  if (rest.empty()) return malformed(instruction, "it needs an argument");

  if (keyword == "CMD") config.cmd = command_of(rest);
  if (keyword == "ENTRYPOINT") config.entrypoint = command_of(rest);
  if (keyword == "STOPSIGNAL") config.stop_signal = rest;
  if (keyword == "USER") config.user = rest;
  if (keyword == "WORKDIR") {
    const bool absolute = rest.starts_with('/');
    config.working_dir =
        absolute ? std::string(rest)
                 : (config.working_dir.empty() ? "/" : config.working_dir + "/") + std::string(rest);
  }
  if (keyword == "ENV")
    return each_pair(instruction, rest, [&](const std::string& key, const std::string& value) {
      set_env(config.env, key, value);
    });
  if (keyword == "LABEL")
    return each_pair(instruction, rest,
                     [&](const std::string& key, const std::string& value) { config.labels[key] = value; });
  if (keyword == "EXPOSE") return expose(config, instruction, rest);
  if (keyword == "VOLUME") return volume(config, instruction, rest);
  return {};
}

}  // namespace fermata::image
