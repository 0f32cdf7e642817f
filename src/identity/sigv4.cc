// SPDX-License-Identifier: Apache-2.0
#include "identity/sigv4.h"

#include <algorithm>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "base/bytes.h"
#include "identity/canonical.h"

namespace portolan::identity {
namespace {

using base::Code;

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t access_key_id_bytes_max = 128;  // IAM's own limit
constexpr std::size_t amz_date_bytes = 16;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_lower_hex(char c) {
  return base::is_digit(c) || (c >= 'a' && c <= 'f');
}
bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

base::Result<void> read_credential(std::string_view credential, Authorization& into) {
  std::array<std::string_view, 5> parts;
  std::string_view rest = credential;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t slash = rest.find('/');
    const bool last = i + 1 == parts.size();
    if ((slash == std::string_view::npos) != last)
      return base::fail(Code::incomplete_signature,
                        "Credential must be <access key id>/<yyyymmdd>/<region>/<service>/aws4_request.");
    parts[i] = rest.substr(0, slash);
    if (!last) rest.remove_prefix(slash + 1);
  }
  into.access_key_id = parts[0];
  into.date = parts[1];
  into.region = parts[2];
  into.service = parts[3];
  into.scope = credential.substr(std::min(parts[0].size() + 1, credential.size()));
  if (into.access_key_id.empty() || into.access_key_id.size() > access_key_id_bytes_max)
    return base::fail(Code::incomplete_signature, "Credential names no access key id of 1 to 128 characters.");
  if (into.date.size() != 8 || !std::ranges::all_of(into.date, base::is_digit))
    return base::fail(Code::incomplete_signature, "The date in Credential must be eight digits, yyyymmdd.");
  if (into.region.empty() || into.service.empty() || into.scope.size() > scope_bytes_max)
    return base::fail(Code::incomplete_signature, "Credential must name a Region and a service.");
  if (parts[4] != "aws4_request")
    return base::fail(Code::incomplete_signature, "Credential must end with /aws4_request.");
  return {};
}

/// What verify() needs to know of the fields before anything is hashed.
struct DateAndHash {
  const wire::Header* amz_date = nullptr;
  const wire::Header* date = nullptr;
  const wire::Header* content_sha256 = nullptr;
  bool repeated = false;
};

DateAndHash find_date_and_hash(const wire::Headers& headers) {
  DateAndHash found;
  const auto keep = [&found](const wire::Header*& slot, const wire::Header& field) {
    found.repeated |= slot != nullptr;
    slot = &field;
  };
  for (const wire::Header& field : headers) {
    switch (field.name.size()) {
      case 4:
        if (base::iequals(field.name, "date")) keep(found.date, field);
        break;
      case 10:
        if (base::iequals(field.name, "x-amz-date")) keep(found.amz_date, field);
        break;
      case 20:
        if (base::iequals(field.name, "x-amz-content-sha256")) keep(found.content_sha256, field);
        break;
      default:
        break;
    }
  }
  return found;
}

struct SignedNames {
  bool authority = false;
  bool amz_date = false;
  bool date = false;
};

/// Lower case, sorted, each name once: every signer writes it so, and one spelling leaves nothing to interpret.
base::Result<SignedNames> check_names(std::string_view signed_headers) {
  SignedNames names;
  std::string_view previous;
  bool ordered = true;
  bool clean = true;
  std::size_t count = 0;
  for_each_name(signed_headers, [&](std::string_view name) {
    ordered &= count == 0 || previous < name;
    clean &=
        !name.empty() && std::ranges::all_of(name, [](char c) { return is_visible(c) && !(c >= 'A' && c <= 'Z'); });
    names.authority |= name == "host" || name == ":authority";
    names.amz_date |= name == "x-amz-date";
    names.date |= name == "date";
    previous = name;
    ++count;
  });
  if (!clean || !ordered || count > wire::headers_max)
    return base::fail(Code::incomplete_signature,
                      "SignedHeaders must be lower-case names, sorted, each once, separated by semicolons.");
  if (!names.authority)
    return base::fail(Code::incomplete_signature,
                      "SignedHeaders must include host (over HTTP/2: host or :authority).");
  return names;
}

/// RFC 9110 section 5.6.7, the one form that senders must write: "Sat, 21 Nov 2026 23:40:50 GMT".
bool parse_http_date(std::string_view text, base::WallTime& at) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',' || text[4] != ' ' || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ')
    return false;
  const std::size_t month = months.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return false;
  return base::parse_time(
      fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1, text.substr(5, 2), text.substr(17, 8)), at);
}

