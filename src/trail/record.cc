// SPDX-License-Identifier: Apache-2.0
#include "trail/record.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/json_text.h"

namespace portolan::trail {
namespace {

constexpr std::size_t text_bytes_max = 1024;  // CloudTrail's limit for userAgent, errorMessage, requestID
constexpr std::size_t attempt_bytes_max = 256;
constexpr std::size_t parameters_bytes_max = std::size_t{100} << 10;  // CloudTrail leaves longer ones out

// A plain record is about 1.4 KB; one reservation and nothing grows while it is written.
constexpr std::size_t record_bytes_usual = 2048;

void add_text(std::string& out, std::string_view text) {
  base::append_json_string(out, base::cut_text(text, text_bytes_max));
}

/// `lead` is written as it stands and opens the member: `,"awsRegion":`.
void add_member(std::string& out, std::string_view lead, std::string_view text) {
  out += lead;
  add_text(out, text);
}

/// The same, left out when there is nothing to say.
void add_member_if_any(std::string& out, std::string_view lead, std::string_view text) {
  if (!text.empty()) add_member(out, lead, text);
}

void add_number(std::string& out, std::string_view lead, std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out += lead;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

/// Milliseconds with three decimals, by integers: 12.345.
void add_ms(std::string& out, std::string_view lead, base::Duration duration) {
  const std::int64_t us = std::max<std::int64_t>(0, duration.count() / 1000);
  add_number(out, lead, us / 1000);
  const auto rest = static_cast<int>(us % 1000);
  const char decimals[4] = {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                            static_cast<char>('0' + rest % 10)};
  out.append(decimals, sizeof decimals);
}

void add_flag(std::string& out, std::string_view lead, bool flag) {
  out += lead;
  out += flag ? "true" : "false";
}

/// eventTime has whole seconds, as CloudTrail's.
void add_event_time(std::string& out, base::WallTime at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const auto second = static_cast<unsigned>(std::chrono::floor<base::seconds>(at - day).count());
  char text[] = "\"0000-00-00T00:00:00Z\"";
  const auto put = [&](std::size_t position, unsigned value, int digits) {
    for (int i = digits - 1; i >= 0; --i, value /= 10)
      text[position + static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  };
  put(1, static_cast<unsigned>(int{date.year()}), 4);
  put(6, unsigned{date.month()}, 2);
  put(9, unsigned{date.day()}, 2);
  put(12, second / 3600, 2);
  put(15, second / 60 % 60, 2);
  put(18, second % 60, 2);
  out += ",\"eventTime\":";
  out.append(text, sizeof text - 1);
}

void add_identity(std::string& out, const CallFacts& facts) {
  if (facts.principal == nullptr) {
    out += R"("userIdentity":{"type":"Unknown")";
    add_member_if_any(out, R"(,"accessKeyId":)", facts.presented_key_id);
    out += '}';
    return;
  }
  // A principalId names the identity, not the credential: an IAM user's unique id at AWS, account and name here.
  const domain::Principal& principal = *facts.principal;
  out += R"("userIdentity":{"type":"IAMUser","principalId":")";
  base::append_json_escaped(out, principal.account_id);
  out += ':';
  base::append_json_escaped(out, principal.user_name);
  add_member(out, R"(","arn":)", principal.arn);
  add_member(out, R"(,"accountId":)", principal.account_id);
  add_member_if_any(out, R"(,"accessKeyId":)", principal.access_key_id);
  add_member(out, R"(,"userName":)", principal.user_name);
  out += '}';
}

void add_request_parameters(std::string& out, const CallFacts& facts) {
  if (!facts.request_parameters.empty()) {
    const bool fits = facts.request_parameters.size() <= parameters_bytes_max;
    out.append(R"(,"requestParameters":)").append(fits ? facts.request_parameters : "null");
    out.append(R"(,"responseElements":)")
        .append(facts.response_elements.empty() ? "null" : facts.response_elements);
    return;
  }
  if (facts.requested_model.empty()) {
    out += R"(,"requestParameters":null,"responseElements":null)";
    return;
  }
  const bool asks_for_profile = facts.operation == domain::Operation::get_inference_profile ||
                                facts.operation == domain::Operation::delete_inference_profile;
  add_member(out,
             asks_for_profile ? R"(,"requestParameters":{"inferenceProfileIdentifier":)"
                              : R"(,"requestParameters":{"modelId":)",
             facts.requested_model);
  out += R"(},"responseElements":null)";
}

void add_additional_event_data(std::string& out, const CallFacts& facts) {
  if (facts.inference_region.empty()) return;
  add_member(out, R"(,"additionalEventData":{"inferenceRegion":)", facts.inference_region);
  if (facts.usage != nullptr && facts.usage->known) {
    add_number(out, R"(,"inputTokens":)", facts.usage->input_tokens);
    add_number(out, R"(,"outputTokens":)", facts.usage->output_tokens);
    add_number(out, R"(,"cacheReadInputTokens":)", facts.usage->cache_read_tokens);
    add_number(out, R"(,"cacheWriteInputTokens":)", facts.usage->cache_write_tokens);
  }
  out += '}';
}

void add_error(std::string& out, const base::Error& error) {
  add_member(out, R"(,"errorCode":)", error_code(error.code));
  // The words of a Region may quote the prompt, which the trail never holds; the code says what happened.
  add_member(out, R"(,"errorMessage":)",
             error.quotes_upstream ? "The Region refused; its own words went to the caller only." : error.message);
}

void add_tls(std::string& out, const CallFacts& facts) {
  if (facts.tls_version.empty()) return;
  add_member(out, R"(,"tlsDetails":{"tlsVersion":)", facts.tls_version);
  add_member(out, R"(,"cipherSuite":)", facts.tls_cipher);
  add_member(out, R"(,"clientProvidedHostHeader":)", facts.host_header);
  out += '}';
}

void add_allowed_regions(std::string& out, const CallFacts& facts) {
  out += R"(,"allowedRegions":[)";
  if (facts.catalog != nullptr) {
    bool first = true;
    for (const domain::RegionIndex region : facts.allowed) {
      if (region >= facts.catalog->regions().size()) break;
      add_member(out, first ? "" : ",", facts.catalog->region(region).name);
      first = false;
    }
  }
  out += ']';
}

void add_attempts(std::string& out, const CallFacts& facts) {
  out += R"(,"attempts":[)";
  bool first = true;
  for (const domain::Attempt& attempt :
       facts.attempts.first(std::min(facts.attempts.size(), domain::attempts_max))) {
    const bool known = facts.catalog != nullptr && attempt.region < facts.catalog->regions().size();
    add_member(out, first ? R"({"region":)" : R"(,{"region":)",
               known ? std::string_view{facts.catalog->region(attempt.region).name} : std::string_view{});
    first = false;
    add_ms(out, R"(,"startedAfterMs":)", attempt.started_after);
    add_ms(out, R"(,"durationMs":)", attempt.duration);
    if (attempt.first_byte > base::Duration::zero()) add_ms(out, R"(,"firstByteMs":)", attempt.first_byte);
    add_number(out, R"(,"status":)", attempt.upstream_status);
    add_flag(out, R"(,"served":)", attempt.served);
    if (!attempt.served) {
      add_member(out, R"(,"error":)", base::facts(attempt.failure).name);
      add_member_if_any(out, R"(,"message":)", base::cut_text(attempt.failure_detail, attempt_bytes_max));
    }
    out += '}';
  }
  out += ']';
}

/// How many causes a record names: there is one for each Region at most.
constexpr std::size_t causes_max = domain::regions_max + 1;

void add_policies(std::string& out, const CallFacts& facts) {
  add_member_if_any(out, R"(,"policyMode":)", facts.policy_mode);
  if (facts.policies_number > 0) {
    add_number(out, R"(,"policies":{"version":)", facts.policies_number);
    add_member(out, R"(,"hash":)", facts.policies_hash.substr(0, 12));
    out += '}';
  }
  add_member_if_any(out, R"(,"deniedBy":)", facts.denied_by);
  if (facts.causes.empty()) return;
  out += R"(,"policyCauses":[)";
  bool first = true;
  for (const PolicyCause& cause : facts.causes.first(std::min(facts.causes.size(), causes_max))) {
    out += first ? "{" : ",{";
    first = false;
    add_member(out, R"("kind":)", cause.kind);
    add_member_if_any(out, R"(,"region":)", cause.region);
    add_member_if_any(out, R"(,"level":)", base::cut_text(cause.level, attempt_bytes_max));
    add_member_if_any(out, R"(,"policy":)", base::cut_text(cause.policy, attempt_bytes_max));
    add_member_if_any(out, R"(,"statement":)", base::cut_text(cause.statement, attempt_bytes_max));
    out += '}';
  }
  out += ']';
}

/// What an application profile is, and its tags: costs are told by them.
void add_application(std::string& out, const CallFacts& facts) {
  if (facts.profile == nullptr || facts.profile->application == nullptr) return;
  add_member(out, R"(,"profileArn":)", facts.profile->application->arn);
  add_member(out, R"(,"copyFrom":)", facts.profile->application->copy_from);
  out += R"(,"tags":{)";
  bool first = true;
  for (const auto& [key, value] : facts.profile->application->tags) {
    if (!first) out += ',';
    first = false;
    add_text(out, key);
    add_member(out, ":", value);
  }
  out += '}';
}

void add_portolan(std::string& out, const CallFacts& facts) {
  add_member(out, R"(,"portolan":{"outcome":)", name(outcome_of(facts)));
  add_member(out, R"(,"stage":)", domain::name(facts.stage));
  add_number(out, R"(,"status":)", facts.status);
  if (facts.principal != nullptr) {
    add_member(out, R"(,"tenant":)", facts.principal->tenant);
    add_member(out, R"(,"keyId":)", facts.principal->key_id);
  }
  add_member_if_any(out, R"(,"profile":)", facts.profile_id);
  add_member_if_any(out, R"(,"profileKind":)", facts.profile_kind);
  add_application(out, facts);
  add_member_if_any(out, R"(,"model":)", facts.model_id);
  add_flag(out, R"(,"stream":)", facts.stream);
  add_member_if_any(out, R"(,"serviceTier":)", facts.service_tier);
  add_ms(out, R"(,"durationMs":)", facts.duration);
  if (facts.first_byte > base::Duration::zero()) add_ms(out, R"(,"firstByteMs":)", facts.first_byte);
  if (domain::runs_model(facts.operation)) {
    add_number(out, R"(,"inputTokensEstimated":)", facts.input_tokens_estimated);
    add_number(out, R"(,"outputTokensMax":)", facts.output_tokens_max);
    add_allowed_regions(out, facts);
    add_attempts(out, facts);
  }
  add_member_if_any(out, R"(,"policyVersion":)", facts.policy_version);
  add_policies(out, facts);
  add_member_if_any(out, R"(,"httpVersion":)", facts.http_version);
  add_member_if_any(out, R"(,"host":)", facts.host_header);
  add_member_if_any(out, R"(,"sdkInvocationId":)", facts.sdk_invocation_id);
  out += '}';
}

}  // namespace

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::served:
      return "served";
    case Outcome::denied:
      return "denied";
    case Outcome::failed:
      return "failed";
  }
  return "failed";
}

