// SPDX-License-Identifier: Apache-2.0
#include "sim/region_auth.h"

#include <algorithm>
#include <chrono>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <vector>

namespace portolan::sim {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view service = "bedrock";
constexpr auto skew_max = std::chrono::minutes{5};

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    text += digits[b / 16];
    text += digits[b % 16];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return hex({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::string hmac(std::string_view key, std::string_view message) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  unsigned int size = sizeof digest;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

bool unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Every byte of the path as it came is encoded once more, but for the slashes: services other than S3 encode twice.
std::string canonical_path(std::string_view raw) {
  if (raw.empty()) return "/";
  std::string text;
  for (const char c : raw) {
    if (unreserved(c) || c == '/') {
      text += c;
      continue;
    }
    static constexpr char digits[] = "0123456789ABCDEF";
    const auto b = static_cast<unsigned char>(c);
    text += '%';
    text += digits[b / 16];
    text += digits[b % 16];
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Parameters as received, in order of name and value; a name without '=' gets one.
std::string canonical_query(std::string_view query) {
  if (query.empty()) return {};
  std::vector<std::string> parameters;
  for (const std::string_view part : split(query, '&'))
    parameters.push_back(part.find('=') == std::string_view::npos ? std::string(part) + "=" : std::string(part));
  std::ranges::sort(parameters);
  std::string text;
  for (const std::string& parameter : parameters) {
    if (!text.empty()) text += '&';
    text += parameter;
  }
  return text;
}

// Trimmed, inner runs of blanks as one.
std::string canonical_value(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank)
      text += c;
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

struct Credential {
  std::string_view access_key_id;
  std::string_view day;
  std::string_view region;
  std::string_view service;
  std::string_view terminator;
  std::string_view signed_headers;
  std::string_view signature;
};

bool read_authorization(std::string_view text, Credential& credential) {
  if (!text.starts_with(algorithm) || text.size() == algorithm.size() || text[algorithm.size()] != ' ')
    return false;
  for (std::string_view part : split(text.substr(algorithm.size() + 1), ',')) {
    while (part.starts_with(' ')) part.remove_prefix(1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = part.substr(equals + 1);
    if (key == "SignedHeaders")
      credential.signed_headers = value;
    else if (key == "Signature")
      credential.signature = value;
    else if (key == "Credential") {
      const auto scope = split(value, '/');
      if (scope.size() != 5) return false;
      credential.access_key_id = scope[0];
      credential.day = scope[1];
      credential.region = scope[2];
      credential.service = scope[3];
      credential.terminator = scope[4];
    } else {
      return false;
    }
  }
  return !credential.access_key_id.empty() && !credential.signed_headers.empty() &&
         credential.signature.size() == 64;
}

// "host" may stand for :authority and is then looked up as such.
bool append_header(const RegionRequest& request, std::string_view name, std::string& canonical) {
  std::string values;
  bool found = false;
  for (const auto& [header, value] : request.headers) {
    if (header != name) continue;
    if (found) values += ',';
    values += canonical_value(value);
    found = true;
  }
  if (!found && name == "host") {
    const std::string* authority = request.find(":authority");
    if (authority == nullptr) return false;
    values = *authority;
    found = true;
  }
  if (!found) return false;
  canonical.append(name).append(":").append(values).append("\n");
  return true;
}

Refusal bad_signature(std::string message) {
  return {403, "InvalidSignatureException", std::move(message)};
}

}  // namespace

const std::string& RegionAuth::signing_key(std::string_view day) {
  if (key_day_ != day) {
    signing_key_ = hmac(hmac(hmac(hmac("AWS4" + secret_, day), region_), service), "aws4_request");
    key_day_ = day;
  }
  return signing_key_;
}

std::optional<Refusal> RegionAuth::check(const RegionRequest& request, base::WallTime now) {
  const std::string* authorization = request.find("authorization");
  if (authorization == nullptr)
    return Refusal{403, "MissingAuthenticationTokenException", "Missing Authentication Token"};
  Credential credential;
  if (!read_authorization(*authorization, credential))
    return Refusal{400, "IncompleteSignatureException",
                   "The Authorization header needs AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature."};
  if (credential.access_key_id != access_key_id_ || request.find("x-amz-security-token") != nullptr)
    return Refusal{403, "UnrecognizedClientException", "The security token included in the request is invalid."};
  if (credential.region != region_)
    return bad_signature("Credential should be scoped to a valid region: this is " + region_ + ".");
  if (credential.service != service || credential.terminator != "aws4_request")
    return bad_signature("Credential should be scoped to correct service: 'bedrock' and end with aws4_request.");

  const std::string* date = request.find("x-amz-date");
  base::WallTime signed_at;
  if (date == nullptr || date->size() != 16 || !base::parse_time(*date, signed_at))
    return Refusal{400, "IncompleteSignatureException",
                   "x-amz-date is absent or not of the form 20260102T030405Z."};
  if (credential.day != std::string_view(*date).substr(0, 8))
    return bad_signature("The date of the credential scope does not match x-amz-date.");
  if (signed_at > now + skew_max || signed_at < now - skew_max)
    return bad_signature("Signature expired or not yet current: more than 5 minutes from " + base::amz_date(now) +
                         ".");

  const auto names = split(credential.signed_headers, ';');
  const auto is_signed = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  if (!is_signed("host") && !is_signed(":authority")) return bad_signature("The Host header is not signed.");
  if (!std::ranges::is_sorted(names)) return bad_signature("SignedHeaders are not in order.");
  for (const auto& [name, value] : request.headers)
    if (name.starts_with("x-amz-") && !is_signed(name))
      return bad_signature("There is an unsigned header: " + name + ".");

  const std::string body_hash = sha256_hex(request.body);
  if (const std::string* stated = request.find("x-amz-content-sha256"); stated != nullptr && *stated != body_hash)
    return bad_signature("x-amz-content-sha256 is not the SHA-256 of the body.");

  const std::size_t question = request.target.find('?');
  const std::string_view target = request.target;
  const std::string_view query = question == std::string::npos ? std::string_view{} : target.substr(question + 1);
  std::string canonical =
      request.method + "\n" + canonical_path(target.substr(0, question)) + "\n" + canonical_query(query) + "\n";
  for (const std::string_view name : names)
    if (!append_header(request, name, canonical))
      return bad_signature("The signed header " + std::string(name) + " is not in the request.");
  canonical.append("\n").append(credential.signed_headers).append("\n").append(body_hash);

  const std::string to_sign = std::string(algorithm) + "\n" + *date + "\n" + std::string(credential.day) + "/" +
                              region_ + "/bedrock/aws4_request\n" + sha256_hex(canonical);
  const std::string expected = hex(hmac(signing_key(credential.day), to_sign));
  if (CRYPTO_memcmp(expected.data(), credential.signature.data(), expected.size()) != 0)
    return bad_signature(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access "
        "Key and signing method.");
  return std::nullopt;
}

}  // namespace portolan::sim
