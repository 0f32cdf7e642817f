// SPDX-License-Identifier: Apache-2.0
// Heads are read in two steps: find the blank line, then parse the whole head at once. The search resumes where it
// stopped, so a head that arrives a byte at a time costs no more than one that arrives whole, and the parser never
// has to keep half a field. Grammar is Boost.Beast's basic_parser; what it tolerates and RFC 9112 calls a risk for
// intermediaries (sections 2.2, 3.2, 5.1, 5.2, 6.3 and 11.2) is refused on top of it.
#include "wire/http.h"

#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "base/bytes.h"

namespace portolan::wire {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// RFC 9110 section 5.6.2.
constexpr bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
}

/// RFC 3986 section 3.2: what a host with its port may be written with. No user information, no spaces.
constexpr bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-._~%!$&'()*+;=:[]"}.contains(c);
}

/// RFC 9112 section 3.2: origin-form, or "*" for OPTIONS. Null when the target is fine, else what is wrong with it.
const char* problem_of_target(std::string_view method, std::string_view target) {
  for (const char c : target) {
    if (c == '#' || static_cast<unsigned char>(c) >= 0x80) {
      return "the target holds '#' or a byte beyond ASCII; percent-encode it";
    }
  }
  if (target.starts_with('/') || (target == "*" && method == "OPTIONS")) return nullptr;
  if (target.contains("://")) {
    return "the target is in absolute-form (\"http://host/path\"); this is not a forward proxy, send \"/path\"";
  }
  return "the target must start with '/'";
}

/// What Beast refused, as a sentence.
const char* describe(const beast::error_code& error) {
  switch (static_cast<http::error>(error.value())) {
    case http::error::bad_method:
      return "the method must be a token followed by one space";
    case http::error::bad_target:
      return "the target is empty or holds a control character";
    case http::error::bad_version:
      return "the version must be HTTP/1.0 or HTTP/1.1 and end its line";
    case http::error::bad_status:
      return "the status must be three digits followed by one space";
    case http::error::bad_reason:
      return "the reason phrase holds a control character";
    case http::error::bad_field:
      return "a field name must be a token with the colon directly behind it";
    case http::error::bad_value:
      return "a field value holds a control character, or a list that is not one";
    case http::error::bad_line_ending:
      return "a CR must be followed by LF";
    case http::error::bad_content_length:
      return "content-length must be one decimal number";
    case http::error::multiple_content_length:
      return "content-length is given more than once";
    case http::error::bad_transfer_encoding:
      return "transfer-encoding must be exactly \"chunked\", once, and not together with content-length";
    default:
      return "a line is incomplete";
  }
}

/// Checks a head while Beast takes it apart. Lives on the stack for one head; allocates nothing.
template <bool is_request>
class HeadParser final : public http::basic_parser<is_request> {
 public:
  using Head = std::conditional_t<is_request, RequestHead, ResponseHead>;

  explicit HeadParser(Head& head) : head_(head) { head_.headers.clear(); }

  /// Parses `bytes`, which is exactly one head of the allowed size. Null when it is fine, else what is wrong.
  const char* parse(std::string_view bytes) {
    this->header_limit(static_cast<std::uint32_t>(bytes.size()));
    this->body_limit(boost::none);  // the body's size is the gateway's matter
    beast::error_code error;
    const std::size_t used = this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (problem_ != nullptr) return problem_;
    if (error) return describe(error);
    if (used != bytes.size()) return "a line is incomplete";
    head_.head_bytes = used;
    head_.keep_alive = this->keep_alive();
    return finish();
  }

  bool too_many_fields() const { return too_many_fields_; }

