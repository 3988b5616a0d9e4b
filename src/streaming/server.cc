#include "streaming/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <exception>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "streaming/http_connection.h"

namespace fermata::streaming {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SystemError = boost::system::error_code;

// Additions to the clock must not overflow.
constexpr std::chrono::hours kLongest{24 * 365};

Result<void> load_certificate(asio::ssl::context& context, const ServerOptions& options) {
  if (options.certificate.empty() || options.key.empty())
    return fail(ErrorKind::invalid_argument, "TLS needs both a certificate and a key; only '{}{}' is given",
                options.certificate, options.key);
  SystemError error;
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                          asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                          asio::ssl::context::no_tlsv1_1,
                      error);
  if (!error) context.use_certificate_chain_file(options.certificate, error);
  if (error)
    return fail(ErrorKind::invalid_argument, "certificate '{}': {}", options.certificate, error.message());
  context.use_private_key_file(options.key, asio::ssl::context::pem, error);
  if (error) return fail(ErrorKind::invalid_argument, "key '{}': {}", options.key, error.message());
  return {};
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Backend& backend)
      : options_(std::move(options)),
        tokens_(std::min<std::chrono::nanoseconds>(options_.token_lifetime, kLongest), options_.max_waiting),
        acceptor_(context_),
        retry_(context_),
        workers_(static_cast<std::size_t>(std::max(options_.workers, 1))),
        environment_{&tokens_,
                     &transports_,
                     &workers_,
                     &backend,
                     std::min<std::chrono::nanoseconds>(options_.idle_timeout, kLongest),
                     std::min<std::chrono::nanoseconds>(options_.stream_creation_timeout, kLongest)} {}

  ~Impl() {
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
    workers_.stop();
    workers_.join();
    transports_.abort_all();
  }

  Result<void> listen() {
    if (!options_.certificate.empty() || !options_.key.empty()) {
      tls_.emplace(asio::ssl::context::tls_server);
      TRY(load_certificate(*tls_, options_));
    }
    SystemError error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error)
      return fail(ErrorKind::invalid_argument, "'{}' is no IP address to listen on", options_.address);
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return fail(error.value(), "listen on {} port {}", options_.address, options_.port);
    port_ = acceptor_.local_endpoint(error).port();
    std::string host = options_.advertised_host.empty() ? address.to_string() : options_.advertised_host;
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    base_url_ = fmt::format("{}://{}:{}", tls_ ? "https" : "http", host, port_);
    return {};
  }

  void run() {
    accept();
    for (int i = 0; i < std::max(options_.threads, 1); ++i) threads_.emplace_back([this] { context_.run(); });
  }

  Result<std::string> put(Request request) {
    TRY(validate(request));
    const std::string kind = kind_of(request);
    TRY(const auto token, tokens_.put(std::move(request)));
    return fmt::format("{}/{}/{}", base_url_, kind, token);
  }

  const std::string& base_url() const { return base_url_; }
  std::uint16_t port() const { return port_; }

 private:
  void accept() {
    // Each connection has a strand of its own: all that belongs to it is done by one thread at a time.
    acceptor_.async_accept(asio::any_io_executor(asio::make_strand(context_)),
                           [this](const SystemError& error, Link::Socket socket) {
                             if (error == asio::error::operation_aborted) return;
                             if (error) return accept_later();
                             serve(std::move(socket));
                             accept();
                           });
  }

  // Out of descriptors or memory: it would fail again at once. accept(2)
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](const SystemError& error) {
      if (!error) accept();
    });
  }

  void serve(Link::Socket socket) {
    SystemError ignored;  // both only make it better
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    const auto strand = socket.get_executor();
    auto link =
        tls_ ? std::make_shared<Link>(std::move(socket), *tls_) : std::make_shared<Link>(std::move(socket));
    asio::dispatch(strand, [this, link] { serve_connection(std::move(*link), environment_); });
  }

  const ServerOptions options_;
  TokenCache tokens_;
  Transports transports_;
  std::optional<asio::ssl::context> tls_;
  std::string base_url_;
  std::uint16_t port_ = 0;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  asio::thread_pool workers_;
  const ConnectionEnvironment environment_;
  std::vector<std::thread> threads_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Backend& backend) {
  // What the libraries throw: no thread, no epoll instance, no memory.
  try {
    auto impl = std::make_unique<Impl>(std::move(options), backend);
    if (auto listening = impl->listen(); !listening)
      return fail_with(std::move(listening.error()), "streaming server");
    impl->run();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
  } catch (const std::exception& error) {
    return fail(ErrorKind::failed, "streaming server: {}", error.what());
  }
}

Result<std::string> Server::put(Request request) { return impl_->put(std::move(request)); }
const std::string& Server::base_url() const { return impl_->base_url(); }
std::uint16_t Server::port() const { return impl_->port(); }

}  // namespace fermata::streaming