/// The moment of signing, and its text for the string to sign.
struct SigningDate {
  base::WallTime at;
  std::array<char, amz_date_bytes> text_bytes;
  std::string_view text() const { return {text_bytes.data(), text_bytes.size()}; }
};

base::Result<SigningDate> read_date(const DateAndHash& found, const SignedNames& names) {
  SigningDate date;
  std::string rewritten;
  std::string_view text;
  if (found.amz_date != nullptr) {
    if (!names.amz_date) return base::fail(Code::incomplete_signature, "SignedHeaders must include x-amz-date.");
    text = trimmed(found.amz_date->value);
    if (text.size() != amz_date_bytes || !base::parse_time(text, date.at))
      return base::fail(Code::incomplete_signature, "x-amz-date must have the form yyyymmddThhmmssZ.");
  } else if (found.date != nullptr && names.date) {
    const std::string_view value = trimmed(found.date->value);
    if (!parse_http_date(value, date.at) && !(value.size() == amz_date_bytes && base::parse_time(value, date.at)))
      return base::fail(Code::incomplete_signature,
                        "date must have the form \"Sat, 21 Nov 2026 23:40:50 GMT\" or yyyymmddThhmmssZ.");
    rewritten = base::amz_date(date.at);
    text = rewritten;
  } else {
    return base::fail(Code::incomplete_signature,
                      "The request needs a signed x-amz-date header (or a signed date header).");
  }
  std::memcpy(date.text_bytes.data(), text.data(), amz_date_bytes);
  return date;
}

base::Result<void> check_date(const SigningDate& date, std::string_view scope_date, base::WallTime now,
                              base::Duration skew) {
  if (date.text().substr(0, 8) != scope_date)
    return base::fail(
        Code::bad_signature,
        fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
                    "HTTP: '{}' != '{}', from '{}'.",
                    scope_date, date.text().substr(0, 8), date.text()));
  const auto tolerance = std::chrono::duration_cast<base::microseconds>(skew);
  const auto minutes = std::chrono::duration<double, std::ratio<60>>(skew).count();
  if (date.at < now - tolerance)
    return base::fail(Code::expired_signature,
                      fmt::format("Signature expired: {} is now earlier than {} ({} - {:g} min.)", date.text(),
                                  base::amz_date(now - tolerance), base::amz_date(now), minutes));
  if (date.at > now + tolerance)
    return base::fail(Code::expired_signature,
                      fmt::format("Signature not yet current: {} is still later than {} ({} + {:g} min.)",
                                  date.text(), base::amz_date(now + tolerance), base::amz_date(now), minutes));
  return {};
}

base::Result<void> check_content_hash(const wire::Header* declared, const base::Digest& body_hash) {
  if (declared == nullptr) return {};
  const std::string_view value = trimmed(declared->value);
  if (value == "UNSIGNED-PAYLOAD" || value.starts_with("STREAMING-"))
    return base::fail(
        Code::bad_signature,
        fmt::format("x-amz-content-sha256 is {}, but the body must be signed: send its SHA-256.", value));
  std::array<char, 64> hex;
  base::to_hex({body_hash.data(), body_hash.size()}, hex.data());
  if (value != std::string_view{hex.data(), hex.size()})
    return base::fail(
        Code::bad_signature,
        "The provided x-amz-content-sha256 header does not match the SHA-256 of the body that arrived.");
  return {};
}

base::Result<void> check_coverage(const Coverage& coverage, const wire::Headers& headers) {
  if (!coverage.missing.empty())
    return base::fail(
        Code::bad_signature,
        fmt::format("SignedHeaders names '{}', but the request has no such header.", coverage.missing));
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const std::string_view name = headers.begin()[i].name;
    if (coverage.covered[i] || name.size() < 6 || !base::iequals(name.substr(0, 6), "x-amz-")) continue;
    return base::fail(Code::incomplete_signature,
                      fmt::format("The header '{}' is present but not signed: add it to SignedHeaders.", name));
  }
  return {};
}

}  // namespace

