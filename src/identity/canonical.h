// SPDX-License-Identifier: Apache-2.0
// The canonical request of Signature Version 4, written piece by piece into a sink: the SHA-256 on the path of a
// call, a string for tests and explanations. One text, two uses; there is no second implementation that could
// differ. Private to identity/.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sha256.h"
#include "identity/sigv4.h"

namespace portolan::identity {

/// Collects small pieces and hashes them by the kilobyte: a hash update costs more than the copy of a header's
/// name.
class HashSink {
 public:
  void append(std::string_view text) {
    if (text.size() > buffer_.size() - used_) {
      flush();
      if (text.size() > buffer_.size()) {
        hash_.update(text);
        return;
      }
    }
    std::memcpy(buffer_.data() + used_, text.data(), text.size());
    used_ += text.size();
  }
  void append(char c) { append(std::string_view{&c, 1}); }
  base::Digest finish() {
    flush();
    return hash_.finish();
  }

 private:
  void flush() {
    hash_.update({buffer_.data(), used_});
    used_ = 0;
  }
  base::Sha256 hash_;
  std::array<char, 1024> buffer_;
  std::size_t used_ = 0;
};

class TextSink {
 public:
  explicit TextSink(std::string& out) : out_(out) {}
  void append(std::string_view text) { out_ += text; }
  void append(char c) { out_ += c; }

 private:
  std::string& out_;
};

/// Calls `visit(name)` for each name of a SignedHeaders list.
template <class Visit>
void for_each_name(std::string_view signed_headers, Visit visit) {
  while (true) {
    const std::size_t end = signed_headers.find(';');
    visit(signed_headers.substr(0, end));
    if (end == std::string_view::npos) return;
    signed_headers.remove_prefix(end + 1);
  }
}

/// Which fields of the request a SignedHeaders list covers, and the first name on it that the request does not
/// have.
struct Coverage {
  std::bitset<wire::headers_max> covered;
  std::string_view missing;
};

/// Percent-encodes all but unreserved characters and those in `keep`.
template <class Sink>
void append_encoded(Sink& sink, std::string_view text, char keep) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (base::is_unreserved(text[i]) || text[i] == keep) continue;
    sink.append(text.substr(from, i - from));
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape[] = {'%', digits[byte >> 4], digits[byte & 15]};
    sink.append(std::string_view{escape, sizeof escape});
    from = i + 1;
  }
  sink.append(text.substr(from));
}

/// Each raw segment encoded once more. Outside S3 the path is never normalised, and what arrives as %3A is signed
/// as %253A.
template <class Sink>
void append_canonical_path(Sink& sink, std::string_view path) {
  if (path.empty()) {
    sink.append('/');
  } else {
    append_encoded(sink, path, '/');
  }
}

/// Parameters decoded, encoded canonically and sorted by name, then by value. Model calls have none, so this may
/// allocate; the head's size limit bounds it.
template <class Sink>
void append_canonical_query(Sink& sink, std::string_view query) {
  if (query.empty()) return;
  std::vector<std::pair<std::string, std::string>> parameters;
  const auto canonical = [](std::string_view raw) {
    std::string decoded;
    // A broken escape is text like any other: the signer can only have meant its characters.
    if (!base::percent_decode(raw, decoded)) decoded = raw;
    std::string encoded;
    base::percent_encode(decoded, encoded);
    return encoded;
  };
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(piece.size() + 1, query.size()));
    if (piece.empty()) continue;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    parameters.emplace_back(canonical(piece.substr(0, equals)),
                            canonical(piece.substr(std::min(equals + 1, piece.size()))));
  }
  std::ranges::sort(parameters);
  bool first = true;
  for (const auto& [name, value] : parameters) {
    if (!first) sink.append('&');
    first = false;
    sink.append(name);
    sink.append('=');
    sink.append(value);
  }
}

/// Trimmed, and every run of blanks as one space.
template <class Sink>
void append_canonical_value(Sink& sink, std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  if (value.find("  ") == std::string_view::npos && value.find('\t') == std::string_view::npos) {
    sink.append(value);  // as nearly all values are
    return;
  }
  while (!value.empty()) {
    const std::size_t run = std::min(value.find_first_of(" \t"), value.size());
    sink.append(value.substr(0, run));
    value.remove_prefix(run);
    if (value.empty()) return;
    sink.append(' ');
    while (blank(value.front())) value.remove_prefix(1);
  }
}

/// HTTP/2 carries in ":authority" what HTTP/1.1 carries in "host". A proxy may have turned one into the other after
/// the request was signed, and both mean the same.
inline std::string_view other_authority_name(std::string_view name) {
  if (name == "host") return ":authority";
  if (name == ":authority") return "host";
  return {};
}

template <class Sink>
Coverage append_canonical_headers(Sink& sink, const wire::Headers& headers, std::string_view signed_headers) {
  Coverage coverage;
  const auto append_values = [&](std::string_view name) {
    bool found = false;
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const wire::Header& field = headers.begin()[i];
      if (!base::iequals(field.name, name)) continue;
      if (found) sink.append(',');
      append_canonical_value(sink, field.value);
      coverage.covered.set(i);
      found = true;
    }
    return found;
  };
  for_each_name(signed_headers, [&](std::string_view name) {
    sink.append(name);
    sink.append(':');
    if (!append_values(name)) {
      const std::string_view other = other_authority_name(name);
      if ((other.empty() || !append_values(other)) && coverage.missing.empty()) coverage.missing = name;
    }
    sink.append('\n');
  });
  return coverage;
}

template <class Sink>
Coverage append_canonical_request(Sink& sink, const SignedRequest& request, std::string_view signed_headers) {
  sink.append(request.method);
  sink.append('\n');
  append_canonical_path(sink, request.path);
  sink.append('\n');
  append_canonical_query(sink, request.query);
  sink.append('\n');
  const Coverage coverage = append_canonical_headers(sink, *request.headers, signed_headers);
  sink.append('\n');
  sink.append(signed_headers);
  sink.append('\n');
  std::array<char, 64> hex;
  base::to_hex({request.body_hash.data(), request.body_hash.size()}, hex.data());
  sink.append(std::string_view{hex.data(), hex.size()});
  return coverage;
}

/// "AWS4-HMAC-SHA256\n<date>\n<scope>\n<hash>" without allocation; `scope` is at most scope_bytes_max.
inline constexpr std::size_t scope_bytes_max = 128;

class StringToSign {
 public:
  StringToSign(std::string_view amz_date, std::string_view scope, const base::Digest& canonical_hash) {
    CHECK(amz_date.size() == 16 && scope.size() <= scope_bytes_max);  // their readers saw to it
    append("AWS4-HMAC-SHA256\n");
    append(amz_date);
    append("\n");
    append(scope);
    append("\n");
    base::to_hex({canonical_hash.data(), canonical_hash.size()}, buffer_.data() + size_);
    size_ += 64;
  }
  std::string_view text() const { return {buffer_.data(), size_}; }

 private:
  void append(std::string_view text) {
    std::memcpy(buffer_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  std::array<char, 17 + 17 + scope_bytes_max + 1 + 64> buffer_;
  std::size_t size_ = 0;
};

}  // namespace portolan::identity
