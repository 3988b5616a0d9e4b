#include "pod/network_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"

namespace fermata::pod {
namespace {

constexpr const char* kHostResolver = "/etc/resolv.conf";
constexpr const char* kUpstreamResolver = "/run/systemd/resolve/resolv.conf";
constexpr std::string_view kStub = "127.0.0.53";

struct Resolver {
  std::vector<std::string> servers, search, options;
};

// resolv.conf(5): keyword and values separated by blanks; the last search line wins; the rest is not ours to
// keep.
Resolver parse_resolver(std::string_view text) {
  Resolver resolver;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line.substr(0, line.find_first_of("#;")));
    std::vector<std::string> words;
    for (std::string_view rest = line; !rest.empty();) {
      const auto end = rest.find_first_of(" \t");
      if (end != 0) words.emplace_back(rest.substr(0, end));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    if (words.size() < 2) continue;
    const std::string keyword = words[0];
    words.erase(words.begin());
    if (keyword == "nameserver") resolver.servers.push_back(words[0]);
    if (keyword == "search" || keyword == "domain") resolver.search = words;
    if (keyword == "options") resolver.options.insert(resolver.options.end(), words.begin(), words.end());
  }
  return resolver;
}

bool is_loopback(std::string_view server) { return server.starts_with("127.") || server == "::1"; }
bool is_ipv6(std::string_view server) { return server.find(':') != std::string_view::npos; }

// Plain writes: nobody reads before the pod is ready, so no rename is needed. Called for three small files
// per start.
Result<void> write_new(const std::string& path, std::string_view bytes) {
  TRY(const UniqueFd fd, open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  // The umask of whoever runs the engine must not hide the file from the container's users.
  if (::fchmod(fd.get(), 0644) != 0) return fail(errno, "chmod '{}'", path);
  return write_all(fd.get(), bytes);
}

// Absent is empty: such a host resolves nothing itself.
std::string read_resolver() {
  std::string text = read_file(kHostResolver, 1u << 20).value_or("");
  if (is_stub_resolver(text))
    if (auto upstream = read_file(kUpstreamResolver, 1u << 20)) text = std::move(*upstream);
  return text;
}

}  // namespace

std::string hosts_file(const std::string& hostname, const std::string& domainname,
                       const std::vector<std::string>& addresses, const std::vector<std::string>& extra_hosts,
                       const std::string& gateway) {
  std::string text =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::\tip6-localnet\n"
      "ff00::\tip6-mcastprefix\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const std::string& entry : extra_hosts)
    if (const auto parts = split_once(entry, ':'))
      text +=
          fmt::format("{}\t{}\n", parts->second == "host-gateway" ? std::string_view(gateway) : parts->second,
                      parts->first);
  const std::string whole = domainname.empty() ? hostname : fmt::format("{}.{}", hostname, domainname);
  const std::string first = whole.substr(0, whole.find('.'));
  for (const std::string& address : addresses)
    if (!address.empty())
      text += fmt::format("{}\t{}{}\n", address, whole, first == whole ? "" : " " + first);
  return text;
}

bool is_stub_resolver(std::string_view text) {
  const auto servers = parse_resolver(text).servers;
  return !servers.empty() &&
         std::all_of(servers.begin(), servers.end(), [](const auto& s) { return s == kStub; });
}

std::string resolv_conf(std::string_view host, const ResolverOptions& wanted) {
  Resolver resolver = parse_resolver(host);
  if (!wanted.servers.empty()) {
    resolver.servers = wanted.servers;
  } else if (!wanted.keep_loopback) {
    std::erase_if(resolver.servers, [&](const std::string& server) {
      return is_loopback(server) || (is_ipv6(server) && !wanted.ipv6);
    });
    if (resolver.servers.empty()) resolver.servers = {"8.8.8.8", "8.8.4.4"};
  }
  if (!wanted.search.empty()) resolver.search = wanted.search;
  if (resolver.search == std::vector<std::string>{"."}) resolver.search.clear();
  if (!wanted.options.empty()) resolver.options = wanted.options;
  std::string text;
  for (const std::string& server : resolver.servers) text += "nameserver " + server + "\n";
  if (!resolver.search.empty()) text += "search " + join(resolver.search, " ") + "\n";
  if (!resolver.options.empty()) text += "options " + join(resolver.options, " ") + "\n";
  return text;
}

Result<void> write_network_files(const std::string& directory, const PodConfig& config,
                                 const PodRuntime& runtime) {
  const bool host_network = config.net == "host";
  std::string hosts;
  if (host_network && config.extra_hosts.empty()) hosts = read_file("/etc/hosts", 16u << 20).value_or("");
  if (hosts.empty()) {
    const auto& network = runtime.network;
    hosts = hosts_file(config.hostname, config.domainname,
                       network ? std::vector{network->ipv4, network->ipv6} : std::vector<std::string>(),
                       config.extra_hosts, network ? network->ipv4_gateway : "127.0.0.1");
  }
  TRY(write_new(directory + "/hosts", hosts));
  TRY(write_new(directory + "/resolv.conf",
                resolv_conf(read_resolver(), {.servers = config.dns,
                                              .search = config.dns_search,
                                              .options = config.dns_options,
                                              .ipv6 = runtime.network && !runtime.network->ipv6.empty(),
                                              .keep_loopback = host_network})));
  return write_new(directory + "/hostname", config.hostname + "\n");
}

}  // namespace fermata::pod
