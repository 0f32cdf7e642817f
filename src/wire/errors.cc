// SPDX-License-Identifier: Apache-2.0
#include "wire/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <fmt/format.h>
#include <simdjson.h>

#include "base/bytes.h"
#include "wire/sse.h"

namespace portolan::wire {
namespace {

using base::Code;
using domain::Dialect;

constexpr std::size_t message_bytes_max = 1024;
/// More than any error body that says something; a longer one is not read.
constexpr std::size_t error_body_bytes_max = std::size_t{64} << 10;
constexpr auto retry_after_max = std::chrono::hours{24};

struct TypeCode {
  std::string_view type;
  Code code;
};

/// Bedrock's error types (botocore model of bedrock-runtime 2023-09-30; User Guide, "Troubleshooting API error
/// codes"). What a Region says about our account or our signature is not the caller's fault: the operator has to
/// look.
constexpr auto upstream_types = std::to_array<TypeCode>({
    {"ThrottlingException", Code::upstream_throttled},
    {"ServiceUnavailableException", Code::upstream_unavailable},
    {"InternalServerException", Code::upstream_error},
    {"ValidationException", Code::upstream_rejected},
    {"ModelErrorException", Code::upstream_model_error},
    {"ModelStreamErrorException", Code::upstream_model_error},
    {"ModelTimeoutException", Code::upstream_model_timeout},
    {"ModelNotReadyException", Code::upstream_unavailable},
    {"ResourceNotFoundException", Code::upstream_model_absent},
    {"FTUFormNotFilled", Code::upstream_model_absent},
    {"ServiceQuotaExceededException", Code::upstream_throttled},
    {"ConflictException", Code::upstream_rejected},
    {"AccessDeniedException", Code::upstream_credentials},
    {"IncompleteSignature", Code::upstream_credentials},
    {"IncompleteSignatureException", Code::upstream_credentials},
    {"InvalidSignatureException", Code::upstream_credentials},
    {"SignatureDoesNotMatch", Code::upstream_credentials},
    {"RequestExpired", Code::upstream_credentials},
    {"InvalidClientTokenId", Code::upstream_credentials},
    {"UnrecognizedClientException", Code::upstream_credentials},
    {"ExpiredTokenException", Code::upstream_credentials},
    {"MissingAuthenticationToken", Code::upstream_credentials},
    {"MissingAuthenticationTokenException", Code::upstream_credentials},
    {"InternalFailure", Code::upstream_error},
});

/// Texts of a ValidationException that speak of the Region and not of the request: there, the model does not exist
/// or cannot be called by this name. Another Region may well have it.
constexpr auto model_absent_texts = std::to_array<std::string_view>({
    "The provided model identifier is invalid",
    "on-demand throughput isn",  // "… isn't supported", with either apostrophe
});

/// The exceptions that ConverseStream's event stream declares; InvokeModelWithResponseStream declares these and one
/// more.
constexpr auto stream_exceptions = std::to_array<TypeCode>({
    {"internalServerException", Code::upstream_error},
    {"modelStreamErrorException", Code::upstream_model_error},
    {"validationException", Code::upstream_rejected},
    {"throttlingException", Code::upstream_throttled},
    {"serviceUnavailableException", Code::upstream_unavailable},
});

Code status_code(int status) {
  switch (status) {
    case 401:
    case 403:
      return Code::upstream_credentials;
    case 404:
      return Code::upstream_model_absent;
    case 408:
      return Code::upstream_model_timeout;
    case 424:
      return Code::upstream_model_error;
    case 429:
      return Code::upstream_throttled;
    case 503:
    case 529:
      return Code::upstream_unavailable;
    default:
      break;
  }
  if (status >= 500 && status <= 599) return Code::upstream_error;
  if (status >= 400 && status <= 499) return Code::upstream_rejected;
  return Code::upstream_malformed;
}

// "ThrottlingException:http://internal…" and "com.amazon.bedrock#ThrottlingException" are both ThrottlingException.
std::string_view bare_type(std::string_view type) {
  type = type.substr(0, type.find(':'));
  if (const auto hash = type.rfind('#'); hash != std::string_view::npos) type.remove_prefix(hash + 1);
  return type;
}

/// What an error body says; views into the parser's document.
struct ErrorBody {
  std::string_view type;
  std::string_view message;
};

ErrorBody read_error_body(simdjson::dom::parser& parser, std::string_view body) {
  ErrorBody read;
  simdjson::dom::object object;
  if (body.empty() || body.size() > error_body_bytes_max || parser.parse(body.data(), body.size()).get(object))
    return read;
  const auto first_string = [&](std::initializer_list<std::string_view> names) {
    std::string_view text;
    for (const std::string_view name : names)
      if (!object[name].get(text)) return text;
    return std::string_view{};
  };
  read.type = first_string({"__type", "code"});
  read.message = first_string({"message", "Message"});
  return read;
}

base::Duration retry_after(const Headers& headers) {
  const auto read = [&](std::string_view name, auto unit) -> base::Duration {
    const std::string_view text = headers.value(name);
    std::uint32_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (text.empty() || error != std::errc{} || stop != end) return {};  // a date: of no use without a clock
    return std::min<base::Duration>(unit * count, retry_after_max);
  };
  const base::Duration exact = read("x-amz-retry-after", std::chrono::milliseconds{1});
  return exact != base::Duration{} ? exact : read("retry-after", std::chrono::seconds{1});
}

std::string openai_error(const base::Error& error) {
  const base::CodeFacts& facts = error.facts();
  std::string body = R"({"error":{"message":)";
  append_json_string(body, error.message);
  body += R"(,"type":)";
  append_json_string(body, facts.openai_type);
  body += R"(,"param":null,"code":)";
  append_json_string(body, facts.name);
  body += "}}";
  return body;
}

std::string bedrock_error(const base::Error& error) {
  std::string body = R"({"message":)";
  append_json_string(body, error.message);
  body += '}';
  return body;
}

}  // namespace

ErrorReply error_reply(const base::Error& error, Dialect dialect) {
  const base::CodeFacts& facts = error.facts();
  ErrorReply reply;
  if (dialect == Dialect::openai) {
    reply.status = facts.openai_status;
    reply.body = openai_error(error);
  } else {
    reply.status = facts.bedrock_status;
    reply.error_type = facts.bedrock_type;
    reply.body = bedrock_error(error);
  }
  if (error.retry_after > base::Duration{}) {
    const auto wait = std::min<base::Duration>(error.retry_after, retry_after_max);
    reply.retry_after_s = static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
  }
  return reply;
}

void append_stream_error(std::string& out, const base::Error& error, Dialect dialect) {
  if (dialect == Dialect::openai) {
    append_sse(out, openai_error(error));
    return;
  }
  std::string type(error.facts().bedrock_type);
  type.front() = static_cast<char>(type.front() | 0x20);
  const bool is_declared = std::ranges::find(stream_exceptions, type, &TypeCode::type) != stream_exceptions.end();
  append_exception_frame(out, is_declared ? type : "internalServerException", bedrock_error(error));
}

base::Error upstream_error(int status, const Headers& headers, std::string_view body) {
  simdjson::dom::parser parser;
  const ErrorBody said = read_error_body(parser, body);
  const Header* const header = headers.find("x-amzn-errortype");
  const std::string_view type = bare_type(header != nullptr ? header->value : said.type);

  const bool is_error = status >= 400 && status <= 599;
  const auto* const known = std::ranges::find(upstream_types, type, &TypeCode::type);
  Code code = is_error && known != upstream_types.end() ? known->code : status_code(status);
  const auto is_said = [&](std::string_view text) { return said.message.contains(text); };
  if (code == Code::upstream_rejected && std::ranges::any_of(model_absent_texts, is_said))
    code = Code::upstream_model_absent;

  std::string message(base::cut_text(said.message, message_bytes_max));
  const bool quotes = !message.empty();
  if (!quotes) message = fmt::format("the Region answered with status {} and no message", status);
  base::Error error = base::error(code, std::move(message), retry_after(headers));
  error.quotes_upstream = quotes;
  return error;
}

base::Error stream_exception(const Frame& frame) {
  simdjson::dom::parser parser;
  std::string message(base::cut_text(read_error_body(parser, frame.payload).message, message_bytes_max));
  const bool quotes = !message.empty();
  if (!quotes) message = fmt::format("the Region ended the stream with {} and no message", frame.type);
  base::Error error = base::error(exception_code(frame.type), std::move(message));
  error.quotes_upstream = quotes;
  return error;
}

base::Code exception_code(std::string_view exception_type) {
  if (exception_type == "modelTimeoutException") return Code::upstream_model_timeout;
  const auto* const known = std::ranges::find(stream_exceptions, exception_type, &TypeCode::type);
  return known != stream_exceptions.end() ? known->code : Code::upstream_error;
}

}  // namespace portolan::wire
