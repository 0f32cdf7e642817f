// SPDX-License-Identifier: Apache-2.0
#include "config/format.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "base/bytes.h"
#include "domain/call.h"

namespace portolan::config {
namespace {

constexpr std::size_t host_length_max = 253;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_letter_or_digit(char c) {
  return base::is_digit(c) || is_letter(c);
}
bool is_hex(char c) {
  return base::is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// `size` between the two, and every character a letter, a digit or one of `extra`.
bool is_made_of(std::string_view text, std::string_view extra, std::size_t size_min, std::size_t size_max) {
  return text.size() >= size_min && text.size() <= size_max &&
         std::ranges::all_of(text, [&](char c) { return is_letter_or_digit(c) || extra.contains(c); });
}

bool is_ipv4(std::string_view text) {
  in_addr parsed{};
  return inet_pton(AF_INET, std::string{text}.c_str(), &parsed) == 1;
}
bool is_ipv6(std::string_view text) {
  in6_addr parsed{};
  return inet_pton(AF_INET6, std::string{text}.c_str(), &parsed) == 1;
}

struct Unit {
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array<Unit, 7> units{{{"GiB", std::int64_t{1} << 30},
                                     {"GB", 1'000'000'000},
                                     {"MiB", 1 << 20},
                                     {"MB", 1'000'000},
                                     {"KiB", 1 << 10},
                                     {"KB", 1'000},
                                     {"B", 1}}};

}  // namespace

const Format any_text{.type = "text", .allowed = "text that is not empty", .pattern = "."};
const Format file_path{.type = "file", .allowed = "the path of a file", .pattern = "."};
const Format name_text{.type = "name",
                       .allowed = "1 to 64 letters, digits or + = , . @ _ -",
                       .pattern = "^[A-Za-z0-9+=,.@_-]{1,64}$",
                       .accepts = [](std::string_view text) { return is_made_of(text, "+=,.@_-", 1, 64); }};
const Format account_number{.type = "account id",
                            .allowed = "12 digits, in quotes",
                            .pattern = "^[0-9]{12}$",
                            .accepts = [](std::string_view text) {
                              return text.size() == 12 && std::ranges::all_of(text, base::is_digit);
                            }};
const Format access_key{.type = "access key id",
                        .allowed = "16 to 128 letters, digits or underscores",
                        .pattern = "^[A-Za-z0-9_]{16,128}$",
                        .accepts = [](std::string_view text) { return is_made_of(text, "_", 16, 128); },
                        .confidential = true};
const Format sha256_hex{
    .type = "SHA-256",
    .allowed = "the SHA-256 of the API key as 64 hexadecimal digits",
    .pattern = "^[0-9A-Fa-f]{64}$",
    .accepts = [](std::string_view text) { return text.size() == 64 && std::ranges::all_of(text, is_hex); },
    .confidential = true};
const Format certificate_name{
    .type = "certificate name",
    .allowed = "uri:, dns: or subject: and that name in the certificate, such as uri:spiffe://acme/search",
    .pattern = "^(uri|dns|subject):.+$",
    .accepts = [](std::string_view text) {
      return std::ranges::any_of(std::array<std::string_view, 3>{"uri:", "dns:", "subject:"},
                                 [&](auto kind) { return text.starts_with(kind) && text.size() > kind.size(); });
    }};
const Format client_certificates{
    .type = "word",
    .allowed = "ignored, optional or required",
    .pattern = "^(ignored|optional|required)$",
    .accepts = [](std::string_view text) { return text == "ignored" || text == "optional" || text == "required"; }};
const Format ip_address{.type = "IP address",
                        .allowed = "an IPv4 or IPv6 address such as 127.0.0.1, 0.0.0.0 or ::1",
                        .pattern = "^[0-9A-Fa-f.:]+$",
                        .accepts = [](std::string_view text) { return is_ipv4(text) || is_ipv6(text); }};
const Format endpoint_url{.type = "URL",
                          .allowed =
                              "http:// or https://, a host and perhaps a port, such as https://10.0.0.5:8443, "
                              "without path, query or user",
                          .pattern = "^https?://[A-Za-z0-9.:\\[\\]_-]+/?$",
                          .accepts = [](std::string_view text) { return parse_endpoint(text).has_value(); },
                          .confidential = true};
const Format secret_text{.type = "secret",
                         .allowed =
                             "env:NAME, file:PATH or cmd:PROGRAM ARGUMENT…, which say where the secret is kept "
                             "(with dev: true also the secret itself)",
                         .pattern = ".",
                         .confidential = true};
const Format region_name{.type = "Region",
                         .allowed = "the name of a Region such as us-east-1",
                         .names = [](const domain::Catalog& catalog) {
                           std::vector<std::string_view> names;
                           for (const domain::Region& region : catalog.regions()) names.push_back(region.name);
                           return names;
                         }};
const Format model_id{.type = "model",
                      .allowed = "the id of a model such as anthropic.claude-sonnet-4-5-20250929-v1:0",
                      .names = [](const domain::Catalog& catalog) {
                        std::vector<std::string_view> names;
                        for (const auto& model : catalog.models()) names.push_back(model->id);
                        return names;
                      }};
const Format profile_id{.type = "profile id",
                        .allowed = "1 to 128 letters, digits or . _ : -",
                        .pattern = "^[A-Za-z0-9._:-]{1,128}$",
                        .accepts = [](std::string_view text) { return is_made_of(text, "._:-", 1, 128); }};
const Format profile_glob{.type = "profile glob",
                          .allowed = "a profile id, or a glob with * and ? such as us.*",
                          .pattern = "^[A-Za-z0-9._:*?-]{1,128}$",
                          .accepts = [](std::string_view text) { return is_made_of(text, "._:-*?", 1, 128); }};

const Format policy_mode{.type = "mode",
                         .allowed = "strict or subset",
                         .pattern = "^(strict|subset)$",
                         .accepts = [](std::string_view text) { return text == "strict" || text == "subset"; }};

const Format application_profile_arn{
    .type = "kind of ARN",
    .allowed = "application or system",
    .pattern = "^(application|system)$",
    .accepts = [](std::string_view text) { return text == "application" || text == "system"; }};

const Format class_name{.type = "class",
                        .allowed = "batch, standard or critical",
                        .pattern = "^(batch|standard|critical)$",
                        .accepts = [](std::string_view text) { return domain::call_class(text).has_value(); }};

std::optional<std::int64_t> parse_whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < 0 || text[0] == '-')
    return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, base::is_digit) - text.begin());
  const std::optional<std::int64_t> count = parse_whole(text.substr(0, digits));
  if (!count) return std::nullopt;
  const std::string_view unit = text.substr(digits);
  if (unit.empty()) return count;
  for (const Unit& known : units) {
    std::int64_t bytes = 0;
    if (unit == known.name && !__builtin_mul_overflow(*count, known.bytes, &bytes)) return bytes;
  }
  return std::nullopt;
}

std::string format_size(std::int64_t bytes) {
  for (const Unit& unit : units)
    if (bytes != 0 && bytes % unit.bytes == 0 && unit.bytes > 1)
      return fmt::format("{}{}", bytes / unit.bytes, unit.name);
  return fmt::format("{}", bytes);
}

std::optional<Url> parse_endpoint(std::string_view text) {
  Url url;
  url.tls = text.starts_with("https://");
  if (!url.tls && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(url.tls ? 8 : 7);
  if (text.ends_with('/')) text.remove_suffix(1);

  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (host_end == std::string_view::npos) return std::nullopt;
  url.host = text.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
  const bool is_host =
      bracketed ? is_ipv6(url.host)
                : is_made_of(url.host, ".-_", 1, host_length_max) && is_letter_or_digit(url.host.front());
  if (!is_host) return std::nullopt;

  std::string_view rest = text.substr(host_end + (bracketed ? 1 : 0));
  const std::uint16_t own_port = url.tls ? 443 : 80;
  url.port = own_port;
  if (!rest.empty()) {
    if (rest[0] != ':') return std::nullopt;
    const std::optional<std::int64_t> port = parse_whole(rest.substr(1));
    if (!port || *port < 1 || *port > 65535) return std::nullopt;
    url.port = static_cast<std::uint16_t>(*port);
  }
  url.authority = bracketed ? fmt::format("[{}]", url.host) : url.host;
  if (url.port != own_port) url.authority += fmt::format(":{}", url.port);
  return url;
}

bool is_loopback(std::string_view address) {
  const std::string text{address};
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6) != 0;
}

std::string printable(std::string_view text) {
  constexpr std::size_t length_max = 80;
  const bool cut = text.size() > length_max;
  std::string safe = "\"";
  for (const char c : text.substr(0, length_max)) safe += c >= 0x20 && c < 0x7f ? c : '?';
  return safe + (cut ? "…\"" : "\"");
}

}  // namespace portolan::config
