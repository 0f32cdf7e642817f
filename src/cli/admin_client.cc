// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/configuration.h"

namespace portolan::cli {

using base::Code;
using base::Result;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string first_line(const std::string& path) {
  const auto text = read_text(path);
  return text ? text->substr(0, text->find('\n')) : "";
}

struct Where {
  std::string host;
  std::string port;
};

Result<Where> read_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme))
    return base::fail(Code::usage, "--admin " + std::string(url) + ": http://HOST:PORT is expected");
  url.remove_prefix(scheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t colon = url.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == url.size())
    return base::fail(Code::usage, "--admin " + std::string(url) + ": the port is missing");
  return Where{std::string(url.substr(0, colon)), std::string(url.substr(colon + 1))};
}

}  // namespace

std::string default_data_dir() {
  const std::string named = environment("PORTOLAN_DATA_DIR");
  return named.empty() ? "portolan-data" : named;
}

void AdminClient::add_options(CLI::App& command) {
  command.add_option("--admin", url_,
                     "Admin port of the gateway, http://HOST:PORT (default: $PORTOLAN_ADMIN, else what "
                     "the gateway left in $PORTOLAN_DATA_DIR)");
  command.add_option("--admin-key", key_, "Its key (default: $PORTOLAN_ADMIN_KEY, else DATA_DIR/admin.key)");
}

Result<AdminClient::Answer> AdminClient::ask(std::string_view method, std::string_view path, std::string_view body,
                                             std::chrono::seconds within) const {
  const std::string data_dir = default_data_dir();
  std::string url = !url_.empty() ? url_ : environment("PORTOLAN_ADMIN");
  if (url.empty()) url = first_line(data_dir + "/admin.url");
  if (url.empty())
    return base::fail(Code::unreachable,
                      "no gateway is named: give --admin URL, set PORTOLAN_ADMIN, or PORTOLAN_DATA_DIR to the "
                      "data directory of a running one");
  std::string key = !key_.empty() ? key_ : environment("PORTOLAN_ADMIN_KEY");
  if (key.empty()) key = first_line(data_dir + "/admin.key");

  TRY(const Where where, read_url(url));
  asio::io_context io;
  beast::error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(where.host, where.port, error);
  if (error) return base::fail(Code::unreachable, url + ": " + error.message());

  http::request<http::string_body> request{
      http::string_to_verb({method.data(), method.size()}), {path.data(), path.size()}, 11};
  request.set(http::field::host, where.host + ":" + where.port);
  request.set(http::field::authorization, "Bearer " + key);
  request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  beast::tcp_stream stream(io);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> reply;
  reply.body_limit(std::uint64_t{1} << 30);
  bool complete = false;
  stream.expires_after(within);
  stream.async_connect(found, [&](beast::error_code failed, const asio::ip::tcp::endpoint&) {
    if ((error = failed)) return;
    http::async_write(stream, request, [&](beast::error_code write_failed, std::size_t) {
      if ((error = write_failed)) return;
      http::async_read(stream, buffer, reply, [&](beast::error_code read_failed, std::size_t) {
        error = read_failed;
        complete = !read_failed;
      });
    });
  });
  io.run();
  if (!complete)
    return base::fail(Code::unreachable, "the gateway at " + url + " does not answer: " + error.message());
  return Answer{static_cast<int>(reply.get().result_int()), std::move(reply.get().body())};
}

Result<std::string> AdminClient::expect(std::string_view method, std::string_view path,
                                        std::string_view body) const {
  TRY(Answer answer, ask(method, path, body));
  return expect_success(std::move(answer));
}

Result<std::string> AdminClient::expect_success(Answer answer) {
  if (answer.status >= 200 && answer.status < 300) return std::move(answer.body);
  const auto reply = nlohmann::json::parse(answer.body, nullptr, false);
  const std::string words = reply.is_object() ? reply.value("error", answer.body) : answer.body;
  const bool ours = answer.status == 400 || answer.status == 401 || answer.status == 403 || answer.status == 404;
  return base::fail(ours ? Code::usage : Code::internal, words);
}

}  // namespace portolan::cli