std::string_view error_code(base::Code code) {
  const std::string_view type = base::facts(code).bedrock_type;
  return type == "AccessDeniedException" ? "AccessDenied" : type;
}

Outcome outcome_of(const CallFacts& facts) {
  if (facts.error == nullptr) return Outcome::served;
  const bool refused_by_us =
      facts.stage < domain::Stage::attempt && facts.error->facts().blame != base::Blame::upstream;
  return refused_by_us ? Outcome::denied : Outcome::failed;
}

bool may_be_cut(std::string_view text) {
  constexpr std::size_t character_bytes_max = 4;  // a cut falls between characters
  return text.size() + character_bytes_max > text_bytes_max;
}

void write_record(const CallFacts& facts, std::string& out) {
  out.reserve(out.size() + record_bytes_usual);
  out += R"({"eventVersion":"1.11",)";
  add_identity(out, facts);
  add_event_time(out, facts.began);
  add_member(out, R"(,"eventSource":"bedrock.amazonaws.com","eventName":)", domain::event_name(facts.operation));
  add_member(out, R"(,"awsRegion":)", facts.source_region);
  add_member(out, R"(,"sourceIPAddress":)", facts.source_ip);
  add_member_if_any(out, R"(,"userAgent":)", facts.user_agent);
  if (facts.error != nullptr) add_error(out, *facts.error);
  add_request_parameters(out, facts);
  add_additional_event_data(out, facts);
  add_member(out, R"(,"requestID":)", facts.call_id);
  add_member(out, R"(,"eventID":)", facts.event_id);
  add_flag(out, R"(,"readOnly":)", !domain::changes_profiles(facts.operation));
  out += R"(,"eventType":"AwsApiCall","managementEvent":true)";
  if (facts.principal != nullptr) add_member(out, R"(,"recipientAccountId":)", facts.principal->account_id);
  out += R"(,"eventCategory":"Management")";
  add_tls(out, facts);
  add_portolan(out, facts);
  out += '}';
}

}  // namespace portolan::trail
