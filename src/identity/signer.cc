// SPDX-License-Identifier: Apache-2.0
// Signing what we send. The signed header list is fixed, so the canonical request is written straight into the
// hash.
#include <algorithm>
#include <vector>

#include "identity/canonical.h"
#include "identity/sigv4.h"

namespace portolan::identity {
namespace {

constexpr std::string_view headers_we_sign = "content-type;host;x-amz-content-sha256;x-amz-date";

void append_line(HashSink& sink, std::string_view name, std::string_view value) {
  sink.append(name);
  sink.append(':');
  append_canonical_value(sink, value);
  sink.append('\n');
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  head += value;
  head += "\r\n";
}

}  // namespace

struct Signer::State {
  struct DayKey {
    std::string region;
    std::string scope;  // "20261121/us-east-1/bedrock/aws4_request"
    base::HmacKey key;
  };

  std::string access_key_id;
  base::Secret secret_access_key;
  std::vector<DayKey> keys;  // of date_text's day; one for each Region that was called
  base::WallTime date_second{base::WallTime::duration::min()};
  std::string date_text;  // of date_second: "20261121T230507Z"

  void set_date(base::WallTime now) {
    const auto second = std::chrono::floor<base::seconds>(now);
    if (second == date_second) return;
    std::string text = base::amz_date(now);
    if (!date_text.starts_with(std::string_view{text}.substr(0, 8))) keys.clear();
    date_second = second;
    date_text = std::move(text);
  }

  const DayKey& day_key(std::string_view region) {
    const auto found = std::ranges::find(keys, region, &DayKey::region);
    if (found != keys.end()) return *found;
    const std::string_view date = std::string_view{date_text}.substr(0, 8);
    std::string scope{date};
    for (const std::string_view part : {region, signed_service, std::string_view{"aws4_request"}}) {
      scope += '/';
      scope += part;
    }
    keys.reserve(64);  // every Region at once
    if (keys.size() == keys.capacity()) keys.clear();
    return keys.emplace_back(std::string{region}, std::move(scope),
                             signing_key(secret_access_key.reveal(), date, region, signed_service));
  }
};

Signer::Signer(std::string access_key_id, base::Secret secret_access_key) : state_(std::make_unique<State>()) {
  state_->access_key_id = std::move(access_key_id);
  state_->secret_access_key = std::move(secret_access_key);
}

Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;

void Signer::append_signature(std::string& head, std::string_view method, std::string_view path,
                              std::string_view host, std::string_view content_type, const base::Digest& body_hash,
                              std::string_view region, base::WallTime now) {
  state_->set_date(now);
  const State::DayKey& day = state_->day_key(region);
  std::array<char, 64> hex;
  base::to_hex({body_hash.data(), body_hash.size()}, hex.data());
  const std::string_view body_hex{hex.data(), hex.size()};

  HashSink canonical;
  canonical.append(method);
  canonical.append('\n');
  append_canonical_path(canonical, path);
  canonical.append("\n\n");  // no query
  append_line(canonical, "content-type", content_type);
  append_line(canonical, "host", host);
  append_line(canonical, "x-amz-content-sha256", body_hex);
  append_line(canonical, "x-amz-date", state_->date_text);
  canonical.append('\n');
  canonical.append(headers_we_sign);
  canonical.append('\n');
  canonical.append(body_hex);

  append_field(head, "x-amz-date", state_->date_text);
  append_field(head, "x-amz-content-sha256", body_hex);
  const base::Digest signature = day.key.mac(StringToSign{state_->date_text, day.scope, canonical.finish()}.text());
  base::to_hex({signature.data(), signature.size()}, hex.data());
  head += "authorization: AWS4-HMAC-SHA256 Credential=";
  head += state_->access_key_id;
  head += '/';
  head += day.scope;
  head += ", SignedHeaders=";
  head += headers_we_sign;
  head += ", Signature=";
  head.append(hex.data(), hex.size());
  head += "\r\n";
}

}  // namespace portolan::identity
