// SPDX-License-Identifier: Apache-2.0
// How one value of the configuration is written: the formats of text, and numbers with units.
// Each Format is said once and serves the reader, its messages, the JSON Schema and the reference page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/catalog.h"

namespace portolan::config {

struct Format {
  std::string_view type;                        // in the reference: "Region"
  std::string_view allowed;                     // completes "must be …"
  std::string_view pattern;                     // ECMA-262, for the JSON Schema; empty: any text
  bool (*accepts)(std::string_view) = nullptr;  // null: any text that is not empty
  /// What stands here may be a secret in the wrong place, so messages never repeat it.
  bool confidential = false;
  /// The names that may stand here, when that is a closed set.
  std::vector<std::string_view> (*names)(const domain::Catalog&) = nullptr;
};

extern const Format any_text;
extern const Format file_path;
extern const Format name_text;       // of a tenant, key or account: what an ARN may hold
extern const Format account_number;  // 12 digits
extern const Format access_key;
extern const Format sha256_hex;
extern const Format certificate_name;
extern const Format client_certificates;
extern const Format ip_address;
extern const Format endpoint_url;
extern const Format secret_text;
extern const Format region_name;
extern const Format model_id;
extern const Format profile_id;
extern const Format profile_glob;
extern const Format class_name;
extern const Format policy_mode;
extern const Format application_profile_arn;

/// "32KiB", "25MB" or a plain number of bytes.
std::optional<std::int64_t> parse_size(std::string_view text);
/// The shortest form that parse_size reads back.
std::string format_size(std::int64_t bytes);
/// Decimal digits only.
std::optional<std::int64_t> parse_whole(std::string_view text);

struct Url {
  bool tls = false;
  std::string host;  // without the brackets of an IPv6 literal
  std::uint16_t port = 0;
  /// host[:port] as clients sign it: brackets kept, the scheme's own port left out.
  std::string authority;
};
/// "http://127.0.0.1:9001", "https://bedrock-runtime.us-east-1.amazonaws.com". No path, query or user.
std::optional<Url> parse_endpoint(std::string_view text);

bool is_loopback(std::string_view address);

/// `text` between quotes, made safe for a terminal and cut to a readable length.
std::string printable(std::string_view text);

}  // namespace portolan::config
