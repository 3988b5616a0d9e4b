// A pull: manifest, configuration, then the layers that are missing, three at a time.
#include "image/transfer/registry.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#include "image/transfer/digest.h"
#include "image/transfer/documents.h"
#include "image/transfer/layer_fetch.h"
#include "oci/image_config.h"

namespace fermata::image {
namespace {

constexpr std::size_t kParallelLayers = 3;
constexpr int kMaxIndexDepth = 3;

class Pull {
 public:
  // `name`: of this try, for its directories.
  Pull(const oci::Reference& reference, const RegistryHost& host, std::string name,
       const PullOptions& options, const TransferContext& context)
      : options_(options),
        context_(context),
        trust_(host.trust),
        name_(std::move(name)),
        session_(reference, host, options.credentials),
        client_(trust_, stop_.get_token()),
        progress_(options.progress),
        asked_to_stop_(options.stop, [this] { stop_.request_stop(); }) {}

  Result<FetchedImage> run() {
    TRY(const Manifest manifest, resolve());
    image_.id = manifest.config.digest;
    if (const auto stored = context_.stored_config(image_.id)) {
      TRY(const oci::ImageConfig config, oci::parse_image_config(*stored));
      TRY(check_config(manifest, config));
      return std::move(image_);
    }
    TRY(image_.config_json, fetch_config(session_, client_, manifest.config));
    TRY(const oci::ImageConfig config, oci::parse_image_config(image_.config_json));
    TRY(check_config(manifest, config));
    const auto jobs = plan_layers(manifest, config);
    TRY(fetch_layers(jobs));
    return std::move(image_);
  }

 private:
  // A job and the layer of image_ that it fills in.
  struct Job {
    LayerJob layer;
    std::size_t index;
  };

  // From the name to this machine's manifest.
  Result<Manifest> resolve() {
    TRY(FetchedManifest fetched, fetch_manifest(session_, client_));
    image_.repo_digest = fetched.digest;
    const std::string architecture =
        options_.architecture.empty() ? oci::host_architecture() : options_.architecture;
    for (int depth = 0; std::holds_alternative<Index>(fetched.content); ++depth) {
      if (depth == kMaxIndexDepth) return fail(ErrorKind::failed, "the index holds indexes without end");
      TRY(const Descriptor entry, choose_platform(std::get<Index>(fetched.content), architecture));
      TRY(fetched, fetch_manifest(session_, client_, entry));
    }
    image_.manifest_digest = fetched.digest;
    return std::move(std::get<Manifest>(fetched.content));
  }

  // Registries hold other things than images, and images of other machines.
  Result<void> check_config(const Manifest& manifest, const oci::ImageConfig& config) const {
    if (manifest.layers.size() != config.diff_ids.size())
      return fail(ErrorKind::failed,
                  "not a container image: {} layers in the manifest, {} in its configuration (of type {})",
                  manifest.layers.size(), config.diff_ids.size(), manifest.config.media_type);
    if (!config.os.empty() && config.os != "linux")
      return fail(ErrorKind::failed, "image operating system \"{}\" cannot be used on this platform",
                  config.os);
    if (!options_.architecture.empty() && !config.architecture.empty() &&
        config.architecture != options_.architecture)
      return fail(
          ErrorKind::not_found,
          "image was found but its platform (linux/{}) does not match the specified platform (linux/{})",
          config.architecture, options_.architecture);
    return {};
  }

  std::vector<Job> plan_layers(const Manifest& manifest, const oci::ImageConfig& config) {
    std::vector<Job> jobs;
    std::string chain;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      chain = chain_id(chain, config.diff_ids[i]);
      FetchedLayer layer{.chain = chain};
      const bool present = context_.have_layer(chain);
      progress_.report(manifest.layers[i], present ? "Already exists" : "Pulling fs layer");
      if (!present) {
        layer.directory = context_.work_directory + "/" + name_ + std::to_string(i);
        jobs.push_back({{manifest.layers[i], config.diff_ids[i], layer.directory}, i});
      }
      image_.layers.push_back(std::move(layer));
    }
    return jobs;
  }

  Result<void> fetch_layers(const std::vector<Job>& jobs) {
    const auto fetch_next = [&](HttpClient& client) {
      for (std::size_t i; (i = next_++) < jobs.size() && !stop_.stop_requested();) {
        auto size = fetch_layer(session_, client, jobs[i].layer, progress_, stop_.get_token());
        if (size) {
          image_.layers[jobs[i].index].size = *size;
        } else {
          set_failure(std::move(size.error()));
        }
      }
    };
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t i = 1; i < std::min(kParallelLayers, jobs.size()); ++i)
        helpers.emplace_back([&] {
          HttpClient client(trust_, stop_.get_token());
          fetch_next(client);
        });
    } catch (const std::system_error&) {
      // No more threads to be had: those there are do all of it.
    }
    fetch_next(client_);
    helpers.clear();
    if (failure_) return tl::unexpected<Error>(*failure_);
    // Then not all of the jobs were begun.
    if (stop_.stop_requested()) return fail(ErrorKind::failed, "the pull was stopped");
    return {};
  }

  // The first counts; the others only stop.
  void set_failure(Error error) {
    const std::scoped_lock lock(failure_mutex_);
    if (!failure_) failure_ = std::move(error);
    stop_.request_stop();
  }

  const PullOptions& options_;
  const TransferContext& context_;
  const TlsTrust trust_;
  const std::string name_;
  std::stop_source stop_;
  RegistrySession session_;
  HttpClient client_;
  ProgressReporter progress_;
  FetchedImage image_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex failure_mutex_;
  std::optional<Error> failure_;
  std::stop_callback<std::function<void()>> asked_to_stop_;
};

// From the first that has it. What the last one says is the error, for it is the registry itself, and after
// it why none of the mirrors served.
Result<FetchedImage> pull_from(const std::vector<RegistryHost>& hosts, const oci::Reference& reference,
                               const PullOptions& options, const TransferContext& context) {
  std::string mirrors;
  for (std::size_t i = 0;; ++i) {
    const std::string name = i == 0 ? "" : std::to_string(i) + ".";
    auto image = Pull(reference, hosts[i], name, options, context).run();
    if (image) return image;
    const Error& error = image.error();
    if (i + 1 == hosts.size() || options.stop.stop_requested())
      return tl::unexpected(Error(error.kind(), error.error_number(), error.message() + mirrors));
    mirrors += "; mirror " + hosts[i].host + ": " + error.message();
  }
}

}  // namespace

Result<FetchedImage> pull_image(const oci::Reference& reference, const PullOptions& options,
                                const TransferContext& context) {
  TRY(const auto hosts, registry_hosts(reference, options.registries, options.tls_verify));
  auto image = pull_from(hosts, reference, options, context);
  if (image) return image;
  // Docker's sentences name the image by themselves.
  const bool named = image.error().message().find(reference.familiar_repository()) != std::string::npos;
  return named ? std::move(image) : fail_with(std::move(image.error()), reference.familiar());
}

}  // namespace fermata::image
