// SPDX-License-Identifier: Apache-2.0
// What stop 2 costs on the path of a call, without the hash of the body.
#include <benchmark/benchmark.h>

#include "identity/identify.h"
#include "identity/test_request.h"

namespace portolan::identity {
namespace {

constexpr std::string_view date_text = "20261121T230507Z";

base::WallTime now() {
  base::WallTime at;
  base::parse_time(date_text, at);
  return at;
}

void verify_javascript_sdk(benchmark::State& state) {
  TestRequest call;
  fill_javascript_sdk_request(call, date_text);
  const SignedRequest request = call.request();
  SigningKeys keys;
  for (auto _ : state) {
    const auto parts = read_authorization(call.authorization);
    const base::HmacKey key =
        keys.get(parts->access_key_id, call.secret_access_key, parts->date, parts->region, parts->service);
    auto verdict = verify(request, *parts, key, now());
    if (!verdict) state.SkipWithError(verdict.error().message.c_str());
    benchmark::DoNotOptimize(verdict);
  }
  state.counters["canonical_bytes"] = static_cast<double>(
      canonical_request(request, read_authorization(call.authorization)->signed_headers).size());
}
BENCHMARK(verify_javascript_sdk);

void identify_javascript_sdk(benchmark::State& state) {
  TestRequest call;
  fill_javascript_sdk_request(call, date_text);
  call.add("authorization", call.authorization);
  config::Config config;
  config.catalog = domain::Catalog::builtin();
  config.tenants.push_back({.name = "t",
                            .account_id = "111122223333",
                            .keys = {{.name = "a",
                                      .access_key_id = call.access_key_id,
                                      .secret_access_key = base::Secret{call.secret_access_key}}}});
  const Keyring keyring(config);
  const SignedRequest request = call.request();
  const base::WallTime at = now();
  SigningKeys keys;
  for (auto _ : state) {
    auto identity = keyring.identify(request, keys, at);
    if (!identity) state.SkipWithError(identity.error().message.c_str());
    benchmark::DoNotOptimize(identity);
  }
}
BENCHMARK(identify_javascript_sdk);

void sign_upstream(benchmark::State& state) {
  Signer signer("AKIDEXAMPLE", base::Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
  const base::Digest body_hash = base::sha256("{}");
  const base::WallTime at = now();
  std::string head;
  for (auto _ : state) {
    head.clear();
    signer.append_signature(head, "POST", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                            "127.0.0.1:9001", "application/json", body_hash, "us-east-1", at);
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(sign_upstream);

void derive_signing_key(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(
        signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20261121", "us-east-1", "bedrock"));
}
BENCHMARK(derive_signing_key);

}  // namespace
}  // namespace portolan::identity