 private:
  const char* finish() {
    if (content_lengths_ > 1) return "content-length is given more than once";
    if (transfer_encodings_ > 0 && content_lengths_ > 0) {
      return "content-length and transfer-encoding exclude each other";
    }
    if (transfer_encodings_ > 1) return "transfer-encoding is given more than once";
    if (transfer_encodings_ > 0 && head_.minor_version == 0) return "transfer-encoding does not exist in HTTP/1.0";
    head_.content_length = content_lengths_ > 0 ? *this->content_length() : 0;
    head_.framing = transfer_encodings_ > 0 ? BodyFraming::chunked
                    : content_lengths_ > 0  ? BodyFraming::length
                                            : BodyFraming::none;
    if constexpr (is_request) {
      return finish_request();
    } else {
      return finish_response();
    }
  }

  const char* finish_request() {
    if (hosts_ > 1) return "host is given more than once";
    if (hosts_ == 0 && head_.minor_version == 1) return "HTTP/1.1 requires a host field";
    // An expectation without a body, or from a version that has no 100, asks for nothing (RFC 9110 section 10.1.1).
    head_.expects_continue = expects_continue_ && head_.minor_version == 1 && head_.framing != BodyFraming::none;
    return problem_of_target(head_.method, head_.target);
  }

  const char* finish_response() {
    if (head_.status < 100 || head_.status > 599) return "the status is not between 100 and 599";
    if (head_.status == 101) return "the server switched protocols, which was never asked for";
    const bool bodiless = head_.status < 200 || head_.status == 204 || head_.status == 304;
    if (bodiless) {
      // RFC 9112 section 6.3: no body, whatever the fields say. A server that announces one where none may be is
      // not trusted with a second request on this connection. A 304 may repeat the length of what was not sent.
      const bool announced = head_.framing == BodyFraming::chunked || head_.content_length > 0;
      if (announced && head_.status != 304) head_.keep_alive = false;
      head_.framing = BodyFraming::none;
      head_.content_length = 0;
    } else if (head_.framing == BodyFraming::none) {
      head_.framing = BodyFraming::until_close;
      head_.keep_alive = false;
    }
    return nullptr;
  }

  void refuse(const char* problem, beast::error_code& error) {
    problem_ = problem;
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int version,
                       beast::error_code&) override {
    if constexpr (is_request) {
      head_.method = view(method);
      head_.target = view(target);
      head_.minor_version = version % 10;
    }
  }

  void on_response_impl(int status, beast::string_view, int version, beast::error_code&) override {
    if constexpr (!is_request) {
      head_.status = status;
      head_.minor_version = version % 10;
    }
  }

  void on_field_impl(http::field field, beast::string_view name, beast::string_view value,
                     beast::error_code& error) override {
    if (!head_.headers.add(view(name), view(value))) {
      too_many_fields_ = true;
      return refuse("there are more than 96 fields", error);
    }
    switch (field) {
      case http::field::host:
        ++hosts_;
        for (const char c : view(value)) {
          if (is_request && !is_host_char(c)) return refuse("host is not a host name or address", error);
        }
        break;
      case http::field::content_length:
        ++content_lengths_;
        for (const char c : view(value)) {
          if (c < '0' || c > '9') return refuse("content-length must be one decimal number", error);
        }
        break;
      case http::field::transfer_encoding:
        ++transfer_encodings_;
        if (!base::iequals(view(value), "chunked")) {
          return refuse("transfer-encoding must be exactly \"chunked\"", error);
        }
        break;
      case http::field::expect:
        expects_continue_ = base::iequals(view(value), "100-continue");
        if (is_request && !expects_continue_) return refuse("expect must be \"100-continue\"", error);
        break;
      default:
        break;
    }
  }

  // Beast calls none of these while it is given a head alone.
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override {
    return body.size();
  }
  void on_finish_impl(beast::error_code&) override {}

  Head& head_;
  const char* problem_ = nullptr;
  unsigned hosts_ = 0;
  unsigned content_lengths_ = 0;
  unsigned transfer_encodings_ = 0;
  bool expects_continue_ = false;
  bool too_many_fields_ = false;
};

