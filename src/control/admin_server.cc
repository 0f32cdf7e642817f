// SPDX-License-Identifier: Apache-2.0
// Boost.Beast messages are at home here: an operator's port has no microseconds to save.
#include "control/admin_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/bytes.h"

namespace portolan::control {

using base::Code;
using base::Result;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;

namespace {
constexpr std::size_t body_bytes_max = 1 << 20;
constexpr std::size_t keyed_body_bytes_max = 64 << 20;  // a set of policies may be large
constexpr std::chrono::seconds exchange_max{30};
constexpr std::chrono::seconds linger_max{2};
constexpr std::size_t linger_bytes = 4096;
constexpr std::size_t sessions_max = 256;
constexpr std::chrono::milliseconds accept_pause{50};

bool matches(const std::string& route, const std::string& path) {
  return path == route || (route.ends_with('/') && path.starts_with(route));
}

/// "[::1]:8081" → "::1", "localhost:8081" → "localhost".
std::string_view without_port(std::string_view host) {
  if (host.starts_with('['))
    return host.substr(1, host.find(']') == std::string_view::npos ? 0 : host.find(']') - 1);
  return host.substr(0, host.find(':'));
}
}  // namespace

AdminReply admin_error(int status, std::string_view message) {
  return {.status = status, .content_type = "application/json", .body = nlohmann::json{{"error", message}}.dump()};
}

struct AdminServer::Server {
  struct Route {
    std::string method;
    std::string path;
    Handler handler;
    bool open;
  };
  class Session;

  std::size_t sessions = 0;  // before io: what io still holds at its end counts itself out
  asio::io_context io{1};
  Tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  AdminOptions options;
  std::vector<Route> routes;
  std::thread thread;

  void accept();
  void accept_after_a_pause();
  AdminReply answer(const http::request<http::string_body>& request, const std::string& peer) const;
  AdminReply find(const http::request<http::string_body>& request, const std::string& peer) const;
  bool host_known(std::string_view host) const;
  bool key_fits(const http::request<http::string_body>& request) const;
};

/// One operator's connection: requests one after another, each within a deadline.
class AdminServer::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, Tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    ++server_.sessions;
    beast::error_code unknown;
    const Tcp::endpoint peer = stream_.socket().remote_endpoint(unknown);
    if (!unknown) peer_ = peer.address().to_string();
  }
  ~Session() { --server_.sessions; }

  void read() {
    parser_.emplace();
    parser_->body_limit(keyed_body_bytes_max);
    stream_.expires_after(exchange_max);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (error) return self->fail(error);
                              self->read_body();
                            });
  }

 private:
  /// A long body is read only of whoever has shown the key.
  void read_body() {
    if (!server_.key_fits(parser_->get())) {
      if (parser_->content_length().value_or(0) > body_bytes_max) return fail(http::error::body_limit);
      parser_->body_limit(body_bytes_max);
    }
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return self->fail(error);
      self->write();
    });
  }

  void fail(beast::error_code error) {
    if (error == http::error::body_limit) return refuse(413, "the body is too long");
    if (error == http::error::header_limit) return refuse(431, "the request's head is longer than 8 KiB");
    // Gone between two requests, or in the middle of one: nobody waits for an answer.
    if (error == http::error::end_of_stream || error == http::error::partial_message) return;
    if (error.category() == beast::error_code{http::error::bad_method}.category())
      refuse(400, "this is not an HTTP/1.1 request: " + error.message());
  }

  void refuse(int status, std::string_view message) {
    reply_ = {};
    fill(admin_error(status, message));
    reply_.keep_alive(false);
    send();
  }

  void fill(AdminReply answer) {
    reply_.result(static_cast<unsigned>(answer.status));
    reply_.set(http::field::content_type, answer.content_type);
    reply_.set("x-content-type-options", "nosniff");
    reply_.set(http::field::cache_control, "no-store");
    if (answer.status == 401) reply_.set(http::field::www_authenticate, "Bearer");
    reply_.body() = std::move(answer.body);
    reply_.prepare_payload();
  }

  void write() {
    const http::request<http::string_body>& request = parser_->get();
    reply_ = {};
    reply_.version(request.version());
    fill(server_.answer(request, peer_));
    reply_.keep_alive(request.keep_alive() && server_.acceptor.is_open());
    send();
  }

  void send() {
    stream_.expires_after(exchange_max);
    http::async_write(stream_, reply_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error && self->reply_.keep_alive()) return self->read();
      self->stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
      self->stream_.expires_after(linger_max);
      self->drop_the_rest();
    });
  }

  /// Until the other side closes too, or linger_max has passed. Closing with bytes unread would reset the
  /// connection, and the answer could be lost with it.
  void drop_the_rest() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(linger_bytes),
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (!error) self->drop_the_rest();
                            });
  }

  Server& server_;
  beast::tcp_stream stream_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> reply_;
};

