#include "streaming/process_streams.h"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "streaming/outcome.h"
#include "streaming/terminal_size.h"

namespace fermata::streaming {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;
using SystemError = boost::system::error_code;

// Events taken in one go; then others have their turn.
constexpr int kBurst = 16;

enum Role { kError, kInput, kOutput, kErrorOutput, kResize, kRoles };
constexpr std::array<std::string_view, kRoles> kRoleNames = {"error", "stdin", "stdout", "stderr", "resize"};

bool not_now(const fermata::Error& error) { return error.error_number() == EAGAIN; }

class ProcessStreams final : public Session, public std::enable_shared_from_this<ProcessStreams> {
 public:
  ProcessStreams(SessionContext context, ProcessRequest request, int version)
      : context_(std::move(context)),
        request_(std::move(request)),
        version_(version),
        timer_(context_.strand),
        descriptor_(context_.strand) {}
  ~ProcessStreams() override { release_process(); }

  void connected(Client& client) override {
    client_ = &client;
    const Streams& wanted = streams();
    wanted_ = {true, wanted.input, wanted.output, wanted.error_output, wanted.terminal && version_ >= 3};
    timer_.expires_after(context_.stream_creation_timeout);
    timer_.async_wait([self = shared_from_this()](const SystemError& error) {
      if (!error) self->give_up_waiting();
    });
  }

  bool opened(StreamId stream, const StreamHeaders& headers) override {
    const auto type = header(headers, "streamtype");
    for (int role = 0; role < kRoles; ++role) {
      if (type != kRoleNames[role]) continue;
      if (ids_[role] || done_) return false;
      ids_[role] = stream;
      open_when_complete();
      return true;
    }
    return false;
  }

  void received(StreamId stream, std::string_view bytes) override {
    if (stream == ids_[kInput] && wanted_[kInput] && !input_refused_ && !done_) {
      input_ += bytes;
      return pass_input();
    }
    client_->consumed(stream, bytes.size());
    if (stream != ids_[kResize] || done_) return;
    // What is no size spoils the stream for the rest of the session, and nothing else.
    if (resize_broken_) return;
    const auto size = resize_reader_.feed(bytes);
    resize_broken_ = !size;
    if (!size || !*size) return;
    size_ = *size;
    pass_input();
  }

  void finished(StreamId stream) override {
    if (stream != ids_[kInput]) return;
    input_ended_ = true;
    pass_input();
  }

  void was_reset(StreamId stream) override { finished(stream); }

  void writable() override {
    if (std::exchange(output_held_, false)) wait_for_output();
  }

  void disconnected() override {
    done_ = true;
    client_ = nullptr;
    timer_.cancel();
    release_process();
  }

 private:
  const Streams& streams() const {
    return std::visit([](const auto& request) -> const Streams& { return request.streams; }, request_);
  }

  void open_when_complete() {
    for (int role = 0; role < kRoles; ++role)
      if (wanted_[role] && !ids_[role]) return;
    if (std::exchange(opening_, true)) return;
    timer_.cancel();
    call_backend(
        context_,
        [backend = context_.backend, request = request_] {
          if (const auto* exec = std::get_if<ExecRequest>(&request)) return backend->open_exec(*exec);
          return backend->open_attach(std::get<AttachRequest>(request));
        },
        [self = shared_from_this()](Result<std::unique_ptr<ProcessSession>> process) {
          self->process_opened(std::move(process));
        });
  }

  void give_up_waiting() {
    if (opening_ || done_) return;
    std::string missing;
    for (int role = 0; role < kRoles; ++role)
      if (wanted_[role] && !ids_[role]) missing.append(missing.empty() ? "" : ", ").append(kRoleNames[role]);
    end({.exit_code = 0, .failure = "the client did not open its streams in time: " + missing});
  }

  void process_opened(Result<std::unique_ptr<ProcessSession>> process) {
    if (done_) return;  // the client has gone; the process session goes now
    if (!process) return end({.exit_code = 0, .failure = process.error().message()});
    process_ = std::move(*process);
    SystemError error;
    descriptor_.assign(process_->fd(), error);
    if (!error) descriptor_.non_blocking(true, error);
    if (error) return end({.exit_code = 0, .failure = "wait for the process: " + error.message()});
    pass_input();
    wait_for_output();
  }

  // Both outputs come in one order, so both wait when one has no room.
  bool has_room() const {
    for (const Role role : {kOutput, kErrorOutput})
      if (ids_[role] && !client_->has_room(*ids_[role])) return false;
    return true;
  }

