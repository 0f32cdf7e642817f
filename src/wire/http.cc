// SPDX-License-Identifier: Apache-2.0
// Heads are read in two steps: find the blank line, then parse the whole head at once. The search resumes where it
// stopped, so a head that arrives a byte at a time costs no more than one that arrives whole, and the parser never
// has to keep half a field. What RFC 9112 calls a risk for intermediaries (sections 2.2, 3.2, 5.1, 5.2, 6.3 and
// 11.2) is refused.
//
// The parser is our own because Boost.Beast's basic_parser took more than twice as long over the head of an SDK's
// call (docs/adr/0003-own-http-core-on-asio.md). basic_parser remains the reference: http_request_fuzz.cc and
// http_response_fuzz.cc hold every head against it.
#include "wire/http.h"

#include <array>
#include <charconv>
#include <type_traits>

#include "base/bytes.h"

namespace portolan::wire {
namespace {

enum CharClass : std::uint8_t {
  token_char = 1,   // RFC 9110 section 5.6.2
  host_char = 2,    // RFC 3986 section 3.2: a host with its port. No user information, no spaces.
  target_char = 4,  // visible ASCII but '#': RFC 3986 and what clients send raw besides
};

constexpr std::array<std::uint8_t, 256> char_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned char c = 0x21; c < 0x7f; ++c) {
    const char as_char = static_cast<char>(c);
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || std::string_view{"!#$%&'*+-.^_`|~"}.contains(as_char)) classes[c] |= token_char;
    if (alphanumeric || std::string_view{"-._~%!$&'()*+;=:[]"}.contains(as_char)) classes[c] |= host_char;
    if (c != '#') classes[c] |= target_char;
  }
  return classes;
}();