/// Where the search for the blank line stands.
struct HeadEnd {
  std::size_t head_bytes = 0;     // 0: not found yet
  const char* problem = nullptr;  // what was met on the way and cannot become right
};

/// Looks for the blank line from `searched` on. Bare LF and folded lines are refused here, because Beast would wait
/// for more at the first and unfold the second. A LF whose next byte is unknown is looked at again.
HeadEnd find_head_end(std::string_view bytes, std::size_t& searched) {
  while (searched < bytes.size()) {
    const std::size_t lf = bytes.find('\n', searched);
    if (lf == std::string_view::npos) break;
    if (lf == 0 || bytes[lf - 1] != '\r') return {.problem = "a line ends in LF without CR"};
    if (lf == 1) return {.problem = "there is an empty line before the first line"};
    if (bytes[lf - 2] == '\n') return {.head_bytes = lf + 1};
    if (lf + 1 == bytes.size()) {
      searched = lf;
      return {};
    }
    if (bytes[lf + 1] == ' ' || bytes[lf + 1] == '\t') return {.problem = "a line is folded onto the next"};
    searched = lf + 1;
  }
  searched = bytes.size();
  return {};
}

template <bool is_request>
base::Result<bool> read_head(std::string_view bytes, std::size_t head_bytes_max, std::size_t& searched,
                             typename HeadParser<is_request>::Head& head) {
  constexpr base::Code malformed = is_request ? base::Code::malformed_request : base::Code::upstream_malformed;
  constexpr base::Code too_large = is_request ? base::Code::head_too_large : base::Code::upstream_malformed;
  constexpr std::string_view place = is_request ? "request head: " : "response head: ";
  const auto fail = [&](base::Code code, const char* problem) {
    return base::fail(code, std::string(place) + problem);
  };

  const HeadEnd end = find_head_end(bytes.substr(0, head_bytes_max), searched);
  if (end.problem != nullptr) return fail(malformed, end.problem);
  if (end.head_bytes == 0) {
    if (bytes.size() < head_bytes_max) return false;
    return base::fail(too_large,
                      std::string(place) + "it is larger than " + std::to_string(head_bytes_max) + " bytes");
  }
  HeadParser<is_request> parser(head);
  const char* problem = parser.parse(bytes.substr(0, end.head_bytes));
  if (problem != nullptr) return fail(parser.too_many_fields() ? too_large : malformed, problem);
  return true;
}

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr unsigned chunk_size_digits_max = 16;
constexpr std::uint32_t chunk_extra_bytes_max = 8192;

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, base);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

}  // namespace