  void wait_for_output() {
    if (!process_ || output_wait_) return;
    output_held_ = !has_room();
    if (output_held_) return;
    output_wait_ = true;
    descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const SystemError& error) {
      self->output_wait_ = false;
      if (!error && !self->done_) self->pass_output();
    });
  }

  void pass_output() {
    for (int i = 0; i < kBurst && has_room(); ++i) {
      auto event = process_->read();
      if (!event && not_now(event.error())) break;
      if (!event) return end({.exit_code = 0, .failure = event.error().message()});
      switch (event->kind) {
        case ProcessSession::Event::Kind::output:
          if (wanted_[kOutput]) client_->write(*ids_[kOutput], event->data);
          break;
        case ProcessSession::Event::Kind::error_output:
          if (wanted_[kErrorOutput]) client_->write(*ids_[kErrorOutput], event->data);
          break;
        case ProcessSession::Event::Kind::ended:
          // Attaching has succeeded, whatever the process ended with; so do Kubernetes' other runtimes.
          return end({.exit_code = std::holds_alternative<ExecRequest>(request_) ? event->exit_code : 0,
                      .failure = std::nullopt});
        case ProcessSession::Event::Kind::closed:
          return end({.exit_code = 0, .failure = "the connection to the process was lost"});
      }
    }
    wait_for_output();
  }

  // Sizes and input, as far as the process takes them.
  void pass_input() {
    if (!process_ || input_wait_ || done_) return;
    bool room = true;
    while (room) {
      const auto result = pass_one_input();
      if (!result) break;
      room = *result || !not_now(result->error());
    }
    input_.erase(0, std::exchange(input_passed_, 0));
    if (!room) wait_for_room();
  }

  // nullopt: there is nothing to pass on.
  std::optional<Result<void>> pass_one_input() {
    if (size_) {
      auto result = process_->resize(size_->rows, size_->columns);
      // A process that has no terminal any more is about to end, and tells so by itself.
      if (result || !not_now(result.error())) size_.reset();
      return result;
    }
    if (input_passed_ < input_.size()) return pass_bytes();
    if (!input_ended_ || input_closed_ || input_refused_) return std::nullopt;
    auto result = process_->close_stdin();
    if (result || !not_now(result.error())) input_closed_ = true;
    return result;
  }

  Result<void> pass_bytes() {
    const auto piece = std::string_view(input_).substr(input_passed_, ProcessSession::kMaxInput);
    std::size_t used = piece.size();
    auto result = process_->write_stdin(piece);
    if (!result) {
      if (not_now(result.error())) return result;
      // It has closed its input. Its output still counts; what comes now is thrown away.
      input_refused_ = true;
      used = input_.size() - input_passed_;
    }
    input_passed_ += used;
    client_->consumed(*ids_[kInput], used);
    return result;
  }

  void wait_for_room() {
    input_wait_ = true;
    descriptor_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const SystemError& error) {
      self->input_wait_ = false;
      if (!error && !self->done_) self->pass_input();
    });
  }

  void end(const Outcome& outcome) {
    done_ = true;
    timer_.cancel();
    release_process();
    if (ids_[kError]) {
      const std::string status = version_ >= 4 ? status_json(outcome) : status_text(outcome);
      if (!status.empty()) client_->write(*ids_[kError], status);
    }
    // The error stream is the last to end: by then all else has been read.
    for (int role = kRoles - 1; role >= 0; --role)
      if (ids_[role]) client_->finish(*ids_[role]);
    client_->close();
  }

  void release_process() {
    // Borrowed, so it must not be closed here; and epoll must let go of it before its owner closes it.
    if (descriptor_.is_open()) (void)descriptor_.release();
    process_.reset();
  }

  const SessionContext context_;
  const ProcessRequest request_;
  const int version_;
  boost::asio::steady_timer timer_;
  Descriptor descriptor_;
  std::unique_ptr<ProcessSession> process_;
  Client* client_ = nullptr;
  std::array<bool, kRoles> wanted_ = {};
  std::array<std::optional<StreamId>, kRoles> ids_;
  bool opening_ = false, done_ = false;
  bool output_wait_ = false, output_held_ = false;
  bool input_wait_ = false;
  std::string input_;
  std::size_t input_passed_ = 0;
  bool input_ended_ = false;    // by the client
  bool input_closed_ = false;   // the process was told
  bool input_refused_ = false;  // the process takes none
  std::optional<TerminalSize> size_;
  TerminalSizeReader resize_reader_;
  bool resize_broken_ = false;
};

}  // namespace

std::shared_ptr<Session> make_process_streams(SessionContext context, ProcessRequest request, int version) {
  return std::make_shared<ProcessStreams>(std::move(context), std::move(request), version);
}

}  // namespace fermata::streaming
