// SPDX-License-Identifier: Apache-2.0
#include "load/request.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "wire/http.h"

namespace portolan::load {
namespace {

constexpr std::string_view content_type = "application/json";

std::string prompt_of(const LoadOptions& options, std::size_t padding) {
  constexpr std::string_view filler = "every port has a chart and every chart a port; ";
  std::string prompt = fmt::format("#tokens={}", options.output_tokens);
  if (padding > 0) prompt += ' ';
  while (padding > 1) {
    const std::size_t piece = std::min(padding - 1, filler.size());
    prompt += filler.substr(0, piece);
    padding -= piece;
  }
  return prompt;
}

std::string body_with(const LoadOptions& options, const std::string& prompt) {
  using nlohmann::json;
  switch (options.operation) {
    case domain::Operation::invoke_model:
    case domain::Operation::invoke_model_stream:
      return json{{"anthropic_version", "bedrock-2023-05-31"},
                  {"max_tokens", options.output_tokens},
                  {"messages", json::array({{{"role", "user"}, {"content", prompt}}})}}
          .dump();
    case domain::Operation::chat_completions:
      return json{{"model", options.model},
                  {"max_tokens", options.output_tokens},
                  {"stream", options.stream},
                  {"messages", json::array({{{"role", "user"}, {"content", prompt}}})}}
          .dump();
    default: {
      const json content = json::array({{{"text", prompt}}});
      return json{{"messages", json::array({{{"role", "user"}, {"content", content}}})},
                  {"inferenceConfig", {{"maxTokens", options.output_tokens}}}}
          .dump();
    }
  }
}

}  // namespace

base::Result<Address> read_address(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    return base::fail(base::Code::usage, fmt::format("url \"{}\": {}; write http://HOST:PORT", url, why));
  };
  std::string_view rest = url;
  if (rest.starts_with("https://")) return refuse("the load generator speaks plain HTTP only");
  if (!rest.starts_with("http://")) return refuse("it must begin with http://");
  rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) return refuse("only a host and a port are allowed");

  Address address{.port = "80", .authority = std::string{rest}};
  const bool bracketed = rest.starts_with('[');
  const std::size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && host_end == std::string_view::npos) return refuse("the IPv6 address is not closed by ]");
  address.host = bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  const std::string_view after =
      host_end == std::string_view::npos ? std::string_view{} : rest.substr(host_end + (bracketed ? 1 : 0));
  if (address.host.empty()) return refuse("the host is missing");
  if (!after.empty()) {
    unsigned port = 0;
    const auto [end, failure] = std::from_chars(after.data() + 1, after.data() + after.size(), port);
    if (after[0] != ':' || failure != std::errc{} || end != after.data() + after.size() || port < 1 || port > 65535)
      return refuse("the port must be a number from 1 to 65535");
    address.port = after.substr(1);
  }
  return address;
}

std::string request_body(const LoadOptions& options) {
  const std::string least = body_with(options, prompt_of(options, 0));
  const std::size_t padding = options.request_bytes > least.size() ? options.request_bytes - least.size() : 0;
  return body_with(options, prompt_of(options, padding));
}

std::string request_path(const LoadOptions& options) {
  if (options.operation == domain::Operation::chat_completions) return "/v1/chat/completions";
  std::string path = "/model/";
  base::percent_encode(options.model, path);
  switch (options.operation) {
    case domain::Operation::invoke_model:
      return path + "/invoke";
    case domain::Operation::invoke_model_stream:
      return path + "/invoke-with-response-stream";
    case domain::Operation::converse_stream:
      return path + "/converse-stream";
    default:
      return path + "/converse";
  }
}

RequestMaker::RequestMaker(const LoadOptions& options, const Address& address)
    : authority_(address.authority),
      path_(request_path(options)),
      region_(options.source_region),
      body_(request_body(options)),
      body_hash_(base::sha256(body_)) {
  if (options.api_key.empty())
    signer_ = std::make_unique<identity::Signer>(options.access_key_id, base::Secret{options.secret_access_key});
  else
    authorization_ = "Bearer " + options.api_key;
}

std::shared_ptr<const std::string> RequestMaker::request(base::WallTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (request_ != nullptr && (second == made_for_ || signer_ == nullptr)) return request_;
  made_for_ = second;
  std::string bytes;
  bytes.reserve(body_.size() + 1024);
  wire::append_request_line(bytes, "POST", path_);
  wire::append_field(bytes, "host", authority_);
  wire::append_field(bytes, "content-type", content_type);
  wire::append_field(bytes, "content-length", body_.size());
  if (signer_ != nullptr)
    signer_->append_signature(bytes, "POST", path_, authority_, content_type, body_hash_, region_, now);
  else
    wire::append_field(bytes, "authorization", authorization_);
  wire::append_blank_line(bytes);
  bytes += body_;
  request_ = std::make_shared<const std::string>(std::move(bytes));
  return request_;
}

}  // namespace portolan::load
