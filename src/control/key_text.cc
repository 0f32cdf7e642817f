// SPDX-License-Identifier: Apache-2.0
#include "control/key_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/bytes.h"

namespace portolan::control {
namespace {

using base::Code;
using base::Result;
using domain::CredentialKind;
using domain::IssuedKey;
using nlohmann::json;

constexpr std::size_t profiles_max = 100;
constexpr std::size_t glob_bytes_max = 256;
constexpr base::Duration overlap_max = std::chrono::hours{24 * 90};

/// The member as text; empty when it is absent.
Result<std::string> text_of(const json& body, const char* member) {
  const auto found = body.find(member);
  if (found == body.end() || found->is_null()) return std::string{};
  if (!found->is_string()) return base::fail(Code::usage, fmt::format("{}: text is expected", member));
  return found->get<std::string>();
}

Result<json> read_object(std::string_view body, std::initializer_list<std::string_view> members) {
  if (body.empty()) return json::object();
  json object = json::parse(body, nullptr, false);
  if (!object.is_object()) return base::fail(Code::usage, "a JSON object is expected");
  for (const auto& [member, value] : object.items())
    if (std::ranges::find(members, member) == members.end())
      return base::fail(Code::usage, fmt::format("unknown member; allowed: {}", fmt::join(members, ", ")));
  return object;
}

Result<std::optional<base::WallTime>> expiry_of(const json& body, base::WallTime now) {
  TRY(const std::string text, text_of(body, "expires"));
  if (text.empty()) return std::optional<base::WallTime>{};
  TRY(const base::WallTime at, read_expiry(text, now));
  return std::optional{at};
}

Result<std::vector<std::string>> profiles_of(const json& body) {
  std::vector<std::string> globs;
  const auto found = body.find("profiles");
  if (found == body.end() || found->is_null()) return globs;
  const auto wrong = base::fail(
      Code::usage,
      fmt::format("profiles: a list of 1 to {} profile ids or globs is expected, such as us.*", profiles_max));
  if (!found->is_array() || found->empty() || found->size() > profiles_max) return wrong;
  for (const json& glob : *found) {
    if (!glob.is_string()) return wrong;
    const auto& text = glob.get_ref<const std::string&>();
    // One line of the store holds one glob.
    const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (text.empty() || text.size() > glob_bytes_max || !plain) return wrong;
    globs.push_back(text);
  }
  return globs;
}

template <std::size_t size>
bool draw(std::array<std::uint8_t, size>& bytes) {
  return RAND_bytes(bytes.data(), static_cast<int>(size)) == 1;
}

std::string base32(const std::array<std::uint8_t, 10>& bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  unsigned bits = 0;
  unsigned held = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (held += 8; held >= 5; held -= 5) text += alphabet[bits >> (held - 5) & 31];
  }
  return text;
}

/// Base64 without characters that a URL, a header or a shell would mind.
std::string plain_base64(base::Bytes bytes) {
  std::string text = base::to_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

}  // namespace

Result<base::WallTime> read_expiry(std::string_view text, base::WallTime now) {
  base::WallTime at{};
  base::Duration span{};
  if (base::parse_duration(text, span))
    at = now + std::chrono::floor<base::microseconds>(span);
  else if (!base::parse_time(text, at) && !base::parse_time(std::string(text) + "T00:00:00Z", at))
    return base::fail(Code::usage, "expires: 90d, 2027-01-31 or 2027-01-31T12:00:00Z is expected");
  if (at <= now) return base::fail(Code::usage, "expires: that is not in the future");
  return at;
}

Result<IssuedKey> read_order(std::string_view body, base::WallTime now) {
  TRY(const json order, read_object(body, {"kind", "tenant", "name", "expires", "profiles"}));
  IssuedKey key{.created = now};
  TRY(const std::string kind, text_of(order, "kind"));
  if (kind == "access-key")
    key.kind = CredentialKind::sigv4;
  else if (kind == "api-key")
    key.kind = CredentialKind::api_key;
  else
    return base::fail(Code::usage, "kind: access-key (for AWS SDKs) or api-key (a bearer token) is expected");
  TRY(key.tenant, text_of(order, "tenant"));
  TRY(key.user_name, text_of(order, "name"));
  TRY(key.expires, expiry_of(order, now));
  TRY(key.profiles, profiles_of(order));
  return key;
}

Result<Rotation> read_rotation(std::string_view body, std::string_view overlap_unsaid, base::WallTime now) {
  TRY(const json order, read_object(body, {"overlap", "expires"}));
  TRY(std::string overlap, text_of(order, "overlap"));
  if (overlap.empty()) overlap = overlap_unsaid;
  Rotation rotation;
  if (!base::parse_duration(overlap, rotation.overlap) || rotation.overlap > overlap_max)
    return base::fail(Code::usage, "overlap: a span from 0s to 90d is expected, such as 24h");
  TRY(rotation.expires, expiry_of(order, now));
  return rotation;
}

Result<std::string> draw_secret(IssuedKey& key) {
  std::array<std::uint8_t, 10> name{};
  std::array<std::uint8_t, 32> secret{};
  if (!draw(name) || !draw(secret)) return base::fail(Code::internal, "there is no randomness for a key");
  std::string api_key;
  if (key.kind == CredentialKind::sigv4) {
    key.id = "PTLN" + base32(name);
    std::string text = base::to_base64({secret.data(), 30});
    key.secret_access_key = base::Secret::taken_from(text);
  } else {
    api_key = "ptk-" + plain_base64({secret.data(), secret.size()});
    key.api_key_sha256 = base::sha256(api_key);
    key.id = "api:" + base::to_hex(key.api_key_sha256).substr(0, 8);
  }
  OPENSSL_cleanse(secret.data(), secret.size());
  return api_key;
}

}  // namespace portolan::control
