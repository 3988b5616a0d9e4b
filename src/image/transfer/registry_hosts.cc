#include "image/transfer/registry_hosts.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "base/unique_dir.h"
#include "image/transfer/hosts_file.h"
#include "image/transfer/registries_conf.h"

namespace fermata::image {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

// The name that users type is not the host that serves it.
std::string host_of_registry(const std::string& registry) {
  return registry == "docker.io" ? "registry-1.docker.io" : registry;
}

// nullopt: there is none.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
  auto text = read_file(path, kMaxFile);
  if (text) return std::optional(std::move(*text));
  if (text.error().error_number() == ENOENT || text.error().error_number() == ENOTDIR)
    return std::optional<std::string>();
  return tl::unexpected<Error>(std::move(text.error()));
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  const UniqueDir stream(::opendir(directory.c_str()));
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

// The directories of a host: under its name, and in the form that needs no colon.
std::vector<std::string> directories_of(const RegistryFiles& files, const std::string& host) {
  std::vector<std::string> directories;
  for (const std::string& parent : files.hosts_dirs) {
    directories.push_back(parent + "/" + host);
    if (const std::size_t colon = host.rfind(':'); colon != std::string::npos)
      directories.push_back(parent + "/" + host.substr(0, colon) + "_" + host.substr(colon + 1) + "_");
  }
  return directories;
}

// *.crt, and *.cert with its *.key, of the first directory that has any: containers-certs.d(5).
Result<void> add_certificates(const RegistryFiles& files, const std::string& host, TlsTrust& trust) {
  for (const std::string& directory : directories_of(files, host)) {
    for (const std::string& name : names_in(directory)) {
      const std::string path = directory + "/" + name;
      if (name.ends_with(".crt")) {
        TRY(const std::string text, read_file(path, kMaxFile));
        trust.authorities += text + "\n";
      } else if (name.ends_with(".cert") && trust.certificate.empty()) {
        trust.certificate = path;
        trust.key = path.substr(0, path.size() - 5) + ".key";
      }
    }
    if (!trust.authorities.empty() || !trust.certificate.empty()) return {};
  }
  return {};
}

// "https://mirror:5000/prefix" -> scheme, host, path
RegistryHost split_url(std::string_view url) {
  RegistryHost host;
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    host.scheme = to_lower(url.substr(0, scheme));
    url.remove_prefix(scheme + 3);
  }
  const std::size_t slash = std::min(url.find('/'), url.size());
  host.host = host_of_registry(std::string(url.substr(0, slash)));
  host.path = url.substr(slash);
  while (host.path.ends_with('/')) host.path.pop_back();
  return host;
}

class Finder {
 public:
  Finder(const oci::Reference& image, const RegistryFiles& files, bool verify_tls)
      : image_(image), files_(files), verify_tls_(verify_tls) {}

  Result<std::vector<RegistryHost>> find() {
    TRY(const bool found, by_hosts_file());
    if (!found) TRY(by_registries_conf());
    for (RegistryHost& host : hosts_)
      if (host.trust.authorities.empty() && host.trust.certificate.empty())
        TRY(add_certificates(files_, host.host, host.trust));
    return std::move(hosts_);
  }

 private:
  RegistryHost own_host() const {
    RegistryHost host;
    host.host = host_of_registry(image_.registry);
    host.repository = image_.repository;
    host.trust.verify = verify_tls_;
    host.plain_allowed = !verify_tls_;
    return host;
  }

  Result<bool> by_hosts_file() {
    for (const std::string& parent : files_.hosts_dirs) {
      RegistryFiles one{.conf = "", .hosts_dirs = {parent}};
      auto directories = directories_of(one, image_.registry);
      directories.push_back(parent + "/_default");
      for (const std::string& directory : directories) {
        const std::string path = directory + "/hosts.toml";
        TRY(const auto text, read_if_there(path));
        if (!text) continue;
        TRY(const auto file, parse_hosts_file(*text, path));
        TRY(add_hosts(file, directory));
        return true;
      }
    }
    return false;
  }