base::Result<Authorization> read_authorization(std::string_view value) {
  value = trimmed(value);
  if (!value.starts_with(algorithm) || value.size() == algorithm.size() || value[algorithm.size()] != ' ')
    return base::fail(Code::incomplete_signature, "Authorization must begin with AWS4-HMAC-SHA256 and a space.");
  value.remove_prefix(algorithm.size());

  Authorization authorization;
  std::string_view credential;
  while (!(value = trimmed(value)).empty()) {
    const std::string_view parameter = trimmed(value.substr(0, value.find(',')));
    value.remove_prefix(std::min(value.find(','), value.size() - 1) + 1);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view name = parameter.substr(0, equals);
    std::string_view* slot = name == "Credential"      ? &credential
                             : name == "SignedHeaders" ? &authorization.signed_headers
                             : name == "Signature"     ? &authorization.signature
                                                       : nullptr;
    if (slot == nullptr || equals == parameter.size() || !slot->empty())
      return base::fail(Code::incomplete_signature,
                        "Authorization must hold Credential=, SignedHeaders= and Signature=, each once, "
                        "separated by commas.");
    *slot = parameter.substr(equals + 1);
  }
  if (credential.empty())
    return base::fail(Code::incomplete_signature, "Authorization header requires 'Credential' parameter.");
  if (authorization.signed_headers.empty())
    return base::fail(Code::incomplete_signature, "Authorization header requires 'SignedHeaders' parameter.");
  if (authorization.signature.empty())
    return base::fail(Code::incomplete_signature, "Authorization header requires 'Signature' parameter.");
  if (authorization.signature.size() != 64 || !std::ranges::all_of(authorization.signature, is_lower_hex))
    return base::fail(Code::incomplete_signature, "Signature must be 64 lower-case hexadecimal digits.");
  TRY_VOID(read_credential(credential, authorization));
  return authorization;
}

bool looks_like_access_key_id(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return text.size() >= 16 && text.size() <= 128 && std::ranges::all_of(text, fits);
}

base::HmacKey signing_key(std::string_view secret_access_key, std::string_view date, std::string_view region,
                          std::string_view service) {
  std::string start;
  start.reserve(4 + secret_access_key.size());
  start += "AWS4";
  start += secret_access_key;
  base::Digest key = base::HmacKey{start}.mac(date);
  OPENSSL_cleanse(start.data(), start.size());
  for (const std::string_view part : {region, service, std::string_view{"aws4_request"}})
    key = base::HmacKey{base::as_text(key)}.mac(part);
  const base::HmacKey ready{base::as_text(key)};
  OPENSSL_cleanse(key.data(), key.size());
  return ready;
}

base::Result<void> verify(const SignedRequest& request, const Authorization& authorization,
                          const base::HmacKey& key, base::WallTime now, base::Duration skew) {
  const DateAndHash found = find_date_and_hash(*request.headers);
  if (found.repeated)
    return base::fail(Code::incomplete_signature,
                      "x-amz-date, date and x-amz-content-sha256 may each appear only once.");
  TRY(const SignedNames names, check_names(authorization.signed_headers));
  TRY(const SigningDate date, read_date(found, names));
  TRY_VOID(check_date(date, authorization.date, now, skew));
  TRY_VOID(check_content_hash(found.content_sha256, request.body_hash));

  HashSink canonical;
  const Coverage coverage = append_canonical_request(canonical, request, authorization.signed_headers);
  TRY_VOID(check_coverage(coverage, *request.headers));
  const base::Digest expected = key.mac(StringToSign{date.text(), authorization.scope, canonical.finish()}.text());
  std::array<char, 64> hex;
  base::to_hex({expected.data(), expected.size()}, hex.data());
  if (!base::equal_constant_time({hex.data(), hex.size()}, authorization.signature))
    return base::fail(
        Code::bad_signature,
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details.");
  return {};
}

std::string canonical_request(const SignedRequest& request, std::string_view signed_headers) {
  std::string text;
  TextSink sink{text};
  append_canonical_request(sink, request, signed_headers);
  return text;
}

std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", algorithm, amz_date, scope, base::to_hex(base::sha256(canonical)));
}

}  // namespace portolan::identity