const Header* Headers::find(std::string_view name) const {
  for (const Header& field : *this) {
    if (base::iequals(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view Headers::value(std::string_view name) const {
  const Header* field = find(name);
  return field == nullptr ? std::string_view{} : field->value;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Header& field : *this) found += base::iequals(field.name, name) ? 1 : 0;
  return found;
}

base::Result<bool> read_request_head(std::string_view bytes, std::size_t head_bytes_max, std::size_t& searched,
                                     RequestHead& head) {
  return read_head<true>(bytes, head_bytes_max, searched, head);
}

base::Result<bool> read_response_head(std::string_view bytes, std::size_t head_bytes_max, std::size_t& searched,
                                      ResponseHead& head) {
  return read_head<false>(bytes, head_bytes_max, searched, head);
}

base::Result<std::string_view> ChunkedReader::next(std::string_view& input) {
  while (!input.empty() && state_ != State::done) {
    if (state_ == State::data) {
      const std::string_view piece = input.substr(0, left_);
      input.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::data_cr;
      return piece;
    }
    const char c = input.front();
    if (const char* problem = take_framing(c); problem != nullptr) {
      return base::fail(malformed_, std::string("chunked body: ") + problem);
    }
    input.remove_prefix(1);
  }
  return std::string_view{};
}

const char* ChunkedReader::take_framing(char c) {
  switch (state_) {
    case State::size:
      return take_size(c);
    case State::extension_space:
      if (c != ';' && c != ' ' && c != '\t')
        return "the chunk size is followed by something else than an extension";
      if (c == ';') state_ = State::extension;
      return count_extra();
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return nullptr;
      }
      if (is_control(c) && c != '\t') return "a chunk extension holds a control character";
      return count_extra();
    case State::size_lf:
      return expect(c, '\n', left_ > 0 ? State::data : State::trailer, "the chunk size line does not end in CRLF");
    case State::data_cr:
      return expect(c, '\r', State::data_lf, "the chunk's data is not followed by CRLF");
    case State::data_lf:
      size_digits_ = 0;
      return expect(c, '\n', State::size, "the chunk's data is not followed by CRLF");
    case State::trailer:
      if (c == '\r') {
        state_ = State::last_lf;
        return nullptr;
      }
      if (!is_token_char(c)) return "a trailer field has no name";
      state_ = State::trailer_name;
      return count_extra();
    case State::trailer_name:
      if (c == ':') {
        state_ = State::trailer_value;
      } else if (!is_token_char(c)) {
        return "a trailer field's name must be a token with the colon directly behind it";
      }
      return count_extra();
    case State::trailer_value:
      if (c == '\r') {
        state_ = State::trailer_lf;
        return nullptr;
      }
      if (is_control(c) && c != '\t') return "a trailer field's value holds a control character";
      return count_extra();
    case State::trailer_lf:
      return expect(c, '\n', State::trailer, "a trailer field does not end in CRLF");
    case State::last_lf:
      return expect(c, '\n', State::done, "the last line does not end in CRLF");
    case State::data:
    case State::done:
      break;
  }
  return "bytes after the end";
}

const char* ChunkedReader::take_size(char c) {
  const int digit = hex_value(c);
  if (digit >= 0) {
    if (size_digits_ == chunk_size_digits_max) return "the chunk size has more than 16 digits";
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    ++size_digits_;
    return nullptr;
  }
  if (size_digits_ == 0) return "the chunk size must start with a hexadecimal digit";
  if (c == '\r') {
    state_ = State::size_lf;
    return nullptr;
  }
  if (c != ';' && c != ' ' && c != '\t') return "the chunk size holds something else than hexadecimal digits";
  state_ = c == ';' ? State::extension : State::extension_space;
  return count_extra();
}

const char* ChunkedReader::expect(char c, char wanted, State next_state, const char* problem) {
  if (c != wanted) return problem;
  state_ = next_state;
  return nullptr;
}

const char* ChunkedReader::count_extra() {
  return ++extra_bytes_ > chunk_extra_bytes_max ? "extensions and trailers are larger than 8 KiB" : nullptr;
}

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
  out += method;
  out += ' ';
  out += target;
  out += " HTTP/1.1\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out += name;
  out += ": ";
  append_number(out, value);
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out += "\r\n";
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

std::string http_date(base::WallTime at) {
  constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(at - day)};

  std::string out = "Sun, 00 Jan 0000 00:00:00 GMT";
  const auto put_text = [&](std::size_t offset, std::string_view text) {
    text.copy(out.data() + offset, text.size());
  };
  const auto put_digits = [&](std::size_t offset, std::size_t count, std::int64_t value) {
    for (std::size_t i = count; i-- > 0; value /= 10) out[offset + i] = static_cast<char>('0' + value % 10);
  };
  put_text(0, weekdays.substr(3 * std::chrono::weekday{day}.c_encoding(), 3));
  put_digits(5, 2, unsigned{date.day()});
  put_text(8, months.substr(3 * (unsigned{date.month()} - 1), 3));
  put_digits(12, 4, int{date.year()});
  put_digits(17, 2, time.hours().count());
  put_digits(20, 2, time.minutes().count());
  put_digits(23, 2, time.seconds().count());
  return out;
}

}  // namespace portolan::wire