  Result<void> add_hosts(const HostsFile& file, const std::string& directory) {
    for (const HostEntry& entry : file.hosts) {
      // What cannot say which image a tag is serves those that are asked for by digest.
      if (!entry.pull || (!entry.resolve && image_.digest.empty())) continue;
      TRY(RegistryHost host, from_entry(entry, directory));
      host.mirror = true;
      hosts_.push_back(std::move(host));
    }
    RegistryHost last = own_host();
    if (!file.server.url.empty()) {
      TRY(last, from_entry(file.server, directory));
    }
    // Some files name the registry among its mirrors, too.
    std::erase_if(hosts_, [&](const RegistryHost& host) {
      return host.host == last.host && host.path == last.path && host.scheme == last.scheme;
    });
    hosts_.push_back(std::move(last));
    return {};
  }

  Result<RegistryHost> from_entry(const HostEntry& entry, const std::string& directory) const {
    const auto absolute = [&](const std::string& file) {
      return file.empty() || file.starts_with('/') ? file : directory + "/" + file;
    };
    RegistryHost host = split_url(entry.url);
    if (!entry.override_path && !host.path.ends_with("/v2")) host.path += "/v2";
    host.repository = image_.repository;
    host.trust.verify = verify_tls_ && !entry.skip_verify;
    host.trust.certificate = absolute(entry.certificate);
    host.trust.key = absolute(entry.key);
    for (const std::string& ca : entry.ca) {
      TRY(const std::string text, read_file(absolute(ca), kMaxFile));
      host.trust.authorities += text + "\n";
    }
    return host;
  }

  Result<void> by_registries_conf() {
    std::vector<RegistryRule> rules;
    if (!files_.conf.empty()) {
      TRY(const auto text, read_if_there(files_.conf));
      if (text) {
        TRY(rules, parse_registries_conf(*text, files_.conf));
      }
      for (const std::string& name : names_in(files_.conf + ".d")) {
        if (!name.ends_with(".conf")) continue;
        const std::string path = files_.conf + ".d/" + name;
        TRY(const std::string more, read_file(path, kMaxFile));
        TRY(auto added, parse_registries_conf(more, path));
        // A later file's rule stands for an earlier one's of the same prefix.
        for (RegistryRule& rule : added) {
          std::erase_if(rules, [&](const RegistryRule& other) { return other.prefix == rule.prefix; });
          rules.push_back(std::move(rule));
        }
      }
    }
    const RegistryRule* rule = rule_for(rules, image_);
    if (rule == nullptr) {
      hosts_.push_back(own_host());
      return {};
    }
    if (rule->blocked)
      return fail(ErrorKind::permission, "registry {} is blocked in {}", rule->prefix, files_.conf);
    const bool by_digest = !image_.digest.empty();
    for (const MirrorRule& mirror : rule->mirrors)
      if (by_digest ? mirror.by_digest : mirror.by_tag)
        add_location(*rule, mirror.location, mirror.insecure, true);
    add_location(*rule, rule->location, rule->insecure, false);
    return {};
  }

  void add_location(const RegistryRule& rule, const std::string& location, bool insecure, bool mirror) {
    const std::string name = relocated(rule, location, image_);
    const std::size_t slash = std::min(name.find('/'), name.size() - 1);
    RegistryHost host;
    host.host = host_of_registry(name.substr(0, slash));
    host.repository = name.substr(slash + 1);
    host.trust.verify = verify_tls_ && !insecure;
    host.plain_allowed = !verify_tls_ || insecure;
    host.mirror = mirror;
    hosts_.push_back(std::move(host));
  }

  const oci::Reference& image_;
  const RegistryFiles& files_;
  const bool verify_tls_;
  std::vector<RegistryHost> hosts_;
};

}  // namespace

Result<std::vector<RegistryHost>> registry_hosts(const oci::Reference& image, const RegistryFiles& files,
                                                 bool verify_tls) {
  return Finder(image, files, verify_tls).find();
}

}  // namespace fermata::image