constexpr bool is(CharClass wanted, char c) {
  return (char_classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

/// How many characters at the start of `text` are of that class.
std::size_t span(CharClass wanted, std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is(wanted, text[size])) ++size;
  return size;
}

constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A control character that is neither a tab nor part of a line end. One loop without a way out, over a whole head:
/// that is what the compiler makes vectors of.
bool holds_control(std::string_view head) {
  bool found = false;
  for (const char c : head) found |= is_control(c) && c != '\t' && c != '\r' && c != '\n';
  return found;
}

/// Without the blanks around it. A view into `text` also when nothing is left.
std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// RFC 9112 section 3.2: origin-form, or "*" for OPTIONS. Null when the target is fine, else what is wrong with it.
/// RFC 9112 section 3.2.2: absolute-form is taken as well, and its authority is the host. A Host field that names
/// another is what smuggling lives on, so both must agree. Leaves origin-form in `target`.
const char* take_origin_form(std::string_view method, std::string_view host, std::string_view& target) {
  if (target.starts_with('/') || (target == "*" && method == "OPTIONS")) return nullptr;
  constexpr std::string_view schemes[] = {"http://", "https://"};
  for (const std::string_view scheme : schemes) {
    if (!base::iequals(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t slash = rest.find_first_of("/?");
    if (host.empty() || !base::iequals(rest.substr(0, slash), host))
      return "the target names another host than Host";
    if (slash == std::string_view::npos || rest[slash] == '?') {
      return "the target in absolute-form has no path; write the '/' behind the host";
    }
    target = rest.substr(slash);
    return nullptr;
  }
  return "the target must start with '/'";
}

constexpr const char* problem_of_version = "the version must be HTTP/1.0 or HTTP/1.1 and end its line";
constexpr const char* problem_of_line_end = "a CR must be followed by LF";

/// Takes a head apart and checks it. Lives on the stack for one head; allocates nothing.
template <bool is_request>
class HeadParser {
 public:
  using Head = std::conditional_t<is_request, RequestHead, ResponseHead>;

  explicit HeadParser(Head& head) : head_(head) { head_.headers.clear(); }

  /// Parses `bytes`, which is exactly one head as find_head_end gives it: each LF stands behind a CR, no line is
  /// folded, the last line is blank. Null when it is fine, else what is wrong.
  const char* parse(std::string_view bytes) {
    head_.head_bytes = bytes.size();
    std::string_view rest = bytes.substr(0, bytes.size() - 2);
    std::string_view line;
    const bool first_line_ends = take_line(rest, line);
    if (const char* problem = take_first_line(line); problem != nullptr) return problem;
    if (!first_line_ends) return is_request ? problem_of_version : problem_of_line_end;
    while (!rest.empty()) {
      if (!take_line(rest, line)) return problem_of_line_end;
      if (const char* problem = take_field(line); problem != nullptr) return problem;
    }
    // The names and what stands before the reason phrase are of narrower sets.
    if (holds_control(bytes)) return "a field value or the reason phrase holds a control character";
    return finish();
  }

  bool too_many_fields() const { return too_many_fields_; }

 private:
  /// Takes the next line off `rest`, without its CRLF. False when a CR without LF ends it.
  static bool take_line(std::string_view& rest, std::string_view& line) {
    const std::size_t cr = rest.find('\r');  // there is one: `rest` ends in CRLF
    line = rest.substr(0, cr);
    rest.remove_prefix(cr + 1);
    if (!rest.starts_with('\n')) return false;
    rest.remove_prefix(1);
    return true;
  }

  bool take_version(std::string_view text) {
    head_.minor_version = text == "HTTP/1.0" ? 0 : 1;
    return head_.minor_version == 0 || text == "HTTP/1.1";
  }

  const char* take_first_line(std::string_view line) {
    if constexpr (is_request) {
      return take_request_line(line);
    } else {
      return take_status_line(line);
    }
  }

  const char* take_request_line(std::string_view line) {
    const std::size_t method_bytes = span(token_char, line);
    head_.method = line.substr(0, method_bytes);
    line.remove_prefix(method_bytes);
    if (head_.method.empty() || !line.starts_with(' ')) return "the method must be a token followed by one space";
    line.remove_prefix(1);
    const std::size_t space = line.find(' ');
    head_.target = line.substr(0, space);
    if (head_.target.empty()) return "the target is empty; exactly one space stands before it";
    if (span(target_char, head_.target) != head_.target.size()) {
      return "the target holds a control character, '#' or a byte beyond ASCII; percent-encode it";
    }
    const bool has_version = space != std::string_view::npos && take_version(line.substr(space + 1));
    return has_version ? nullptr : problem_of_version;
  }

  const char* take_status_line(std::string_view line) {
    constexpr std::size_t version_bytes = 8;
    if (!take_version(line.substr(0, version_bytes))) return problem_of_version;
    line.remove_prefix(version_bytes);
    const bool three_digits = line.size() >= 5 && line[0] == ' ' && base::is_digit(line[1]) &&
                              base::is_digit(line[2]) && base::is_digit(line[3]) && line[4] == ' ';
    if (!three_digits) return "the status must be three digits between single spaces";
    head_.status = (line[1] - '0') * 100 + (line[2] - '0') * 10 + (line[3] - '0');
    return nullptr;
  }

  const char* take_field(std::string_view line) {
    const std::size_t name_bytes = span(token_char, line);
    if (name_bytes == 0 || name_bytes == line.size() || line[name_bytes] != ':') {
      return "a field name must be a token with the colon directly behind it";
    }
    const std::string_view name = line.substr(0, name_bytes);
    const std::string_view value = trim(line.substr(name_bytes + 1));
    if (!head_.headers.add(name, value)) {
      too_many_fields_ = true;
      return "there are more than 96 fields";
    }
    return see_field(name, value);
  }

  /// Reads the few fields that decide about the message itself; the others are for others.
  const char* see_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        return is_request && base::iequals(name, "host") ? see_host(value) : nullptr;
      case 6:
        return is_request && base::iequals(name, "expect") ? see_expect(value) : nullptr;
      case 10:
        return base::iequals(name, "connection") ? see_connection(value) : nullptr;
      case 14:
        return base::iequals(name, "content-length") ? see_content_length(value) : nullptr;
      case 16:
        return base::iequals(name, "proxy-connection") ? see_connection(value) : nullptr;
      case 17:
        return base::iequals(name, "transfer-encoding") ? see_transfer_encoding(value) : nullptr;
      default:
        return nullptr;
    }
  }

  const char* see_host(std::string_view value) {
    if (has_host_) return "host is given more than once";
    has_host_ = true;
    host_ = value;
    return span(host_char, value) == value.size() ? nullptr : "host is not a host name or address";
  }

  const char* see_expect(std::string_view value) {
    expects_continue_ = true;
    return base::iequals(value, "100-continue") ? nullptr : "expect must be \"100-continue\"";
  }

  /// RFC 9110 section 5.6.1: a list whose elements may be empty.
  const char* see_connection(std::string_view value) {
    while (!value.empty()) {
      const std::size_t comma = value.find(',');
      const std::string_view option = trim(value.substr(0, comma));
      value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
      if (span(token_char, option) != option.size()) return "connection is not a list of tokens";
      says_close_ |= base::iequals(option, "close");
      says_keep_alive_ |= base::iequals(option, "keep-alive");
    }
    return nullptr;
  }

  const char* see_content_length(std::string_view value) {
    if (has_length_) return "content-length is given more than once";
    has_length_ = true;
    // Digits alone: from_chars takes no sign for an unsigned number, and stops at whatever else there is.
    const char* const value_end = value.data() + value.size();
    const auto [end, error] = std::from_chars(value.data(), value_end, length_);
    if (error == std::errc{} && end == value_end) return nullptr;
    return "content-length must be one decimal number below 2^64";
  }

  const char* see_transfer_encoding(std::string_view value) {
    if (is_chunked_) return "transfer-encoding is given more than once";
    is_chunked_ = true;
    return base::iequals(value, "chunked") ? nullptr : "transfer-encoding must be exactly \"chunked\"";
  }

  const char* finish() {
    if (is_chunked_ && has_length_) return "content-length and transfer-encoding exclude each other";
    if (is_chunked_ && head_.minor_version == 0) return "transfer-encoding does not exist in HTTP/1.0";
    head_.content_length = length_;
    head_.framing = is_chunked_ ? BodyFraming::chunked : has_length_ ? BodyFraming::length : BodyFraming::none;
    // RFC 9112 section 9.3: close wins, whatever else is said.
    head_.keep_alive = !says_close_ && (head_.minor_version == 1 || says_keep_alive_);
    if constexpr (is_request) {
      return finish_request();
    } else {
      return finish_response();
    }
  }

  const char* finish_request() {
    if (!has_host_ && head_.minor_version == 1) return "HTTP/1.1 requires a host field";
    // An expectation without a body, or from a version that has no 100, asks for nothing (RFC 9110 section 10.1.1).
    head_.expects_continue = expects_continue_ && head_.minor_version == 1 && head_.framing != BodyFraming::none;
    return take_origin_form(head_.method, host_, head_.target);
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

  Head& head_;
  std::uint64_t length_ = 0;
  std::string_view host_;
  bool has_host_ = false;
  bool has_length_ = false;
  bool is_chunked_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool expects_continue_ = false;
  bool too_many_fields_ = false;
};

/// Where the search for the blank line stands.
struct HeadEnd {
  std::size_t head_bytes = 0;     // 0: not found yet
  const char* problem = nullptr;  // what was met on the way and cannot become right
};

/// Looks for the blank line from `searched` on. Bare LF and folded lines are refused as soon as they are seen:
/// nobody shall wait for the end of a head that cannot become right. A LF whose next byte is unknown is looked at
/// again.
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
      if (!is(token_char, c)) return "a trailer field has no name";
      state_ = State::trailer_name;
      return count_extra();
    case State::trailer_name:
      if (c == ':') {
        state_ = State::trailer_value;
      } else if (!is(token_char, c)) {
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
  base::append_number(out, static_cast<std::uint64_t>(status));
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
  base::append_number(out, value);
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::size_t size) {
  base::append_number(out, size, 16);
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
