#include "image/transfer/layer_fetch.h"

#include <algorithm>
#include <thread>

#include "base/files.h"
#include "base/start_thread.h"
#include "image/transfer/byte_queue.h"
#include "image/transfer/digest.h"
#include "image/transfer/refusal.h"
#include "image/transfer/unpack.h"

namespace fermata::image {
namespace {

constexpr std::size_t kQueueBytes = 2u << 20;
constexpr int kMaxFailures = 5;                     // in a row, without progress worth the name
constexpr std::uint64_t kWorthTheName = 1u << 20;   // bytes
constexpr std::uint64_t kReportEvery = 256u << 10;  // bytes, at least

// The thread that unpacks what the queue brings.
class Unpacking {
 public:
  Unpacking(ByteQueue& queue, const std::string& directory) : queue_(queue), directory_(directory) {}
  Unpacking(const Unpacking&) = delete;
  Unpacking& operator=(const Unpacking&) = delete;
  ~Unpacking() {
    if (!thread_.joinable()) return;
    queue_.finish();
    thread_.join();
  }

  Result<void> start() {
    TRY(thread_, start_thread([this] { run(); }));
    return {};
  }
  // After the queue's end.
  Result<UnpackedLayer> result() {
    thread_.join();
    return std::move(result_);
  }

 private:
  void run() {
    result_ = unpack_layer([this](char* buffer, std::size_t size) { return queue_.read(buffer, size); },
                           directory_, Whiteouts::convert);
    // A damaged stream is downloaded to its end, for its digest says whose fault it is; a full disk ends it.
    queue_.close_reader(result_ || result_.error().error_number() == 0);
  }

  ByteQueue& queue_;
  const std::string& directory_;
  Result<UnpackedLayer> result_;
  std::thread thread_;
};

// The compressed bytes, over as many connections as it takes.
class Download {
 public:
  Download(RegistrySession& session, HttpClient& client, const Descriptor& blob, ByteQueue& queue,
           ProgressReporter& progress)
      : session_(session), client_(client), blob_(blob), queue_(queue), progress_(progress) {}

  // False: the reader failed, and knows why.
  Result<bool> run(const std::stop_token& stop) {
    progress_.report(blob_, "Downloading", 0, blob_.size);
    for (int failures = 0;;) {
      const std::uint64_t before = received_;
      TRY(const HttpAnswer answer, attempt());
      if (reader_failed_) return false;
      if (too_long_)
        return fail(ErrorKind::failed,
                    "digest does not match: the registry sends more than the manifest's {} bytes",
                    blob_.size);
      if (received_ == blob_.size &&
          (answer.failure == HttpFailure::none ? is_success(answer) : received_ > 0))
        return verify();
      TRY(check_retry(answer));
      failures = received_ - before >= kWorthTheName ? 0 : failures + 1;
      if (failures > kMaxFailures) return last_error(answer);
      if (!pause_before_retry(stop, std::max(failures - 1, 0), answer.retry_after)) return last_error(answer);
    }
  }

 private:
  static bool is_success(const HttpAnswer& answer) { return answer.status == 200 || answer.status == 206; }

  Result<HttpAnswer> attempt() {
    HttpRequest request;
    request.accept = {"application/octet-stream", "*/*"};
    request.from = received_;
    request.sink = [this](std::string_view bytes) { return take(bytes); };
    return session_.get(client_, std::move(request), "blobs/" + blob_.digest);
  }

  bool take(std::string_view bytes) {
    too_long_ = bytes.size() > blob_.size - received_;
    if (too_long_) return false;
    sha_.update(bytes);
    received_ += bytes.size();
    reader_failed_ = !queue_.push(bytes);
    if (received_ - reported_ >= std::max(kReportEvery, blob_.size / 200)) {
      reported_ = received_;
      progress_.report(blob_, "Downloading", received_, blob_.size);
    }
    return !reader_failed_;
  }

  Result<bool> verify() {
    progress_.report(blob_, "Verifying Checksum");
    const std::string digest = sha_.finish();
    if (digest != blob_.digest) return fail(ErrorKind::failed, "digest does not match: got {}", digest);
    return true;
  }

  // Succeeds when the answer is worth another try.
  Result<void> check_retry(const HttpAnswer& answer) {
    if (answer.failure == HttpFailure::interrupted) return {};
    if (answer.failure == HttpFailure::unreachable && received_ > 0) return {};
    if (answer.failure != HttpFailure::none) return tl::unexpected<Error>(*answer.error);
    if (answer.status == 429 || answer.status >= 500) return {};
    if (is_success(answer)) {
      if (!answer.length_known) return {};  // HTTP/1.0 has no other sign of an end than the end
      return fail(ErrorKind::failed, "digest does not match: got {} ({} bytes instead of {})", sha_.finish(),
                  received_, blob_.size);
    }
    return refusal(session_.reference(), answer, Wanted::blob, session_.authenticated());
  }

  Result<bool> last_error(const HttpAnswer& answer) const {
    if (answer.failure != HttpFailure::none) return tl::unexpected<Error>(*answer.error);
    if (!is_success(answer))
      return refusal(session_.reference(), answer, Wanted::blob, session_.authenticated());
    return fail(ErrorKind::unavailable,
                "{} closed the connection in the middle of the answer: unexpected EOF", answer.host);
  }

  RegistrySession& session_;
  HttpClient& client_;
  const Descriptor& blob_;
  ByteQueue& queue_;
  ProgressReporter& progress_;
  Sha256 sha_;
  std::uint64_t received_ = 0, reported_ = 0;
  bool too_long_ = false, reader_failed_ = false;
};

Result<std::uint64_t> download_and_unpack(RegistrySession& session, HttpClient& client, const LayerJob& job,
                                          ProgressReporter& progress, const std::stop_token& stop) {
  TRY(make_directories(job.directory, 0755));
  ByteQueue queue(kQueueBytes);
  Unpacking unpacking(queue, job.directory);
  TRY(unpacking.start());
  auto downloaded = Download(session, client, job.descriptor, queue, progress).run(stop);
  if (!downloaded) {
    queue.fail_reader(downloaded.error());
    return tl::unexpected<Error>(std::move(downloaded.error()));
  }
  queue.finish();
  if (*downloaded) progress.report(job.descriptor, "Extracting", job.descriptor.size, job.descriptor.size);
  TRY(const UnpackedLayer layer, unpacking.result());
  if (layer.diff_id != job.diff_id)
    return fail(ErrorKind::failed,
                "digest of the unpacked layer does not match the configuration's {}: got {}", job.diff_id,
                layer.diff_id);
  return layer.size;
}

}  // namespace

void ProgressReporter::report(const Descriptor& layer, const char* status, std::uint64_t current,
                              std::uint64_t total) {
  if (!report_) return;
  constexpr std::size_t kAlgorithm = 7, kShort = 12;  // "sha256:" and what tables show
  const std::scoped_lock lock(mutex_);
  report_({.layer = layer.digest.substr(kAlgorithm, kShort),
           .status = status,
           .current = current,
           .total = total});
}

Result<std::uint64_t> fetch_layer(RegistrySession& session, HttpClient& client, const LayerJob& job,
                                  ProgressReporter& progress, const std::stop_token& stop) {
  auto size = download_and_unpack(session, client, job, progress, stop);
  if (!size) return fail_with(std::move(size.error()), "layer " + job.descriptor.digest);
  progress.report(job.descriptor, "Pull complete");
  return size;
}

}  // namespace fermata::image