void AdminServer::Server::accept() {
  acceptor.async_accept([this](beast::error_code error, Tcp::socket socket) {
    if (error == asio::error::operation_aborted || (error && !acceptor.is_open())) return;
    if (error) return accept_after_a_pause();
    if (sessions < sessions_max) std::make_shared<Session>(*this, std::move(socket))->read();
    if (acceptor.is_open()) accept();
  });
}

/// No descriptor is left, most likely: asking again at once would only take a core away from who could free one.
void AdminServer::Server::accept_after_a_pause() {
  pause.expires_after(accept_pause);
  pause.async_wait([this](beast::error_code error) {
    if (!error && acceptor.is_open()) accept();
  });
}

bool AdminServer::Server::host_known(std::string_view host) const {
  const std::string_view name = without_port(host);
  if (name == options.address || name == "localhost" || name == "127.0.0.1" || name == "::1") return true;
  return std::ranges::find(options.host_names, name) != options.host_names.end();
}

bool AdminServer::Server::key_fits(const http::request<http::string_body>& request) const {
  const auto field = request[http::field::authorization];
  const std::string_view value{field.data(), field.size()};
  constexpr std::string_view scheme = "Bearer ";
  return value.starts_with(scheme) && base::equal_constant_time(value.substr(scheme.size()), options.key);
}

AdminReply AdminServer::Server::answer(const http::request<http::string_body>& request,
                                       const std::string& peer) const {
  const auto host_field = request[http::field::host];
  const std::string_view host{host_field.data(), host_field.size()};
  if (!host_known(host))
    return admin_error(403, "this port is not known by that Host; use its address or localhost");
  const auto origin_field = request[http::field::origin];
  const std::string_view origin{origin_field.data(), origin_field.size()};
  if (!origin.empty() && origin != "http://" + std::string(host) && origin != "https://" + std::string(host))
    return admin_error(403, "requests from another site's pages are refused");
  return find(request, peer);
}

AdminReply AdminServer::Server::find(const http::request<http::string_body>& request,
                                     const std::string& peer) const {
  const std::string_view target{request.target().data(), request.target().size()};
  AdminRequest asked{.method = std::string(request.method_string()),
                     .path = {},
                     .query = {},
                     .body = request.body(),
                     .peer_address = peer};
  const std::size_t question = target.find('?');
  if (!base::percent_decode(target.substr(0, question), asked.path))
    return admin_error(400, "the path has a broken escape");
  if (question != std::string_view::npos) asked.query = target.substr(question + 1);

  bool path_known = false;
  for (const Route& route : routes) {
    if (!matches(route.path, asked.path)) continue;
    path_known = true;
    if (route.method != asked.method) continue;
    if (!route.open && !key_fits(request))
      return admin_error(
          401,
          "the admin key is missing or wrong: send Authorization: Bearer KEY (the key is in DATA_DIR/admin.key)");
    try {
      return route.handler(asked);
    } catch (const std::exception& e) {
      return admin_error(500, e.what());
    }
  }
  // Without a key nobody learns which paths exist.
  if (!key_fits(request)) return admin_error(401, "the admin key is missing or wrong");
  return path_known ? admin_error(405, asked.path + " does not take " + asked.method)
                    : admin_error(404, "nothing is served at " + asked.path);
}

AdminServer::AdminServer() : server_(std::make_unique<Server>()) {}
AdminServer::~AdminServer() {
  stop();
}

void AdminServer::route(std::string method, std::string path, Handler handler, bool open) {
  server_->routes.push_back({std::move(method), std::move(path), std::move(handler), open});
}

Result<void> AdminServer::start(AdminOptions options, world::Descriptor inherited) {
  server_->options = std::move(options);
  beast::error_code error;
  const auto address = asio::ip::make_address(server_->options.address, error);
  if (error)
    return base::fail(Code::config_invalid, "admin.address " + server_->options.address + " is not an IP address");
  const Tcp::endpoint endpoint{address, server_->options.port};
  if (inherited.valid()) {
    server_->acceptor.assign(endpoint.protocol(), inherited.get(), error);
    if (!error) inherited.release();
  } else {
    server_->acceptor.open(endpoint.protocol(), error);
    if (!error) server_->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) server_->acceptor.bind(endpoint, error);
    if (!error) server_->acceptor.listen(64, error);
  }
  if (error)
    return base::fail(Code::config_invalid, "cannot listen on " + server_->options.address + ":" +
                                                std::to_string(server_->options.port) +
                                                " (admin): " + error.message());
  port_ = server_->acceptor.local_endpoint().port();
  server_->accept();
  server_->thread = std::thread([server = server_.get()] { server->io.run(); });
  return {};
}

int AdminServer::socket() const {
  return server_->acceptor.native_handle();
}

void AdminServer::give_up() {
  asio::post(server_->io, [server = server_.get()] {
    // Released rather than closed: the socket lives on elsewhere, and its events are no business of this process.
    beast::error_code ignored;
    const world::Descriptor listening(server->acceptor.release(ignored));
  });
}

void AdminServer::stop() {
  server_->io.stop();
  if (server_->thread.joinable()) server_->thread.join();
}

}  // namespace portolan::control
